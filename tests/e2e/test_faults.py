"""Disks that are full, read-only, lying or damaged: what is told to whom, and that it passes."""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.disks import MIB, fill, injected, may_inject, may_mount, small_disk
from tests.support.live import LiveHome, run, until

only_long = pytest.mark.skipif("CRASH_SECONDS" not in os.environ, reason="belongs to the long form: make crash")
needs_mount = pytest.mark.skipif(not may_mount(), reason="small disks cannot be mounted here")
needs_strace = pytest.mark.skipif(not may_inject(), reason="strace is not there or may not inject faults")

EVENT = "<event><n>{}</n><filler>{}</filler></event>"
SLOW = "applications_slow"
SLOW_CODE = """
import pathlib, time
from agent.sdk import context

def on_event(event):
    while pathlib.Path("hold").exists():
        time.sleep(0.02)
    context.send(json={"n": int(event.find("n"))})
"""
"""Stands still while there is a file `hold` in the home: so a test decides what is open and what is done."""

SLOW_EXTRA = "<hook-timeout>120</hook-timeout>"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 96 MiB."""
    with small_disk(tmp_path / "disk", size_mib=96) as folder:
        yield folder


@pytest.fixture
def small_home(disk: Path, tmp_path: Path) -> Iterator[LiveHome]:
    """A home on that disk; what the agent prints is kept elsewhere."""
    live = LiveHome(disk / "home")
    live.console = tmp_path / "console"
    bound(live, "min-free-bytes", 8 * MIB)
    yield live
    live.close()


def add_slow(home: LiveHome) -> None:
    home.add_service("slow", SLOW_CODE, extra=SLOW_EXTRA)


def bound(home: LiveHome, name: str, value: int) -> None:
    home.edit(rf"<{name}>\d+</{name}>", f"<{name}>{value}</{name}>")


def hold(home: LiveHome) -> None:
    (home.folder / "hold").touch()


def let_go(home: LiveHome) -> None:
    (home.folder / "hold").unlink()


def send(home: LiveHome, number: int, filler: int = 0) -> tuple[int, str]:
    """Status, and the event id of an accepted event or the code of the refusal."""
    status, head, answer = home.post(EVENT.format(number, "x" * filler), SLOW)
    told = json.loads(answer)
    if status == 202:
        return status, told["requestId"]
    assert re.search(r"^Retry-After: \d+\r?$", head, re.MULTILINE), head
    return status, told["type"].rpartition(":")[2]


def numbers(home: LiveHome) -> list[int]:
    return [line["body"]["n"] for line in home.outbox]


def refused(home: LiveHome, number: int) -> str:
    """The code of the refusal, once there is one; what was accepted until then has the same number."""

    def look() -> str | None:
        status, told = send(home, number)
        return told if status == 503 else None

    return until("events to be refused", look)


def accepted(home: LiveHome, number: int) -> str:
    """The id, once an event is accepted again."""

    def look() -> str | None:
        status, told = send(home, number)
        return told if status == 202 else None

    return until("events to be accepted again", look)


def warns(home: LiveHome, words: str) -> str:
    def look() -> str | None:
        return next((each for each in home.iadmin_json("status")["warnings"] if words in each), None)

    return until(f"a warning of {words!r}", look)


def all_delivered(home: LiveHome, expected: list[int]) -> None:
    """These numbers and no others are in the outbox, in this order at their first delivery."""
    until("everything to be delivered", lambda: set(expected) <= set(numbers(home)))
    assert expected == list(dict.fromkeys(numbers(home)))


# Space


@needs_mount
def test_a_disk_that_gets_low_refuses_early(small_home: LiveHome, disk: Path) -> None:
    """503 disk-low before it is full; what was taken is worked off; recovery is by itself."""
    home = small_home
    add_slow(home)
    hold(home)
    home.start()
    taken = [send(home, number)[0] for number in range(20)]
    ballast = fill(disk, leave_bytes=7 * MIB)
    assert "disk-low" == refused(home, 20)
    assert "free some" in warns(home, "MiB are free")
    let_go(home)
    until("the backlog to be worked off", lambda: set(range(20)) <= set(numbers(home)))
    ballast.unlink()
    assert [202] * 20 == taken
    home.settled(accepted(home, 21))
    until("the warning to go", lambda: not home.iadmin_json("status")["warnings"])


@needs_mount
def test_a_full_disk_loses_nothing(small_home: LiveHome, disk: Path) -> None:
    """503 store-full, the reserve lets the backlog be worked off; a kill and a start on the full disk; then space."""
    home = small_home
    add_slow(home)
    bound(home, "min-free-bytes", 0)
    hold(home)
    home.start()
    ballast = fill(disk, leave_bytes=3 * MIB)
    taken = []
    for number in range(200):
        status, told = send(home, number, filler=100_000)
        if status != 202:
            break
        taken.append(number)
    assert (503, "store-full") == (status, told)
    assert not (home.folder / "var" / "spool" / "reserve").exists()
    assert "events are refused (503)" in warns(home, "the disk is full")
    fill(disk)
    home.kill()
    home.start()
    assert 503 == send(home, 1000)[0]
    let_go(home)
    ballast.unlink()
    all_delivered(home, taken)
    home.settled(accepted(home, 1001))
    until("the warning to go", lambda: not home.iadmin_json("status")["warnings"])
    until("the reserve to be laid by again", (home.folder / "var" / "spool" / "reserve").exists)
    assert 0 == home.stop()


@needs_mount
def test_an_agent_that_was_stopped_starts_on_a_full_disk(small_home: LiveHome, disk: Path) -> None:
    """The log and its index are gone after an orderly stop; the reserve makes room for them, and for what waits."""
    home = small_home
    add_slow(home)
    bound(home, "min-free-bytes", 0)
    hold(home)
    home.start()
    taken = [send(home, number)[0] for number in range(20)]
    home.stop()
    fill(disk)
    let_go(home)
    home.start()
    all_delivered(home, list(range(20)))
    assert ([202] * 20, (503, "store-full")) == (taken, send(home, 20))


def test_files_that_must_not_grow_are_an_error_that_passes(home: LiveHome) -> None:
    """A file size limit (ulimit -f) set while the agent runs: 503, nothing lost, and on again when it is lifted."""
    add_slow(home)
    home.start()
    assert home.process is not None
    pid = home.process.pid
    taken = [number for number in range(10) if send(home, number)[0] == 202]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    told = {send(home, number, filler=30_000) for number in range(100, 110)}
    assert {(503, "store-failed")} == told
    assert "events are refused (503)" in warns(home, "reported an error")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    accepted(home, 10)
    all_delivered(home, [*taken, 10])
    until("the warning to go", lambda: not home.iadmin_json("status")["warnings"])


# Errors of the disk


@needs_strace
@pytest.mark.parametrize(
    ("faults", "only_spool"),
    [
        pytest.param(["fdatasync:error=EIO", "fsync:error=EIO"], False, id="every sync fails"),
        pytest.param(["fdatasync:error=EIO:when=1+3"], False, id="each third sync fails", marks=only_long),
        pytest.param(["pwrite64:error=EROFS"], True, id="the log has become read-only", marks=only_long),
        pytest.param(["pwrite64:error=EIO:when=2+5"], True, id="each fifth write fails"),
    ],
)
@pytest.mark.parametrize("end", ["passes", "killed"])
def test_an_error_of_the_disk_is_never_a_202(home: LiveHome, faults: list[str], only_spool: bool, end: str) -> None:
    """What was told 202 arrives, what was told 503 does not unless a kill came between; recovery without a restart."""
    add_slow(home)
    home.start()
    assert home.process is not None
    before = [number for number in range(5) if send(home, number)[0] == 202]
    until("these to be delivered", lambda: numbers(home) == before)
    path = home.folder / "var" / "spool" / "spool.db-wal" if only_spool else None
    with injected(home.process.pid, *faults, path=path):
        answers = {number: send(home, number) for number in range(10, 30)}
        if end == "killed":
            home.kill()
    failed = [number for number, (status, _) in answers.items() if status != 202]
    taken = [number for number, (status, _) in answers.items() if status == 202]
    assert failed, "the faults did not reach the spool"
    assert {"store-failed"} == {answers[number][1] for number in failed}
    if end == "killed":
        home.start()
    accepted(home, 40)
    expected = [*before, *taken, 40]
    until("what was acknowledged to be delivered", lambda: set(expected) <= set(numbers(home)))
    arrived = list(dict.fromkeys(numbers(home)))
    if end == "passes":
        assert expected == arrived
        assert numbers(home) == arrived
    assert expected == [number for number in arrived if number not in failed]
    assert "reported an error" in home.log
    assert "quarantine" not in home.log


@needs_mount
def test_a_read_only_disk_keeps_the_agent_from_starting(small_home: LiveHome, disk: Path) -> None:
    """One sentence and an exit status, nothing touched; when it can be written, everything is there."""
    home = small_home
    add_slow(home)
    hold(home)
    home.start()
    taken = [number for number in range(5) if send(home, number)[0] == 202]
    home.kill()
    assert 0 == run("mount", "-o", "remount,ro", disk).returncode
    started = home.start(wait=False)
    assert started.wait(30) in (73, 74)
    last = home.console.read_text(encoding="utf-8").splitlines()[-1]
    assert "read-only" in last.lower(), last
    assert 5 == len(home.iadmin_json("event", "list")["events"])
    assert 0 == run("mount", "-o", "remount,rw", disk).returncode
    let_go(home)
    home.start()
    all_delivered(home, taken)
    # After a clean stop there is no log, and none can be made here.
    assert 0 == home.stop()
    assert 0 == run("mount", "-o", "remount,ro", disk).returncode
    assert 5 == len(home.iadmin_json("event", "list")["events"])
    assert 0 == run("mount", "-o", "remount,rw", disk).returncode


# Damage

COUNT = 300
IN_DATABASE = 200


def damage_pages(home: LiveHome) -> None:
    """Garbage in the middle of the file of the database."""
    path = home.folder / "var" / "spool" / "spool.db"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(data)


def truncate(home: LiveHome) -> None:
    path = home.folder / "var" / "spool" / "spool.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // 4096 * 4096)


def put_text(home: LiveHome) -> None:
    (home.folder / "var" / "spool" / "spool.db").write_text("Minutes of the meeting of the works council\n" * 200)


def empty(home: LiveHome) -> None:
    (home.folder / "var" / "spool" / "spool.db").write_bytes(b"")


def flip_a_bit_of_the_log(home: LiveHome) -> None:
    path = home.folder / "var" / "spool" / "spool.db-wal"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut_the_log(home: LiveHome) -> None:
    path = home.folder / "var" / "spool" / "spool.db-wal"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def remove_the_log(home: LiveHome) -> None:
    (home.folder / "var" / "spool" / "spool.db-wal").unlink()
    (home.folder / "var" / "spool" / "spool.db-shm").unlink(missing_ok=True)


def remove_the_database(home: LiveHome) -> None:
    for path in (home.folder / "var" / "spool").glob("spool.db*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "stops", "words"),
    [
        pytest.param(
            damage_pages, "orderly", r"was damaged .* (\d+) events were saved", id="corrupted page", marks=only_long
        ),
        pytest.param(damage_pages, "killed", r"was damaged .* (\d+) events were saved", id="corrupted page, with log"),
        pytest.param(
            truncate, "orderly", r"was damaged .* (\d+) events were saved", id="truncated database", marks=only_long
        ),
        pytest.param(
            put_text, "orderly", r"was damaged .* (\d+) events were saved", id="a text in its place", marks=only_long
        ),
        pytest.param(
            put_text, "killed", r"was damaged .* (\d+) events were saved", id="a text, with log", marks=only_long
        ),
        pytest.param(empty, "killed", r"was damaged .* (\d+) events were saved", id="an empty file, with log"),
        pytest.param(flip_a_bit_of_the_log, "killed", r"in its log .* (\d+) events were saved", id="corrupted log"),
        pytest.param(cut_the_log, "killed", r"is missing: (\d+) events", id="log cut off", marks=only_long),
        pytest.param(
            remove_the_log, "killed", r"is missing: (\d+) events|was damaged", id="log removed", marks=only_long
        ),
        pytest.param(remove_the_database, "orderly", r"is gone; (\d+) events", id="database removed", marks=only_long),
    ],
)
def test_a_damaged_spool_is_moved_aside_and_the_agent_comes_up(
    home: LiveHome, damage: Callable[[LiveHome], None], stops: str, words: str
) -> None:
    """Readable events arrive in order and once, the sentence counts the others, and new ones are taken in."""
    add_slow(home)
    hold(home)
    home.start()
    if stops == "killed":
        # Two thirds are in the database, the others in the log only.
        assert [202] * IN_DATABASE == send_all(home, range(IN_DATABASE))
        stop_in_a_hurry(home)
        home.start()
        assert [202] * (COUNT - IN_DATABASE) == send_all(home, range(IN_DATABASE, COUNT))
        home.kill()
    else:
        assert [202] * COUNT == send_all(home, range(COUNT))
        stop_in_a_hurry(home)
    damage(home)
    let_go(home)
    home.start()
    sentence = until(
        "the sentence",
        lambda: next((line for line in home.log.splitlines() if " ERROR " in line and re.search(words, line)), None),
        5,
    )
    assert sentence.partition(" - ")[2] in "\n".join(home.iadmin_json("status")["warnings"])
    accepted(home, COUNT)
    until("the new one to be delivered", lambda: COUNT in numbers(home))
    until("the saved ones to be delivered", lambda: is_idle(home))
    arrived = numbers(home)
    assert arrived == sorted(set(arrived))
    lost = re.search(r"(\d+) places of events|missing: (\d+) events|gone; (\d+) events", sentence)
    assert COUNT - (len(arrived) - 1) == (int(next(filter(None, lost.groups()))) if lost else 0)
    home.stop()
    checked = home.iadmin("spool", "check")
    assert 0 == checked.returncode, checked.stdout.decode()


FILL = """
WITH RECURSIVE n(seq) AS (SELECT ?1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?1 + 60000)
INSERT INTO event (seq, id, service, state, priority, grp, received_us, stored_us, attempt, due_us, reason, size_bytes,
                   kind, content_type, charset, path, query, peer, body)
SELECT seq, printf('01900000-0000-7000-8000-%012x', seq), 'applications|slow', 3, 0, '', 1, 1, 1, 0, '', 250, 'xml',
       'application/xml', NULL, '', '', '127.0.0.1', zeroblob(250) FROM n
"""
"""Events that are done: 26 MB of them."""


def test_damage_in_what_is_over_does_not_keep_senders_waiting(home: LiveHome) -> None:
    """A large spool is checked behind the start: damage is told, events are taken in, and the next start heals it."""
    add_slow(home)
    home.start()
    first = send(home, 1)
    until("the first to be delivered", lambda: [1] == numbers(home))
    home.stop()
    database = home.folder / "var" / "spool" / "spool.db"
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(FILL, (2,))
    connection.close()
    (home.folder / "var" / "spool" / "newest").unlink()
    damage_pages(home)

    home.start()
    sentence = warns(home, "the spool is damaged")
    assert "iadmin restart" in sentence
    assert "was damaged" not in home.log
    assert 202 == send(home, 2)[0]
    until("the second to be delivered", lambda: [1, 2] == numbers(home))
    assert 0 == home.stop()

    home.start()
    assert "events were saved (0 of them still to be done)" in warns(home, "was damaged")
    assert "done" == home.event(first[1])["state"]
    accepted(home, 3)
    until("the third to be delivered", lambda: [1, 2, 3] == numbers(home))
    assert 0 == home.stop()
    checked = home.iadmin("spool", "check")
    assert 0 == checked.returncode, checked.stdout.decode()


def stop_in_a_hurry(home: LiveHome) -> None:
    """Do not wait for the hook that stands still; the log is emptied into the database all the same."""
    assert home.process is not None
    stops = home.log.count("stopping:")
    home.process.terminate()
    until("the stop to begin", lambda: home.log.count("stopping:") > stops)
    home.process.terminate()
    assert 0 == home.process.wait(30)


def send_all(home: LiveHome, some: range) -> list[int]:
    """Post these one after the other on one connection; returns the statuses."""
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=30)
    statuses = []
    for number in some:
        body = EVENT.format(number, "y" * 400).encode()
        connection.request("POST", f"/http/{SLOW}", body, {"Content-Type": "text/xml"})
        with connection.getresponse() as answer:
            answer.read()
        statuses.append(answer.status)
    connection.close()
    return statuses


def is_idle(home: LiveHome) -> bool:
    spool = home.iadmin_json("spool", "stats")
    counts = [each for kind in ("services", "destinations") for each in spool[kind].values()]
    return not any(each[state] for each in counts for state in ("received", "claimed", "waiting"))


def test_a_database_of_another_program_is_not_touched(home: LiveHome) -> None:
    """The agent does not start and says why; the file is what it was."""
    home.start()
    home.stop()
    path = home.folder / "var" / "spool" / "spool.db"
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE invoice (number INTEGER)")
    other.close()
    was = path.read_bytes()
    started = home.start(wait=False)
    assert 78 == started.wait(30)
    assert "database of another program" in home.console.read_text(encoding="utf-8").splitlines()[-1]
    assert was == path.read_bytes()

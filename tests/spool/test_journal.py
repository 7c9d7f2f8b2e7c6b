"""The look into the spool: shapes, filters, and that it works whatever state the agent is in."""

import base64
import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.delivery import Answer, OutboundRequest, Outcome, State
from agent.errors import ExitStatus, OperatorError
from agent.event import Priority
from agent.spool import layout
from agent.spool.batch import Batch, Change
from agent.spool.claims import Claim
from agent.spool.journal import Journal
from agent.spool.shapes import MAX_BODY_BYTES
from agent.spool.writer import Writer
from tests.spool.support import SERVICE, START_US, event, sent, settlement


@pytest.fixture
def road(writer, folder):
    """Four events: 1 done after two attempts with one request sent, 2 dead, 3 of another service waiting, 4 open."""
    numbered = [event(1), event(2), event(3, service="x|y", priority=1, group="g"), event(4)]
    writer.commit(Batch(accepts=[(each, None) for each in numbered]))
    request = OutboundRequest(destination="out", body=b'{"a": 1}', headers=(("X-A", "b"),), path="/p", method="POST")
    for what in (
        settlement(1, Outcome.POSTPONE, reason="the hook raised", detail="Traceback ...", due_us=START_US + 250),
        settlement(1, requests=(request,)),
        settlement(2, Outcome.GIVE_UP, reason="gave up after 10 attempts"),
        settlement(3, Outcome.POSTPONE, due_us=START_US + 10_000),
        sent(1, answer=Answer(status=202, where="http://b.example/", body=b"ok", content_type="text/plain")),
    ):
        assert writer.commit(Batch(changes=[Change(what=what)])).failed == []
    return Journal(folder)


def ids(events):
    return [int(each["id"][-12:], 16) for each in events]


def test_a_summary_says_what_a_list_needs(road):
    """Times are ISO 8601 with milliseconds and zone; states, priorities are words."""
    assert road.events(service="x|y") == [
        {
            "id": event(3).id,
            "service": "x|y",
            "state": "waiting",
            "received": "2025-11-24T16:00:00.000+00:00",
            "attempt": 1,
            "size_bytes": 4,
            "peer": "192.0.2.7:40001",
            "priority": "high",
            "group": "g",
            "reason": "",
            "due": "2025-11-24T16:00:00.010+00:00",
            "requests_open": 0,
            "requests_done": 0,
            "requests_dead": 0,
            "lost": "",
        }
    ]


def test_a_list_tells_of_what_was_not_delivered(writer, folder):
    """The event is done, and one of its requests is lost: which, and why."""
    writer.commit(Batch(accepts=[(event(1), None), (event(2), None)]))
    requests = tuple(OutboundRequest(destination=name, body=b"{}") for name in ("a", "b", "c"))
    for what in (
        settlement(1, requests=requests),
        sent(1),
        sent(2, Outcome.GIVE_UP, reason="connection refused"),
    ):
        assert writer.commit(Batch(changes=[Change(what=what)])).failed == []
    [other, done] = Journal(folder).events()
    assert (done["state"], done["requests_done"], done["requests_dead"], done["requests_open"]) == ("done", 1, 1, 1)
    assert done["lost"] == "request 2 to b: connection refused"
    assert (other["requests_dead"], other["lost"]) == (0, "")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [4, 3, 2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"service": SERVICE}, [4, 2, 1]),
        ({"state": "done"}, [1]),
        ({"state": "dead"}, [2]),
        ({"state": "dead", "service": "x|y"}, []),
        ({"state": "received"}, [4]),
        ({"state": "waiting", "service": "x|y"}, [3]),
        ({"before": event(3).id}, [2, 1]),
        ({"after": event(3).id}, [4]),
        ({"service": "nobody"}, []),
    ],
)
def test_lists_are_newest_first_and_can_be_narrowed(road, choice, expected):
    """By service, state, and place; the newest first."""
    assert expected == ids(road.events(**choice))


def test_lists_can_have_everything(road):
    """With bodies: the whole body, the road, and what the sender said; a list of those received before a moment."""
    whole = road.events(state="dead", bodies=True)
    detail = road.event(event(2).id)
    assert [event(2).body] == [base64.b64decode(one["body_base64"]) for one in whole]
    for name in ("steps", "kind", "content_type", "charset", "path", "query", "reason", "requests_open"):
        assert name == "requests_open" or detail[name] == whole[0][name]
    assert [4, 3, 2, 1] == ids(road.events(bodies=True))
    received = road.events()[1]["received"]
    assert all(one["received"] < received for one in road.events(until=received))
    assert 4 == len(road.events(until="2099-01-01T00:00:00+00:00"))


def test_a_list_with_bodies_ends_where_they_are_many(writer, folder):
    """At least one, and the next page goes on behind the last, also when that is gone by then."""
    large = [event(number, body=b"<a>" + b"x" * (9 << 20) + b"</a>") for number in (1, 2, 3)]
    for each in large:
        writer.commit(Batch(accepts=[(each, None)]))
    journal = Journal(folder)
    first = journal.events(bodies=True)
    assert [3, 2] == ids(first)
    assert [1] == ids(journal.events(bodies=True, before=first[-1]["id"]))
    gone = first[-1]["id"][:-1] + "0"
    assert gone not in [one["id"] for one in first]
    assert [2, 1] != ids(journal.events(before=gone))


def test_a_state_that_does_not_exist_is_refused(road):
    """A typo is not an empty list."""
    with pytest.raises(OperatorError, match="'ded' is not a state; expected one of received, claimed, waiting, done"):
        road.events(state="ded")


def test_the_whole_road_of_an_event(road):
    """Received, stored, each attempt with its outcome, what it sent, and the answer, with times."""
    detail = road.event(event(1).id)

    assert json.loads(json.dumps(detail)) == detail
    assert [(step["at"][17:23], step["step"], step["text"]) for step in detail["steps"]] == [
        ("00.000", "received", "from 192.0.2.7:40001"),
        ("00.000", "stored", "place 1"),
        ("00.000", "begun", f"handed to {SERVICE}, attempt 1"),
        ("00.000", "postponed", "the hook raised\nTraceback ..."),
        ("00.000", "begun", f"handed to {SERVICE}, attempt 2"),
        ("00.000", "done", ""),
    ]
    [request] = detail["requests"]
    assert [(step["step"], step["text"]) for step in request["steps"]] == [
        ("stored", "for out"),
        ("begun", "sending to out, attempt 1"),
        ("done", ""),
    ]
    assert request["answer"] == {
        "status": 202,
        "where": "http://b.example/",
        "body": "ok",
        "content_type": "text/plain",
    }
    assert (request["id"], request["state"], request["body"], request["headers"]) == (
        f"{event(1).id}/1",
        "done",
        '{"a": 1}',
        [["X-A", "b"]],
    )
    assert (detail["state"], detail["attempt"], detail["body"], detail["body_cut"]) == ("done", 2, "<a/>", False)


def test_an_event_is_found_by_a_beginning_that_is_its_alone(road):
    """A unique prefix is enough; one that several share finds nothing, nor does an empty one."""
    assert road.event(event(1).id[:-1]) is None
    assert road.event("") is None
    assert road.event("ffff") is None
    assert road.event(event(1).id.upper())["id"] == event(1).id


def test_a_large_body_is_cut_and_says_so(writer, folder):
    """Nobody's terminal is flooded with a ticket's whole history."""
    writer.commit(Batch(accepts=[(event(1, body=b"x" * (MAX_BODY_BYTES + 1)), None)]))
    detail = Journal(folder).event(event(1).id)

    assert (len(detail["body"]), detail["body_cut"], detail["size_bytes"]) == (
        MAX_BODY_BYTES,
        True,
        MAX_BODY_BYTES + 1,
    )


@pytest.mark.parametrize(("charset", "expected"), [("latin-1", "ü"), (None, "\ufffd"), ("no-such-charset", "\ufffd")])
def test_a_body_is_shown_whatever_its_encoding(writer, folder, charset, expected):
    """An encoding that is wrong or unknown never keeps an event from being shown."""
    writer.commit(Batch(accepts=[(event(1, body=b"\xfc", charset=charset), None)]))

    assert expected == Journal(folder).event(event(1).id)["body"]


def test_counts_name_every_state(road):
    """Open and ended events per service, requests per destination."""
    nothing = dict.fromkeys(("received", "claimed", "waiting", "done", "dead", "suppressed"), 0)

    assert road.counts() == {
        "services": {SERVICE: {**nothing, "received": 1, "done": 1, "dead": 1}, "x|y": {**nothing, "waiting": 1}},
        "destinations": {"out": {**nothing, "done": 1}},
    }


def test_counts_agree_with_the_rows(road, folder):
    """What was counted when it ended is what is there."""
    connection = layout.open_for_reading(folder / layout.FILE_NAME)
    rows = connection.execute("SELECT service, state, count(*) FROM event WHERE state > 2 GROUP BY 1, 2").fetchall()
    tally = connection.execute("SELECT name, state, count FROM tally WHERE kind = 'event'").fetchall()
    connection.close()

    assert sorted(rows) == sorted(tally)


def test_the_agent_may_be_down(folder):
    """After a clean stop the journal reads the one file that is left."""
    writer = Writer(folder=folder, now_us=lambda: START_US)
    writer.open()
    writer.commit(Batch(accepts=[(event(1), None)]))
    writer.close()

    assert ids(Journal(folder).events()) == [1]


KILLED = """
import os, pathlib, sys
from agent.spool.batch import Batch
from agent.spool.writer import Writer
from tests.spool.support import START_US, event
writer = Writer(folder=pathlib.Path(sys.argv[1]), now_us=lambda: START_US)
writer.open()
writer.commit(Batch(accepts=[(event(1), None)]))
os.kill(os.getpid(), 9)
"""


def test_the_agent_may_have_been_killed(folder):
    """What is still in the log only is read as well."""
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert (folder / "spool.db-wal").exists()

    assert ids(Journal(folder).events()) == [1]


def test_an_empty_database_keeps_its_log(folder):
    """SQLite deletes the log of an empty database, also for one who only reads; it may hold what was acknowledged."""
    subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    log = (folder / "spool.db-wal").read_bytes()
    (folder / layout.FILE_NAME).write_bytes(b"")

    with pytest.raises(OperatorError, match="the database is empty although its log is not") as caught:
        Journal(folder).counts()
    assert caught.value.exit_status == ExitStatus.IO_ERROR
    assert log == (folder / "spool.db-wal").read_bytes()


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_home_may_be_read_only(folder, is_killed):
    """A home that was mounted read-only, with or without a log left over, can be looked into."""
    if is_killed:
        subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
        (folder / "spool.db-shm").unlink()
    else:
        test_the_agent_may_be_down(folder)
    for path in folder.iterdir():
        path.chmod(0o400)
    folder.chmod(0o500)
    look = "import pathlib, sys; from agent.spool.journal import Journal; "
    look += "print([each['size_bytes'] for each in Journal(pathlib.Path(sys.argv[1])).events()])"
    before = sorted(path.name for path in folder.iterdir())
    try:
        seen = subprocess.run(
            [sys.executable, "-c", look, str(folder)], capture_output=True, text=True, preexec_fn=obey_permissions
        )
        assert (seen.stdout, seen.stderr) == ("[4]\n", "")
        assert sorted(path.name for path in folder.iterdir()) == before
    finally:
        folder.chmod(0o700)


def obey_permissions():
    """Where the tests run as root, the program that is started next is bound by permissions all the same.

    prctl(PR_CAPBSET_DROP) for CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, see capabilities(7).
    """
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


def test_no_spool_is_said_in_one_sentence(folder):
    """Where the agent never ran there is nothing to see; the journal does not make anything."""
    with pytest.raises(OperatorError, match="there is no spool here") as caught:
        Journal(folder).events()
    assert caught.value.exit_status == ExitStatus.NO_INPUT
    assert not folder.exists()


def test_a_damaged_spool_is_said_in_one_sentence(folder):
    """No traceback for a file that is no database."""
    folder.mkdir()
    (folder / layout.FILE_NAME).write_bytes(b"no database at all " * 100)

    with pytest.raises(OperatorError, match="cannot be read") as caught:
        Journal(folder).counts()
    assert caught.value.exit_status == ExitStatus.IO_ERROR


def test_the_journal_does_not_wait_for_twisted():
    """iadmin reads it: it must be there at once."""
    check = "import sys, agent.spool.journal; sys.exit('twisted' in sys.modules or 'lxml' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_spool_of_an_older_version_asks_for_a_start_of_the_agent(writer, folder):
    """Looking changes nothing on disk, so it cannot migrate."""
    writer._connection.pragma("user_version", layout.FORMAT - 1)

    with pytest.raises(OperatorError, match="start the agent once") as caught:
        Journal(folder).events()
    assert caught.value.exit_status == ExitStatus.TEMPORARY


def test_without_an_agent_nobody_has_anything_in_hand(writer, folder):
    """What a killed agent left claimed is told as what it is: to be offered again. Found and counted like that."""
    writer.commit(Batch(accepts=[(event(1), None), (event(2), None)]))
    writer.commit(Batch(changes=[Change(what=settlement(1, requests=(OutboundRequest(destination="out"),)))]))
    writer.commit(Batch(changes=[Change(what=Claim(events=(2,), requests=(1,)))]))
    live, dead = Journal(folder), Journal(folder, is_worked_on=False)

    for journal, here, elsewhere in ((live, "claimed", "received"), (dead, "received", "claimed")):
        assert [event(2).id] == [each["id"] for each in journal.events(state=here)]
        assert [] == journal.events(state=elsewhere)
        assert here == journal.event(event(2).id)["state"]
        assert here == journal.event(event(1).id)["requests"][0]["state"]
        assert (1, 0) == (journal.counts()["services"][SERVICE][here], journal.counts()["services"][SERVICE][elsewhere])


def test_a_folder_that_may_not_be_looked_into_is_one_sentence(writer, folder, monkeypatch):
    """With the account that may."""

    def refuse(*_arguments, **_more):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(OperatorError, match="use the account that the agent runs under") as caught:
        Journal(folder).events()
    assert caught.value.exit_status == ExitStatus.NO_PERMISSION


def test_a_whole_event_is_as_it_was_stored(writer, folder):
    """With its large body, and where it stands."""
    stored = event(1, group="g", priority=Priority.HIGH, body=b"<a>" + b"x" * 10_000 + b"</a>")
    writer.commit(Batch(accepts=[(stored, None)]))
    assert (stored, State.RECEIVED) == Journal(folder).whole(stored.id)
    assert None is Journal(folder).whole("nothing")

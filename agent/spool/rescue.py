"""A damaged spool at the start: moved aside whole, what is readable is saved into a new one, and the agent comes up.

    look_over(...) before the writer opens the spool -> what the operator is to be told, nothing where all is well

Three faults are noticed: SQLite's own check of the pages (`quick_check`, for a bounded time), a file that is no
database, and an end that is missing (see `mark`). In the first two cases the files go to `quarantine-<time>/`, as they
are. In the third the log is looked at (`frames`): where a frame in its midst is damaged, those behind it are saved as
well; where there is nothing behind, the database is sound and stays, and a copy is kept.

The check reads everything, also what has long been over. A spool that is not small is checked before the start only
where something speaks for damage: the machine has been restarted since, or somebody has left a `doubt`. Otherwise the
check may come behind it (`recheck`), so that senders do not wait for the past. See docs/decisions/0036.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
import attrs

from agent.spool import doubt, layout
from agent.spool.mark import Mark, MarkFile

PROGRESS_STEPS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""

SMALL_BYTES: Final = 16 * 1024 * 1024
"""Up to this size the check takes some 15 ms, or as long as the disk needs for so much, and comes before the start."""

DAILY_TABLES: Final = ("meta", "tally", "dedup")
"""They do not grow with what was stored: a row for each service and destination, and what filters remember."""


@attrs.frozen(kw_only=True)
class Look:
    """What a check found. `fault` is empty where nothing was found; `is_whole` is false where the time was not enough.
    `is_put_off`: the check is still to come."""

    fault: str = ""
    is_whole: bool = True
    is_put_off: bool = False


@attrs.frozen(kw_only=True)
class Overview:
    """What the operator is to be told, and whether the check of the pages is still to come."""

    said: list[str]
    is_put_off: bool = False


def check(connection: apsw.Connection, *, is_enough: Callable[[], bool]) -> Look:
    """Let SQLite check its pages, to the end or until `is_enough`, which is asked every millisecond."""
    connection.set_progress_handler(is_enough, PROGRESS_STEPS)
    try:
        answer = str(connection.execute("PRAGMA quick_check(1)").get)
        return Look(fault="" if answer == "ok" else answer)
    except apsw.InterruptError:
        return Look(is_whole=False)
    except (*doubt.DAMAGE, apsw.SQLError) as error:
        return Look(fault=str(error))
    finally:
        connection.set_progress_handler(None)


def over_after(time_s: float, seconds: Callable[[], float]) -> Callable[[], bool]:
    """Whether that time is over, from now on; for `check`."""
    end_s = seconds() + time_s
    return lambda: seconds() >= end_s


def sound_so_far(path: Path, time_s: float) -> str:
    """The sentence for a check that was not whole."""
    return f'{path}: found sound as far as {time_s:g} s reached; "iadmin spool check" looks at all of it'


def _not_found_again(path: Path, time_s: float, reason: str) -> str:
    """The same where somebody has met damage before."""
    return (
        f"{path}: damage was met in it ({reason}), and the check did not reach it within {time_s:g} s; give "
        "<spool>/<check-time-s> several times as much and restart (iadmin restart): it is then moved aside, and what "
        "is readable is saved"
    )


def look_over(
    folder: Path,
    *,
    time_s: float,
    now_us: Callable[[], int],
    seconds: Callable[[], float],
    boot_id: str = "",
    vfs: str | None = None,
) -> Overview:
    """Check the spool of `folder` and rescue what can be rescued.

    `boot_id` is the machine's name for its present run; where it is given, the check may be put off.
    Raises `OperatorError` for a spool that is not ours, `OSError` and `apsw.Error` when the disk refuses.
    """
    path = folder / layout.FILE_NAME
    mark = MarkFile(folder).read()
    is_gone = not path.exists() or path.stat().st_size == 0
    if not is_gone:
        look, newest = _examine(path, is_enough=over_after(time_s, seconds), boot_id=boot_id, vfs=vfs)
    elif layout.is_empty_beside_its_log(path):
        look, newest = Look(fault="the database is empty although its log is not"), Mark()
    else:
        look, newest = Look(), Mark()
    said = []
    if not look.is_whole:
        reason = doubt.reason_left(folder)
        said.append(_not_found_again(path, time_s, reason) if reason else sound_so_far(path, time_s))
    if not look.fault and newest.event_seq >= mark.event_seq and newest.request_seq >= mark.request_seq:
        return Overview(said=said, is_put_off=look.is_put_off)
    from agent.spool import quarantine  # hardly any start has anything to save

    if look.fault:
        return Overview(said=quarantine.move_aside(folder, mark, look.fault, now_us(), vfs))
    if is_gone:
        quarantine.set_newest(folder, newest, mark, vfs)
        sentence = (
            f"{path}: the spool is gone; {mark.event_seq} events had been stored in it, and those that were not done "
            "are lost unless you put it back from a backup; a new one was begun"
        )
        return Overview(said=[sentence])
    fault = quarantine.image_fault(folder)
    if fault:
        moved = quarantine.move_aside(folder, mark, fault, now_us(), vfs, source=quarantine.IMAGE_NAME)
        return Overview(said=[*said, *moved])
    said.append(quarantine.note_missing(folder, newest, mark, now_us(), vfs))
    return Overview(said=said, is_put_off=look.is_put_off)


def _examine(path: Path, *, is_enough: Callable[[], bool], boot_id: str, vfs: str | None) -> tuple[Look, Mark]:
    """What the check finds, and how far the database goes; nothing of it stays open."""
    try:
        connection = layout.open_for_writing(path, vfs=vfs)
    except (*doubt.DAMAGE, apsw.SQLError) as error:
        return Look(fault=str(error)), Mark()
    try:
        if _may_wait(connection, path, boot_id):
            fault = _fault_in_daily_use(connection)
            return (Look(fault=fault), Mark()) if fault else (Look(is_put_off=True), _newest(connection))
        look = check(connection, is_enough=is_enough)
        if look.is_whole and not look.fault:
            doubt.clear(path.parent)
        return look, Mark() if look.fault else _newest(connection)
    except (*doubt.DAMAGE, apsw.SQLError) as error:
        return Look(fault=str(error)), Mark()
    finally:
        # What the log holds is not copied into a database that may be damaged.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close(force=True)


def _may_wait(connection: apsw.Connection, path: Path, boot_id: str) -> bool:
    """Whether nothing speaks for damage: it was in use in this same run of the machine, and nobody met any in it.

    What a power cut does to a database it does with the machine. A process that is killed leaves what it has written
    to the kernel, which does not forget it.
    """
    if not boot_id or path.stat().st_size <= SMALL_BYTES or doubt.is_left(path.parent) or _is_cut_off(path):
        return False
    if connection.pragma("user_version") != layout.FORMAT:
        return False
    return bool(connection.execute("SELECT value FROM meta WHERE name = 'clock_boot_id'").get == boot_id)


def _fault_in_daily_use(connection: apsw.Connection) -> str:
    """What is wrong with the few pages without which nothing goes on. The lines of open events are read by the writer.

    An agent that works on would refuse to begin (`dedup`), to settle (`tally`) or to send until somebody restarts it.
    """
    for table in DAILY_TABLES:
        answer = str(connection.execute(f"PRAGMA quick_check({table})").get)
        if answer != "ok":
            return answer
    connection.execute(f"SELECT count(*) FROM request INDEXED BY request_open WHERE {layout.OPEN_TERM}").fetchall()
    return ""


def _is_cut_off(path: Path) -> bool:
    """Whether the file is shorter than its head says (https://sqlite.org/fileformat.html, section 1.3)."""
    with path.open("rb") as file:
        head = file.read(32)
    page_bytes = int.from_bytes(head[16:18])
    return path.stat().st_size < int.from_bytes(head[28:32]) * (65_536 if page_bytes == 1 else page_bytes)


def _newest(connection: apsw.Connection) -> Mark:
    """What the database says; nothing where it has not been made yet."""
    if not connection.pragma("user_version"):
        return Mark()
    marks: dict[str, int] = dict(connection.execute("SELECT name, value FROM meta WHERE name LIKE 'last_%_seq'"))
    newest = {}
    for table in ("event", "request"):
        last: int = connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").get
        newest[table] = max(last, marks.get(f"last_{table}_seq", 0))
    return Mark(event_seq=newest["event"], request_seq=newest["request"])

"""A damaged spool at the start: moved aside whole, what is readable is saved into a new one, and the agent comes up.

    look_over(...) before the writer opens the spool -> what the operator is to be told, nothing where all is well

Three faults are noticed: SQLite's own check of the pages (`quick_check`, for a bounded time), a file that is no
database, and an end that is missing (see `mark`). In the first two cases the files go to `quarantine-<time>/`, as they
are. In the third the log is looked at (`frames`): where a frame in its midst is damaged, those behind it are saved as
well; where there is nothing behind, the database is sound and stays, and a copy is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
import attrs

from agent.spool import layout
from agent.spool.mark import Mark, MarkFile

PROGRESS_STEPS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the clock: about a millisecond."""


@attrs.frozen(kw_only=True)
class Look:
    """What a check found. `fault` is empty where there is none; `is_whole` is false where the time was not enough."""

    fault: str = ""
    is_whole: bool = True


def check(connection: apsw.Connection, *, time_s: float, seconds: Callable[[], float]) -> Look:
    """Let SQLite check its pages for at most `time_s`."""
    end_s = seconds() + time_s
    connection.set_progress_handler(lambda: seconds() >= end_s, PROGRESS_STEPS)
    try:
        answer = str(connection.execute("PRAGMA quick_check(1)").get)
        return Look(fault="" if answer == "ok" else answer)
    except apsw.InterruptError:
        return Look(is_whole=False)
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        return Look(fault=str(error))
    finally:
        connection.set_progress_handler(None)


def look_over(
    folder: Path,
    *,
    time_s: float,
    now_us: Callable[[], int],
    seconds: Callable[[], float],
    vfs: str | None = None,
) -> list[str]:
    """Check the spool of `folder` and rescue what can be rescued. Returns sentences for the operator.

    Raises `OperatorError` for a spool that is not ours, `OSError` and `apsw.Error` when the disk refuses.
    """
    path = folder / layout.FILE_NAME
    mark = MarkFile(folder).read()
    is_gone = not path.exists() or path.stat().st_size == 0
    if not is_gone:
        look, newest = _examine(path, time_s=time_s, seconds=seconds, vfs=vfs)
    elif layout.is_empty_beside_its_log(path):
        look, newest = Look(fault="the database is empty although its log is not"), Mark()
    else:
        look, newest = Look(), Mark()
    said = []
    if not look.is_whole:
        said.append(f'{path}: found sound as far as {time_s:g} s reached; "iadmin spool check" looks at all of it')
    if not look.fault and newest.event_seq >= mark.event_seq and newest.request_seq >= mark.request_seq:
        return said
    from agent.spool import quarantine  # hardly any start has anything to save

    if look.fault:
        return quarantine.move_aside(folder, mark, look.fault, now_us(), vfs)
    if is_gone:
        quarantine.set_newest(folder, newest, mark, vfs)
        sentence = (
            f"{path}: the spool is gone; {mark.event_seq} events had been stored in it, and those that were not done "
            "are lost unless you put it back from a backup; a new one was begun"
        )
        return [sentence]
    fault = quarantine.image_fault(folder)
    if fault:
        return [*said, *quarantine.move_aside(folder, mark, fault, now_us(), vfs, source=quarantine.IMAGE_NAME)]
    return [*said, quarantine.note_missing(folder, newest, mark, now_us(), vfs)]


def _examine(path: Path, *, time_s: float, seconds: Callable[[], float], vfs: str | None) -> tuple[Look, Mark]:
    """What the check finds, and how far the database goes; nothing of it stays open."""
    try:
        connection = layout.open_for_writing(path, vfs=vfs)
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        return Look(fault=str(error)), Mark()
    try:
        look = check(connection, time_s=time_s, seconds=seconds)
        return look, Mark() if look.fault else _newest(connection)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return Look(fault=str(error)), Mark()
    finally:
        # What the log holds is not copied into a database that may be damaged.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close(force=True)


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

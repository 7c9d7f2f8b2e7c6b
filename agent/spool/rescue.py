"""A damaged spool at the start: moved aside whole, what is readable is saved into a new one, and the agent comes up.

    look_over(...) before the writer opens the spool -> what the operator is to be told, nothing where all is well

Three faults are noticed: SQLite's own check of the pages (`quick_check`, for a bounded time), a file that is no
database, and an end that is missing (see `mark`). In the first two cases the files go to `quarantine-<time>/`, as they
are. In the third the log is looked at (`frames`): where a frame in its midst is damaged, those behind it are saved as
well; where there is nothing behind, the database is sound and stays, and a copy is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw
import attrs

from agent.spool import layout
from agent.spool.frames import LogImage, write_image
from agent.spool.mark import FILE_NAME as MARK_NAME
from agent.spool.mark import Mark, MarkFile
from agent.spool.salvage import Salvaged, salvage

IMAGE_NAME: Final = "with-log.db"
"""The database with what could still be read of its log; it stays in the quarantine."""

FILES: Final = (layout.FILE_NAME, f"{layout.FILE_NAME}-wal", f"{layout.FILE_NAME}-shm", MARK_NAME)
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
    if not path.exists() or path.stat().st_size == 0:
        if layout.is_empty_beside_its_log(path):
            return _move_aside(folder, mark, "the database is empty although its log is not", now_us(), vfs)
        if not mark.event_seq:
            return []
        _set_newest(folder, Mark(), mark, vfs)
        sentence = (
            f"{path}: the spool is gone; {mark.event_seq} events had been stored in it, and those that were not done "
            "are lost unless you put it back from a backup; a new one was begun"
        )
        return [sentence]
    try:
        connection = layout.open_for_writing(path, vfs=vfs)
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
        return _move_aside(folder, mark, str(error), now_us(), vfs)
    try:
        found = check(connection, time_s=time_s, seconds=seconds)
        newest = Mark() if found.fault else _newest(connection)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        found, newest = Look(fault=str(error)), Mark()
    finally:
        # What the log holds is not copied into a database that may be damaged.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close(force=True)
    if found.fault:
        return _move_aside(folder, mark, found.fault, now_us(), vfs)
    said = []
    if not found.is_whole:
        said.append(f'{path}: found sound as far as {time_s:g} s reached; "iadmin spool check" looks at all of it')
    if newest.event_seq < mark.event_seq or newest.request_seq < mark.request_seq:
        fault = _image_fault(folder)
        if fault:
            return [*said, *_move_aside(folder, mark, fault, now_us(), vfs, source=IMAGE_NAME)]
        said.append(_note_missing(folder, newest, mark, now_us(), vfs))
    return said


def _image_fault(folder: Path) -> str:
    """Make the image where the log is damaged in its midst, and say how much of it; empty where there is none."""
    image = folder / IMAGE_NAME
    try:
        log = write_image(folder / layout.FILE_NAME, image)
    except OSError:
        # No room for a copy, above all: then what SQLite reads has to do.
        log = LogImage()
    if log.damaged and image.exists():
        return f"in its log {log.damaged} of {log.frames} frames are damaged"
    image.unlink(missing_ok=True)
    return ""


def _move_aside(
    folder: Path, mark: Mark, fault: str, now_us: int, vfs: str | None, *, source: str = layout.FILE_NAME
) -> list[str]:
    """`source` is what is saved from: the database, or an image of it with what the log still holds."""
    aside = _new_folder(folder, now_us)
    for name in dict.fromkeys((*FILES, source)):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    layout.sync_folder(aside)
    layout.sync_folder(folder)
    path = layout.make_files(folder)
    target = layout.open_for_writing(path, vfs=vfs)
    try:
        layout.migrate(target, path)
        saved = salvage(aside / source, target, newest=mark)
    finally:
        target.close()
    sentence = (
        f"{folder}: the spool was damaged ({_first_line(fault)}) and was moved to {aside.name}; "
        f"{_counts(saved)}; a new spool was begun with them"
    )
    (aside / "report.txt").write_text(f"{sentence}\n\nWhat the check said:\n{fault}\n", "utf-8")
    return [sentence]


def _note_missing(folder: Path, found: Mark, mark: Mark, now_us: int, vfs: str | None) -> str:
    """The database is sound, but ends too early. Keep a copy, and never give the missing places again."""
    aside = _new_folder(folder, now_us)
    for name in FILES:
        if (folder / name).exists() and not name.endswith("-shm"):
            shutil.copy2(folder / name, aside / name)
    layout.sync_folder(aside)
    _set_newest(folder, found, mark, vfs)
    events, requests = mark.event_seq - found.event_seq, mark.request_seq - found.request_seq
    said = (
        f"{folder}: the end of the spool is missing: {max(events, 0)} events that had been acknowledged (the places "
        f"after {found.event_seq}) and {max(requests, 0)} requests; a copy of what is there was kept in {aside.name}; "
        "ask the senders for what they sent last, and check the disk"
    )
    (aside / "report.txt").write_text(said + "\n", "utf-8")
    return said


def _set_newest(folder: Path, found: Mark, mark: Mark, vfs: str | None) -> None:
    """Go on after the mark: the places of what is missing stay free, and the books balance."""
    path = layout.make_files(folder)
    connection = layout.open_for_writing(path, vfs=vfs)
    try:
        layout.migrate(connection, path)
        with connection:
            for name, old, new in (
                ("event", found.event_seq, mark.event_seq),
                ("request", found.request_seq, mark.request_seq),
            ):
                if new > old:
                    connection.execute(
                        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, ?2)",
                        (f"last_{name}_seq", new),
                    )
                    connection.execute(
                        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + ?2",
                        (f"freed_{name}_seqs", new - old),
                    )
            if mark.event_id:
                connection.execute(
                    "INSERT INTO meta VALUES ('last_event_id', ?) "
                    "ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
                    (mark.event_id,),
                )
    finally:
        connection.close()


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


def _new_folder(folder: Path, now_us: int) -> Path:
    stamp = f"{datetime.fromtimestamp(now_us // 1_000_000, UTC):%Y%m%dT%H%M%SZ}"
    for number in range(1, 1000):
        path = folder / f"quarantine-{stamp}{'' if number == 1 else f'-{number}'}"
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder}: a thousand quarantines of one second")


def _first_line(text: str) -> str:
    return (
        text.replace("*** in database main ***", "").strip().splitlines()[0][:200]
        if text.strip()
        else "no reason given"
    )


def _counts(saved: Salvaged) -> str:
    lost = f"{saved.lost_events} places of events could not be read" if saved.lost_events else "no place was unreadable"
    return f"{saved.events} events were saved ({saved.open_events} of them still to be done) and {lost}"

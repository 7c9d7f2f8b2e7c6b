"""What becomes of a spool that is not as it was left: moved aside whole and saved into a new one, or a copy is kept.

Nothing is deleted: what cannot be read today another tool may read tomorrow. `rescue` says when, and imports this only
then: hardly any start has anything to save.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent.spool import doubt, layout
from agent.spool.frames import LogImage, write_image
from agent.spool.mark import FILE_NAME as MARK_NAME
from agent.spool.mark import Mark
from agent.spool.salvage import Salvaged, salvage

IMAGE_NAME: Final = "with-log.db"
"""The database with what could still be read of its log; it stays in the quarantine."""

FILES: Final = (layout.FILE_NAME, f"{layout.FILE_NAME}-wal", f"{layout.FILE_NAME}-shm", MARK_NAME, doubt.FILE_NAME)


def image_fault(folder: Path) -> str:
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


def move_aside(
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
        f"{folder}: the spool was damaged ({doubt.first_line(fault)}) and was moved to {aside.name}; "
        f"{_counts(saved)}; a new spool was begun with them"
    )
    (aside / "report.txt").write_text(f"{sentence}\n\nWhat the check said:\n{fault}\n", "utf-8")
    return [sentence]


def note_missing(folder: Path, found: Mark, mark: Mark, now_us: int, vfs: str | None) -> str:
    """The database is sound, but ends too early. Keep a copy, and never give the missing places again."""
    aside = _new_folder(folder, now_us)
    for name in FILES:
        if (folder / name).exists() and not name.endswith("-shm"):
            shutil.copy2(folder / name, aside / name)
    layout.sync_folder(aside)
    set_newest(folder, found, mark, vfs)
    events, requests = mark.event_seq - found.event_seq, mark.request_seq - found.request_seq
    said = (
        f"{folder}: the end of the spool is missing: {max(events, 0)} events that had been acknowledged (the places "
        f"after {found.event_seq}) and {max(requests, 0)} requests; a copy of what is there was kept in {aside.name}; "
        "ask the senders for what they sent last, and check the disk"
    )
    (aside / "report.txt").write_text(said + "\n", "utf-8")
    return said


def set_newest(folder: Path, found: Mark, mark: Mark, vfs: str | None) -> None:
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


def _counts(saved: Salvaged) -> str:
    lost = f"{saved.lost_events} places of events could not be read" if saved.lost_events else "no place was unreadable"
    return f"{saved.events} events were saved ({saved.open_events} of them still to be done) and {lost}"

"""A note beside the database that somebody has met damage in it: the next start looks it over before anybody sends.

Left by whoever meets it (the writer, a reader, a check behind the start, `iadmin spool check`), and taken away by the
check of a start that reaches the end and finds nothing.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import apsw

FILE_NAME: Final = "doubt"

DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError)
"""What SQLite says of pages that cannot be as it has written them."""


def leave(folder: Path, why: object) -> None:
    """Note it. Where that cannot be written the start that follows is an ordinary one, whose check comes behind it."""
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).write_text(f"{why}\n", encoding="utf-8", errors="replace")


def leave_for(folder: Path, error: BaseException) -> None:
    """Note it where `error` tells of damage, and not of a disk that is full or fails."""
    if isinstance(error, DAMAGE):
        leave(folder, error)


def is_left(folder: Path) -> bool:
    return (folder / FILE_NAME).exists()


def reason_left(folder: Path) -> str:
    """Why, in one line; empty where there is no doubt."""
    try:
        return first_line((folder / FILE_NAME).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def clear(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / FILE_NAME).unlink(missing_ok=True)


def first_line(fault: str) -> str:
    """Of what a check says, which may be a page long."""
    said = fault.replace("*** in database main ***", "").strip().splitlines()
    return said[0][:200] if said else "no reason given"

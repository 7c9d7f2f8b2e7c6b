"""How far the spool has come, noted outside the database, so that a missing end is noticed.

One flipped bit in SQLite's log silently ends it there: everything behind it is gone, and the database looks whole. The
file `newest` says which places were given; it is written after each commit and before anybody is told, without a sync
of its own, so it may lag behind after a power cut, and never runs ahead. A start that finds less in the database than
the mark says knows what is missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import attrs

FILE_NAME: Final = "newest"
NO_ID: Final = "-"


@attrs.frozen(kw_only=True)
class Mark:
    """The newest places of events and requests, and the newest id."""

    event_seq: int = 0
    request_seq: int = 0
    event_id: str = ""


class MarkFile:
    """The file. Where it cannot be written, the agent goes on without: it is a witness, not the truth."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._handle = -1

    def read(self) -> Mark:
        """What was noted; nothing where there is no file or it cannot be understood."""
        try:
            event_seq, request_seq, event_id = self._path.read_text("ascii").split()
            return Mark(
                event_seq=int(event_seq), request_seq=int(request_seq), event_id=event_id.strip("-") and event_id
            )
        except (OSError, ValueError, IndexError):
            return Mark()

    def write(self, mark: Mark) -> None:
        """Note it: one line of fixed length, written over the last one in one call."""
        try:
            if self._handle < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._handle = os.open(self._path, flags, 0o600)
            line = f"{mark.event_seq:020} {mark.request_seq:020} {mark.event_id or NO_ID:36}\n"
            os.pwrite(self._handle, line.encode("ascii", "replace"), 0)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

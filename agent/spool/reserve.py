"""A file that takes up space until the disk is full, and is then given up: settlements need room even to make room.

SQLite writes to its log before anything can be deleted, so a queue on a full disk could not even note that an event is
done, and would hand out the same one for ever. While the reserve is spent nothing is taken in; it is laid by again when
there is space.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

FILE_NAME: Final = "reserve"


def free_bytes(folder: Path) -> int:
    """The space that we may use on the disk of this folder. Blocks; raises `OSError`."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Reserve:
    """The file `reserve` in `folder`. Called from the writer's and the reader's thread; everything blocks."""

    def __init__(
        self, *, folder: Path, size_bytes: int, keep_free_bytes: int, free_bytes: Callable[[Path], int] = free_bytes
    ) -> None:
        """`keep_free_bytes` must be left when the file has been made."""
        self._folder = folder
        self._path = folder / FILE_NAME
        self._size_bytes = size_bytes
        self._keep_free_bytes = keep_free_bytes
        self._free_bytes = free_bytes
        self._lock = threading.Lock()
        self.is_spent = False
        """Given up, and not yet laid by again."""

    def lay_by(self) -> bool:
        """Make the file where it is missing and there is space; True when it is there or none is wanted."""
        with self._lock:
            if not self._size_bytes or self._is_there():
                self.is_spent = False
            elif self._free_bytes(self._folder) >= self._size_bytes + self._keep_free_bytes:
                try:
                    self._make()
                except OSError:
                    self._path.unlink(missing_ok=True)
                    return False
                self.is_spent = False
            else:
                return False
            return True

    def give_up(self) -> bool:
        """Free its space; False when there was none."""
        with self._lock:
            if not self._is_there():
                return False
            self._path.unlink(missing_ok=True)
            self.is_spent = True
            return True

    def _is_there(self) -> bool:
        try:
            return self._path.stat().st_size >= self._size_bytes > 0
        except OSError:
            return False

    def _make(self) -> None:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(handle, 0, self._size_bytes)
        finally:
            os.close(handle)

"""The log file: appended to, rotated by size, readable by its owner only.

`agent.log` is the newest; `agent.log.1` the one before, up to the configured number. The file may be moved or deleted
by others (logrotate, a person): the next write makes a new one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MODE = 0o600
FOLDER_MODE = 0o700
NEWLINE = 0x0A


class LogFile:
    """Not thread-safe: one `Scribe` writes. Every call may raise `OSError`; the next call starts afresh."""

    def __init__(self, *, path: Path, max_bytes: int, max_old: int) -> None:
        """Rotate before a write that would pass `max_bytes`; keep `max_old` old files (0: none, start again)."""
        self._path = path
        self._max_bytes = max_bytes
        self._max_old = max_old
        self._fd = -1
        self._is_torn = False

    def bound(self, *, max_bytes: int, max_old: int) -> None:
        """Other bounds from the next write on. The one call that may come from another thread than the writing one:
        either bound may count a line earlier than the other."""
        self._max_bytes, self._max_old = max_bytes, max_old

    def write(self, text: str) -> None:
        """Append `text`. What a full disk has cut in the middle of a line is ended before the next one."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            size = self._open()
            if size and size + len(data) > self._max_bytes:
                self._rotate()
                self._open()
            if self._is_torn:
                data = b"\n" + data
            self._append(data)
        except OSError:
            with contextlib.suppress(OSError):
                self.close()
            raise

    def _append(self, data: bytes) -> None:
        while data:
            written = os.write(self._fd, data)
            self._is_torn = data[written - 1] != NEWLINE
            data = data[written:]

    def close(self) -> None:
        """Let go of the file; a later write opens it again."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _open(self) -> int:
        """Have the file that the path names open, and return its size."""
        if self._fd >= 0:
            ours = os.fstat(self._fd)
            with contextlib.suppress(FileNotFoundError):
                named = self._path.lstat()
                if (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino):
                    return ours.st_size
            self.close()
        self._path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # O_NOFOLLOW: whoever may write into the folder must not lead the agent's lines into another file.
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
        opened = os.fstat(self._fd)
        if opened.st_mode & 0o777 != MODE:
            os.fchmod(self._fd, MODE)
        return opened.st_size

    def _rotate(self) -> None:
        """Move each file one number up. What cannot be moved stays: a log that is too long beats none."""
        self.close()
        with contextlib.suppress(OSError):
            if self._max_old < 1:
                self._path.unlink()
                return
            for number in range(self._max_old - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    self._old(number).replace(self._old(number + 1))
            self._path.replace(self._old(1))

    def _old(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

"""Reads on in a log file: what is there, then what comes; a file that is rotated away is followed by its successor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from agent.errors import ExitStatus, OperatorError


class FollowedLog:
    """Implements `iadmin.commands.tools.FollowedLog`. Lines of a traceback, which are indented, stay with their line.

    The file need not be there yet. `read` raises `OperatorError` for one that may not be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._torn = b""

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def read(self) -> Sequence[str]:
        """The lines that have come since the last call, without their ends."""
        self._file = self._file or self._opened()
        if self._file is None:
            return []
        data = self._torn + self._file.read()
        if self._is_replaced(self._file):
            self._file.close()
            self._file = self._opened()
            data += self._file.read() if self._file is not None else b""
        whole, _, self._torn = data.rpartition(b"\n")
        lines: list[str] = []
        for line in whole.decode("utf-8", "backslashreplace").split("\n") if whole else ():
            if line.startswith("    ") and lines:
                lines[-1] += f"\n{line}"
            else:
                lines.append(line)
        return lines

    def _opened(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise OperatorError(
                "log-not-readable",
                f"{self._path}: this account may not read the log; say it as the user the agent runs as, or root",
                exit_status=ExitStatus.NO_PERMISSION,
            ) from error

    def _is_replaced(self, file: BinaryIO) -> bool:
        """Rotated away, or cut."""
        ours = os.fstat(file.fileno())
        try:
            named = self._path.stat()
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino) or named.st_size < file.tell()

"""One agent per home: an exclusive `flock` on `var/run/agent.pid`, with the pid inside for people and for `iadmin`.

The lock belongs to the open file: the kernel drops it when the process ends, however it ends, so a file left behind by
`kill -9` blocks nobody and needs no guessing whether its pid is still the agent's. The file itself is never removed:
whoever unlinks a locked file lets a third process lock a new one beside it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.errors import ExitStatus, MachineError

NOBODY: Final = b"\n"
"""What a released file holds."""

TRIES: Final = 10
PAUSE_S: Final = 0.02
"""A reader (`running_pid`) holds a shared lock for some microseconds; an agent that starts in that moment looks again
instead of taking the reader for an agent. A real second agent is refused after a fifth of a second."""


class HomeLock:
    """The lock on one home. `path` is `<home>/var/run/agent.pid`.

    `acquire` before anything else is started, `release` when everything has stopped. Not reentrant. `pause` is called
    between tries with a number of seconds.
    """

    def __init__(self, path: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._pause = pause
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock and write our pid; raise `MachineError` when another agent has it or the file is refused."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MachineError(
                "lock-file",
                f"cannot open {str(self._path)!r} ({error.strerror}); the agent's user must be able to write there",
                exit_status=ExitStatus.CANNOT_CREATE,
            ) from error
        try:
            self._lock(descriptor)
            self._write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(MachineError):
            self._write(self._descriptor, NOBODY)
        os.close(self._descriptor)
        self._descriptor = -1

    def _write(self, descriptor: int, line: bytes) -> None:
        """Over what is there, and only then cut off: the file keeps its block, for a start on a full disk."""
        try:
            os.pwrite(descriptor, line, 0)
            os.ftruncate(descriptor, len(line))
        except OSError as error:
            raise MachineError(
                "lock-file",
                f"cannot write {str(self._path)!r} ({error.strerror}); free some space on its disk, or check the disk",
                exit_status=ExitStatus.CANNOT_CREATE,
            ) from error

    def _lock(self, descriptor: int) -> None:
        for tries_left in reversed(range(TRIES)):
            if _try_lock(descriptor, fcntl.LOCK_EX):
                return
            if tries_left:
                self._pause(PAUSE_S)
        pid = _read_pid(descriptor)
        home = self._path.absolute().parents[2]
        raise MachineError(
            "already-running",
            f"another agent{f' (pid {pid})' if pid else ''} already runs on {home}; "
            f'stop it with "iadmin --home {home} stop"',
        )


def running_pid(path: Path) -> int | None:
    """Return the pid of the agent that holds the lock at `path`, None when none does.

    0 stands for an agent that has the lock and has not written its pid yet. Raises `OSError` when the file exists and
    cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return _read_pid(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _read_pid(descriptor: int) -> int:
    digits = os.pread(descriptor, 32, 0).strip()
    return int(digits) if digits.isdigit() else 0

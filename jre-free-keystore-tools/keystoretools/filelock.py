"""One writer at a time: an exclusive `flock` on a file beside the store, gone again when the work is done.

The kernel drops the lock when its process ends, however it ends, so what `kill -9` leaves behind blocks nobody.  The
file can be removed because every holder makes sure, after it got the lock, that the name still leads to the file it
has locked; if not, somebody removed it meanwhile, and the next try is on the new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from keystoretools.errors import ErrorCode, FileError

PATIENCE_S: Final = 10.0
"""A change takes tenths of a second (key derivation included); a human at a prompt must not hold the lock at all."""

PAUSE_S: Final = 0.05


@contextlib.contextmanager
def hold(
    lock: Path,
    *,
    path: Path,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold `lock`; `path` is what the sentences call it.  `clock` and `pause` count seconds.

    Raises FileError file-busy after `patience_s`, and OSError when the file is refused.  Not reentrant.
    """
    deadline = clock() + patience_s
    while (descriptor := _try(lock)) is None:
        if clock() >= deadline:
            raise FileError(
                f"Process {_holder(lock) or '(unknown)'} is changing {str(path)!r}; nothing was written. Try again when"
                " it is done.",
                code=ErrorCode.FILE_BUSY,
                path=str(path),
            )
        pause(PAUSE_S)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _try(lock: Path) -> int | None:
    """A descriptor that holds the lock, or None while another one does."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _same(descriptor, lock):
            # For the sentence of those who wait; a full disk must not keep anybody from the lock.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
            return descriptor
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    os.close(descriptor)
    return None


def _same(descriptor: int, lock: Path) -> bool:
    mine = os.fstat(descriptor)
    try:
        there = lock.lstat()
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _holder(lock: Path) -> str:
    try:
        text = lock.read_bytes()[:20].strip()
    except OSError:
        return ""
    return text.decode("ascii") if text.isdigit() else ""

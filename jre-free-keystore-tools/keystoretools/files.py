"""Keystore files on the disk: the one module of this package that touches it.

Saving is all or nothing.  Whatever is killed, full or cut off, the path holds the old store or the new one, whole:

1. a backup with the time in its name (another name for the old octets: it costs no space and cannot be half made),
2. a temporary file beside the store, mode 0600 from its first octet, written, flushed to the disk,
3. read back and compared, and looked at by the caller's `check`,
4. owner and mode of the old store,
5. renamed over the store; the folder flushed to the disk.

Whoever changes a store holds `locked(path)` from reading to saving::

    with files.locked(path):
        data = files.load(path)
        files.save(path, changed(data), expected=data, now=now)

Symbolic links are followed, not replaced.  Only `KeystoreError` leaves this module (`FileError` for all that the
system refuses).
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from keystoretools import filelock
from keystoretools.errors import CorruptError, ErrorCode, FileError, quoted
from keystoretools.limits import Limits, check

__all__ = ["Saved", "load", "locked", "save"]

AnyPath = str | os.PathLike[str]
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# A second name is refused: no hard links in this file system, or to files of others (protected_hardlinks).
_NO_LINK: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_MOST_BACKUPS_A_SECOND: Final = 1000


@attrs.frozen(kw_only=True)
class Saved:
    """What `save` did: `backup` is the path of the old octets, None when there were none; `created`: there was none."""

    path: Path
    backup: Path | None = None
    created: bool = False


def load(path: AnyPath, *, limits: Limits | None = None) -> bytes:
    """The octets of a file; pipes are read too.

    Raises FileError (no-such-file, naming a file of nearly that name; file-refused), LimitError before anything is
    read when it is larger than `limits.file_bytes`.
    """
    path, most = Path(path), (limits or Limits()).file_bytes
    name = "a file with a size in octets"
    try:
        with path.open("rb", buffering=0) as file:
            check(name, os.fstat(file.fileno()).st_size, most)
            octets = bytearray()
            while chunk := file.read(min(1 << 20, most + 1 - len(octets))):
                octets += chunk
    except OSError as error:
        raise _refused(error, path, "read") from error
    check(name, len(octets), most)
    return bytes(octets)


@contextlib.contextmanager
def locked(path: AnyPath, *, patience_s: float = filelock.PATIENCE_S) -> Iterator[None]:
    """Nobody else who asks changes the store at `path` meanwhile; waits for them up to `patience_s` seconds.

    Takes away what a killed writer left behind.  Programs that do not ask (keytool) are caught by `save(expected=)`.
    Raises FileError file-busy, naming the process that has it; no-such-file when the folder is not there.
    """
    path = Path(path)
    target = _target(path)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(filelock.hold(target.with_name(target.name + ".lock"), path=path, patience_s=patience_s))
            _sweep(target)
        except OSError as error:
            raise _refused(error, path, "lock") from error
        yield


def save(
    path: AnyPath,
    data: bytes,
    *,
    now: datetime,
    backup: bool = True,
    create: bool = False,
    expected: bytes | None = None,
    check: Callable[[bytes], object] | None = None,
) -> Saved:
    """Put `data` at `path`, all or nothing; call it inside `locked(path)`.

    `now`: for the name of the backup, in its own zone.  `create`: there may be no file yet (a new one gets mode 0600);
    without it a mistyped path makes no new store.  `expected`: what `load` gave; when the file holds something else by
    now, another program changed it and nothing is written.  `check` is given the octets read back from the disk and
    raises a KeystoreError when they are not what they should be.
    Raises FileError (no-such-file, file-exists for things that are no file, file-changed, disk-full, file-refused),
    CorruptError when the disk gives back other octets, and what `check` raises.
    """
    path = Path(path)
    target = _target(path)
    made: list[Path] = []
    try:
        old = _status(target, path)
        _require(old, expected, target, path, create=create)
        copy = None
        if backup and old is not None:
            copy = _back_up(target, old, now)
            made.append(copy)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        made.append(temporary)
        _write(temporary, data, old)
        again = load(temporary, limits=Limits(file_bytes=len(data)))
        if again != data:
            raise CorruptError(
                f"The disk gave back other octets than were written to {str(path)!r}; nothing is changed."
            )
        if check is not None:
            check(again)
        temporary.rename(target)
    except OSError as error:
        _remove(made)
        raise _refused(error, path, "write") from error
    except BaseException:
        _remove(made)
        raise
    _sync_folder(target.parent, path)
    return Saved(path=path, backup=copy, created=old is None)


def _target(path: Path) -> Path:
    """The file itself, links followed: the rename must replace the file, not the link."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise FileError(
            f"The path {str(path)!r} leads in a circle of links.", code=ErrorCode.FILE_REFUSED, path=str(path)
        ) from error


def _status(target: Path, path: Path) -> os.stat_result | None:
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file"
        raise FileError(f"{str(path)!r} is {what}, not a keystore.", code=ErrorCode.FILE_EXISTS, path=str(path))
    return found


def _require(old: os.stat_result | None, expected: bytes | None, target: Path, path: Path, *, create: bool) -> None:
    if old is None and not create:
        raise _missing(path)
    if expected is not None and (old is None or target.read_bytes() != expected):
        raise FileError(
            f"Another program changed {str(path)!r} meanwhile; nothing was written. Do it again on what is there now.",
            code=ErrorCode.FILE_CHANGED,
            path=str(path),
        )


def _back_up(target: Path, old: os.stat_result, now: datetime) -> Path:
    """Keep the old octets under `.keystore.20261120-181530.bak`; a name that is taken gets a number."""
    for number in range(1, _MOST_BACKUPS_A_SECOND):
        copy = target.with_name(f"{target.name}.{now:%Y%m%d-%H%M%S}{f'-{number}' * (number > 1)}.bak")
        try:
            os.link(target, copy)
        except FileExistsError:
            continue
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if copy.exists():
                continue
            _copy(target, copy, old)
        return copy
    raise FileExistsError(errno.EEXIST, "too many backups in one second", str(target))


def _copy(target: Path, copy: Path, old: os.stat_result) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        _write(temporary, load(target, limits=Limits(file_bytes=old.st_size)), old)
        temporary.rename(copy)
    except BaseException:
        _remove([temporary])
        raise


def _write(temporary: Path, data: bytes, old: os.stat_result | None) -> None:
    """A new file with these octets, on the disk, with the owner and mode of the old one."""
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        if old is not None:
            _take_over(descriptor, old)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Owner, group and mode; where the group cannot be had, it loses its rights rather than another group gets them."""
    mode = stat.S_IMODE(old.st_mode) & 0o777
    mine = os.fstat(descriptor)
    if mine.st_uid != old.st_uid:
        os.fchown(descriptor, old.st_uid, -1)
    if mine.st_gid != old.st_gid:
        try:
            os.fchown(descriptor, -1, old.st_gid)
        except PermissionError:
            mode &= ~0o070
    os.fchmod(descriptor, mode)


def _sync_folder(folder: Path, path: Path) -> None:
    """The new name survives a power cut only when the folder is on the disk, too."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EACCES):  # not possible there; the new store itself is on the disk
            return
        raise FileError(
            f"{str(path)!r} holds the new store, but the disk reported an error ({error.strerror}): after a power cut"
            " it may be the old one again. Look at the disk.",
            code=ErrorCode.FILE_REFUSED,
            path=str(path),
        ) from error


def _sweep(target: Path) -> None:
    """Remove temporary files of a writer that was killed; nobody else writes while the lock is held."""
    ours = re.compile(re.escape(f".{target.name}.") + "[0-9a-f]{16}\\.tmp")
    _remove([there for there in target.parent.iterdir() if ours.fullmatch(there.name)])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _missing(path: Path) -> FileError:
    folder = path.parent
    if not folder.is_dir():
        sentence = f"There is no folder {str(folder)!r}; nothing was created."
        return FileError(sentence, code=ErrorCode.NO_SUCH_FILE, path=str(path))
    near: list[str] = []
    with contextlib.suppress(OSError):
        near = difflib.get_close_matches(path.name, [there.name for there in folder.iterdir()], n=1, cutoff=0.7)
    hint = f" Did you mean {str(folder / near[0])!r}?" if near else ""
    return FileError(f"There is no file {str(path)!r}.{hint}", code=ErrorCode.NO_SUCH_FILE, path=str(path))


def _refused(error: OSError, path: Path, verb: str) -> FileError:
    """The sentence for what the system said; nothing of the old store is lost in any of these cases."""
    shown = str(path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _missing(path)
    if error.errno in _FULL:
        return FileError(
            f"The disk is full or the quota used up: {shown!r} could not be written and is as it was.",
            code=ErrorCode.DISK_FULL,
            path=shown,
        )
    if isinstance(error, IsADirectoryError):
        return FileError(f"{shown!r} is a folder, not a keystore.", code=ErrorCode.FILE_EXISTS, path=shown)
    reason = quoted(error.strerror or str(error))[1:-1]
    cure = " Run it as the user that owns the file." if isinstance(error, PermissionError) else ""
    kept = "" if verb == "read" else "; it is as it was"
    return FileError(f"Cannot {verb} {shown!r}: {reason}{kept}.{cure}", code=ErrorCode.FILE_REFUSED, path=shown)

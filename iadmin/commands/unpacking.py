"""A home made of a backup, whole or not at all. Somebody else may have made the file, so nothing in it is believed."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.archive import PRIVATE_FILE, PRIVATE_FOLDER
from iadmin.text import size

GIB: Final = 1024**3
MAX_GIB: Final = 16
"""Of a home, unless `--max-size` says otherwise. The bounds of a spool leave room for 5 GiB. gzip packs a thousand to
one, so that a file of 16 MiB, which mail lets through, fills 16 GiB, and a full disk stops the agents on it. Readers of
archives have such bounds: ClamAV 400 MiB, Apache POI 100 to 1."""
SPARE_BYTES: Final = 256 * 1024**2
"""Left free on the disk: below that, an agent takes nothing in (`min-free-bytes`)."""
MAX_FILES: Final = 1_000_000
"""Each takes an inode and a sync of the disk. A home has some hundred."""
MAX_PIECE_BYTES: Final = 16 * 1024**2
"""Read in one go: `tarfile` takes as much memory for a name as the archive says that it is long."""
MAX_REST_BYTES: Final = 1024**2
"""Behind the end of the archive: `tar` fills its last record with zeros, of 10 KiB usually."""


class _Plain:
    """What the compressed file unpacks to, as far as `tarfile` reads it. Raises `OperatorError` beyond what is sane."""

    def __init__(self, file: gzip.GzipFile, archive: Path) -> None:
        self._file = file
        self._archive = archive
        self.tell: Final = file.tell
        self.seek: Final = file.seek

    def read(self, count: int) -> bytes:
        if count > MAX_PIECE_BYTES:
            raise _no_archive(self._archive, f"it has a name of {size(count)} in it")
        return self._file.read(count)


class _Room:
    """What may still be made."""

    def __init__(self, archive: Path, folder: Path, max_bytes: int) -> None:
        self._archive = archive
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._free = max(0, shutil.disk_usage(folder).free - SPARE_BYTES)
        self._files = MAX_FILES

    def take(self, member: tarfile.TarInfo) -> None:
        """Count one more. Raises `OperatorError`."""
        self._left -= member.size
        self._free -= member.size
        self._files -= 1
        if self._files < 0:
            raise _no_archive(self._archive, f"it holds more than {MAX_FILES} files and folders")
        if self._left < 0:
            raise OperatorError(
                "backup-too-large",
                f"{self._archive} unpacks to more than {size(self._max_bytes)}, more than a home usually takes; "
                "where it is known to be that large, say --max-size GIB; nothing was made",
                exit_status=ExitStatus.DATA,
            )
        if self._free < 0:
            raise OperatorError(
                "no-room",
                f"{self._archive} unpacks to more than the disk has room for, less {size(SPARE_BYTES)} that are left "
                "to agents; make room, or name a folder on another disk; nothing was made",
                exit_status=ExitStatus.CANNOT_CREATE,
            )


def unpack(archive: Path, home: Path, done: Callable[[int], object], *, max_bytes: int) -> int:
    """Make a home of an archive; return the number of files. `done` hears the bytes of the archive read so far.

    Everything comes to lie in a folder beside `home`, which takes that name when it is whole. Raises `OperatorError`
    for what is no such archive or too large, and `OSError`.
    """
    beside = home.with_name(f".{home.name}.partial")
    beside.mkdir(mode=PRIVATE_FOLDER)
    try:
        with archive.open("rb") as file, gzip.open(file) as plain:
            room = _Room(archive, beside, max_bytes)
            count = _unpack(_Plain(plain, archive), beside, room, archive, lambda: done(file.tell()))
            # The checksum stands at the very end, and tells of everything before.
            if len(plain.read(MAX_REST_BYTES)) == MAX_REST_BYTES:
                raise _no_archive(archive, "something else follows behind its end")
        if not (beside / "conf").is_dir():
            raise _no_archive(archive, "there is no conf/ in it")
        if home.exists():
            home.rmdir()
        beside.rename(home)
    except gzip.BadGzipFile as error:
        raise _no_archive(archive, f"it is damaged ({error})") from error
    except (tarfile.TarError, EOFError, ValueError, zlib.error) as error:
        raise _no_archive(archive, str(error)) from error
    except RecursionError as error:  # `tarfile` goes one deeper for each header that speaks of the next one
        raise _no_archive(archive, "headers speak of headers in it, without end") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def _unpack(plain: _Plain, home: Path, room: _Room, archive: Path, done: Callable[[], object]) -> int:
    count = 0
    with tarfile.open(fileobj=plain, mode="r:") as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            # It keeps all that it has seen, for links, which are refused here.
            tar.members.clear()
            room.take(member)
            count += _take(tar, member, home, archive)
            done()
    return count


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, home: Path, archive: Path) -> int:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise _no_archive(archive, f"{member.name!r} in it leads out of the home")
    path = home / name
    if member.isdir():
        _make_folders(home, name)
        return 0
    source = tar.extractfile(member) if member.isreg() else None
    if source is None:
        raise _no_archive(archive, f"{member.name!r} in it is neither a file nor a folder")
    if path.exists() or any((home / one).is_file() for one in name.parents):
        raise _no_archive(archive, f"{member.name!r}, or a file in its way, is in it twice")
    _make_folders(home, name.parent)
    with path.open("xb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    # What others may do is the umask's and the operator's business; who may run a script of theirs stays.
    path.chmod(PRIVATE_FILE | (member.mode & stat.S_IXUSR))
    return 1


def _make_folders(home: Path, name: PurePosixPath) -> None:
    """Each for its owner only; `mkdir(parents=True)` would leave those on the way to the umask."""
    for folder in (*reversed(name.parents), name):
        (home / folder).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def _no_archive(archive: Path, found: str) -> OperatorError:
    return OperatorError(
        "not-a-backup",
        f"{archive} is no backup of an agent home, or it was cut off: {found}; name a file that "
        '"iadmin backup" has written; nothing was made',
        exit_status=ExitStatus.DATA,
    )

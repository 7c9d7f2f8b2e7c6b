"""A home in one file: a gzipped tar, written whole or not at all.

Only files and folders go in. What only counts while an agent runs (`var/run`), logs and the spool's own
files stay out; the spool comes as a copy that is one moment's state.
"""

from __future__ import annotations

import contextlib
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import attrs

SPOOL_FILE: Final = "var/spool/spool.db"
LEFT_OUT: Final = ("var/run", "var/log", "var/spool")
EMPTY: Final = ("var/run", "var/log", "var/spool")
"""Folders that the agent expects, and that are in the archive without what is in them."""
COMPRESSION: Final = 1
"""Most is XML, which shrinks well at any level, and the machine has other work."""
PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600


@attrs.frozen(kw_only=True)
class Kept:
    """What is to go into an archive: files by their name in it, and what was found and is not taken."""

    files: tuple[tuple[str, Path], ...]
    passed_over: tuple[str, ...]


def files_of(home: Path) -> Kept:
    """The files of a home that make it up; links to files count as files, links to folders are passed over."""
    files: list[tuple[str, Path]] = []
    passed_over: list[str] = []
    for folder, folders, names in os.walk(home):
        place = PurePosixPath(Path(folder).relative_to(home))
        folders[:] = sorted(name for name in folders if str(place / name) not in LEFT_OUT)
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        passed_over += [str(place / name) for name in linked]
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file():
                files.append((str(place / name), path))
            else:
                passed_over.append(str(place / name))
    return Kept(files=tuple(files), passed_over=tuple(passed_over))


def pack(target: Path, kept: Kept, spool: Path | None, done: Callable[[int], object]) -> int:
    """Write the archive, 0600 and synced, under its name only when it is whole; return its size in bytes.

    `spool` is the copy of the database, None where there is none; `done` hears how many files are in. Raises
    `FileExistsError` where `target` exists, and `OSError`.
    """
    beside = target.with_name(f".{target.name}.partial")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=COMPRESSION, dereference=True) as tar:
                for name in EMPTY:
                    tar.addfile(_folder(name))
                for number, (name, path) in enumerate(kept.files, 1):
                    # What a running agent has fetched or replaced meanwhile is no loss.
                    with contextlib.suppress(FileNotFoundError):
                        _add(tar, name, path)
                    done(number)
                if spool is not None:
                    _add(tar, SPOOL_FILE, spool)
                    done(len(kept.files) + 1)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a rename would replace what somebody made meanwhile.
        os.link(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return target.stat().st_size


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as file:
        tar.addfile(tar.gettarinfo(arcname=name, fileobj=file), file)


def _folder(name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.mode = tarfile.DIRTYPE, PRIVATE_FOLDER
    return made


def outside_of(home: Path, settings: object) -> Iterator[Path]:
    """The files that a configuration names and that do not lie in the home, so that no backup of it holds them."""
    seen: set[Path] = set()
    for path in _paths(settings):
        if path.is_absolute() and not path.is_relative_to(home) and path not in seen:
            seen.add(path)
            yield path


def _paths(value: object) -> Iterator[Path]:
    kind = type(value)
    if isinstance(value, os.PathLike):
        yield Path(value)
    elif attrs.has(kind):
        for field in attrs.fields(kind):
            yield from _paths(getattr(value, field.name))
    elif isinstance(value, tuple | list | frozenset):
        for one in value:
            yield from _paths(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _paths(one)

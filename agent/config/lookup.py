"""What reading a configuration asks of the disk, and how paths in it are meant.

The readers stay pure: they ask `Files`, which `agent.config.files` answers from the disk and tests from a dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath, PurePosixPath
from typing import Protocol

import attrs

from agent.config.problem import shown
from agent.config.values import Unfit, text


@attrs.frozen(kw_only=True)
class Found:
    """A file's content, or in `trouble` the end of a sentence that begins with its name: `does not exist`."""

    data: bytes = b""
    trouble: str = ""
    readable_by_others: bool = False


class Files(Protocol):
    """The disk, as far as reading a configuration needs it. Nothing here raises."""

    def read(self, path: PurePath, *, max_bytes: int) -> Found:
        """Return the content of a regular file; a larger one is trouble."""

    def trouble(self, path: PurePath) -> str:
        """Return why `path` cannot be read as a regular file, or an empty text."""

    def folder_trouble(self, path: PurePath) -> str:
        """Return why `path` cannot be used as a folder, or an empty text."""

    def names(self, folder: PurePath) -> Sequence[str]:
        """Return the names in a folder, sorted; none for a folder that cannot be read."""


def slashed(value: str) -> str:
    """Read a path in the spelling of Unix or Windows; a drive letter has no meaning here."""
    text(value)
    if len(value) > 1 and value[1] == ":" and value[0].isalpha():
        raise Unfit(f"{shown(value)} begins with a drive letter; write the path as it is on this machine")
    return value.replace("\\", "/")


def resolved(base: PurePath, value: str) -> PurePath:
    """Return `value`, taken from `base` unless absolute, without `.` and `..`; symbolic links are not followed."""
    path = PurePosixPath(base, value)
    parts: list[str] = []
    for part in path.parts:
        if part != "..":
            parts.append(part)
        elif len(parts) > 1:
            parts.pop()
    return PurePosixPath(*parts)


def doubled_folder(path: PurePath, folder: PurePath, files: Files) -> str:
    """Return a hint for a path that was written as from the home (`conf/server.pem`) where it starts at `folder`."""
    doubled = folder / folder.name
    if not path.is_relative_to(doubled) or files.trouble(folder / path.relative_to(doubled)):
        return ""
    return f"; relative paths start at {folder.name}/, so write {shown(str(path.relative_to(doubled)))}"


def relative_name(path: PurePath, home: PurePath) -> str:
    """Return a path as sentences name it: from the home where it lies in it, else whole."""
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)

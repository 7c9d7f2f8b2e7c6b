"""Paths as people copy them: with Windows separators, or with the separators eaten by a shell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# Folders looked at for the hint below; a wide tree must not make an error message slow.
_MOST_FOLDERS: Final = 200


def native(cwd: Path, name: str) -> Path:
    """The file that `name` means, relative to `cwd`.

    Where backslashes do not separate folders they are read as separators, unless a file of exactly that name is there.
    """
    path = cwd / name
    if "\\" in name and os.sep != "\\" and not path.exists():
        return cwd / name.replace("\\", "/")
    return path


def swallowed_separators(cwd: Path, name: str) -> str | None:
    r"""A file below `cwd` whose path without separators is `name`: what a shell makes of an unquoted `conf\new.pfx`."""
    if "/" in name or "\\" in name:
        return None
    left = [_MOST_FOLDERS]
    found = _below(cwd, name, left, 0)
    return None if found is None else str(found.relative_to(cwd))


def _below(folder: Path, rest: str, left: list[int], depth: int) -> Path | None:
    left[0] -= 1
    if left[0] < 0 or depth > 8:
        return None
    try:
        names = [entry.name for entry in os.scandir(folder) if rest.startswith(entry.name)]
    except OSError:
        return None
    for name in names:
        path = folder / name
        if name == rest and path.is_file():
            return path
        if len(name) < len(rest) and path.is_dir():
            found = _below(path, rest[len(name) :], left, depth + 1)
            if found is not None:
                return found
    return None

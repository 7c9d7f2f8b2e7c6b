"""The files that a service's code is made of: whether they have changed since a worker was started with them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.config.model import ServiceConfig

MOST: Final = 2000
"""Of modules beside a script; some services carry their libraries with them."""


def stamps_of(config: ServiceConfig) -> tuple[tuple[str, int, int, int], ...]:
    """Name, time of change, size and number of the descriptor, the script, and the Python files beside and below it.

    Blocks. What else lies there (data, logs) a service may write itself, so it does not count.
    """
    return tuple(_stamps(Path(config.descriptor), Path(config.script)))


def _stamps(descriptor: Path, script: Path) -> Iterator[tuple[str, int, int, int]]:
    for number, path in enumerate(sorted({descriptor, script, *_modules(script.parent)})):
        if number >= MOST:
            return
        try:
            found = path.stat()
        except OSError:
            continue
        yield str(path), found.st_mtime_ns, found.st_size, found.st_ino


def _modules(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from (Path(parent, name) for name in names if name.endswith(".py"))

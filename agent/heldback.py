"""Names that the operator holds back over restarts, as small files under `var/` keep them: a JSON list. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

MAX_BYTES: Final = 1024 * 1024
"""500 services with names of 257 characters are a tenth of it."""

BOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "suspended.json": ("no service is suspended", "iadmin suspend"),
    "refusing.json": ("no service refuses its events", "iadmin suspend --refuse"),
    "paused.json": ("no destination is paused", "iadmin destination pause"),
}
"""File -> what follows when it cannot be read, and what writes it anew."""


def names_in(data: bytes) -> frozenset[str]:
    """Read a file. Raises `ValueError` with the end of a sentence that begins with the file's name."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes, the limit for it")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError('is not a list of names such as ["applications|sample-plan"]')
    return frozenset(found)


def file_of(names: Iterable[str]) -> bytes:
    """Write a file."""
    return json.dumps(sorted(names)).encode("ascii")


def consequence(file: str) -> str:
    """What the operator should know and do about a file that cannot be read: the end of a sentence."""
    what, command = BOOKS.get(file, ("nothing is held back", ""))
    return f"so {what}" + (f'; where that was not meant, "{command}" writes it anew' if command else "")

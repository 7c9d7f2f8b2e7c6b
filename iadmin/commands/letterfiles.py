"""Dead letters written out: as JSON lines, or as a folder with a file for each body."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.editor import SUFFIXES, kind_of

INDEX: Final = "index.jsonl"
NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
EVENT_FACTS: Final = ("content_type", "charset", "path", "query", "priority", "group", "peer", "received")
REQUEST_FACTS: Final = ("content_type", "method", "path", "headers", "answer", "created")


def letter_facts(letter: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about a letter but its body: the listed facts, and what its event's road knows of it."""
    found = dict(letter)
    number = str(letter["id"]).partition("/")[2]
    if not number:
        return found | {name: event.get(name) for name in EVENT_FACTS} | {"steps": event.get("steps", [])}
    for request in event.get("requests") or ():
        if request.get("id") == letter["id"]:
            return found | {name: request.get(name) for name in REQUEST_FACTS} | {"steps": request.get("steps", [])}
    return found


def with_body(facts: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Facts and body in one: `body` as text where it is UTF-8, else `body_base64`."""
    try:
        return {**facts, "body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {**facts, "body_base64": base64.b64encode(body).decode("ascii")}


class LetterFolder:
    """A new folder, for its owner only: one file for each body, named by whom it was for, and `index.jsonl`."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; raise `OperatorError` (73) when it is there already and not empty."""
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise OperatorError(
                    "not-empty",
                    f"{str(folder)!r} is not empty; nothing is overwritten: name a new folder",
                    exit_status=ExitStatus.CANNOT_CREATE,
                )
        except OSError as error:
            raise OperatorError(
                "no-folder",
                f"the folder {str(folder)!r} cannot be made ({error.strerror})",
                exit_status=ExitStatus.CANNOT_CREATE,
            ) from error

    def add(self, facts: Mapping[str, Any], body: bytes) -> Path:
        """Write one letter; returns the file of its body."""
        kind = kind_of(body, str(facts.get("content_type") or ""))
        whom = str(facts.get("destination") or facts.get("service") or "")
        name = NOT_IN_NAMES.sub("_", f"{whom}-{facts['id']}".replace("/", ".")) + SUFFIXES.get(kind, ".bin")
        path = self._folder / name
        _write_new(path, body)
        with _open_private(self._folder / INDEX, os.O_APPEND) as index:
            index.write(json.dumps({**facts, "file": name}).encode("ascii") + b"\n")
        return path


def _write_new(path: Path, data: bytes) -> None:
    with _open_private(path, os.O_EXCL) as file:
        file.write(data)


def _open_private(path: Path, flags: int) -> Any:
    """Events may hold what is nobody else's business: 0600 from the first moment."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600), "ab")

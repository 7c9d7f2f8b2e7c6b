"""Editing a body with the operator's own editor, and the check before it is stored."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agent.errors import ExitStatus, OperatorError, SenderError
from agent.event import BodyKind
from agent.event.apxmltext import apxml_of
from agent.event.body import BodyReader
from agent.event.xml import parse_xml

MAX_DEPTH: Final = 1000
"""The store checks with the gateway's own limit; this only keeps the parser from running away."""
SUFFIXES: Final = {"xml": ".xml", "json": ".json", "apxml": ".xml"}


def edit_file(path: Path, environ: Mapping[str, str]) -> None:
    """Open `$VISUAL`, `$EDITOR` or `vi` on a file and wait; raise `OperatorError` when it fails."""
    command = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    try:
        status = subprocess.run([*shlex.split(command), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        raise OperatorError(
            "no-editor",
            f"the editor {command!r} cannot be started ({error}); set EDITOR, or give the new body with --file",
            exit_status=ExitStatus.FAILED,
        ) from error
    if status:
        raise OperatorError(
            "editor-failed",
            f"the editor {command!r} ended with status {status}; nothing was changed",
            exit_status=ExitStatus.FAILED,
        )


def kind_of(body: bytes, content_type: str) -> str:
    """`xml`, `json` or `other`, by the content type where it says so, else by the first character."""
    name = content_type.partition(";")[0].strip().lower()
    if name.endswith(("/json", "+json")):
        return "json"
    if name.endswith(("/xml", "+xml")):
        return "xml"
    first = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return {b"<": "xml", b"{": "json", b"[": "json"}.get(first, "other")


def check_event(body: bytes, letter: Mapping[str, Any]) -> None:
    """An event's body must read as what the event is; raise `OperatorError` (65) that says where it does not."""
    kind = str(letter.get("kind") or "")
    if kind not in SUFFIXES:
        return
    try:
        form, root = BodyReader(max_depth=MAX_DEPTH).read(body, letter.get("charset"))
        found = form.value
        if kind == BodyKind.APXML and root is not None:
            apxml_of(root)
            found = kind
    except SenderError as error:
        raise _bad(error.sentence) from None
    if found != kind:
        raise _bad(f"it is {found}, and the event is {kind}")


def check_request(body: bytes, kind: str) -> None:
    """A request's body is checked where it was XML or JSON before: nobody means to break it."""
    try:
        if kind == "xml":
            parse_xml(body, max_depth=MAX_DEPTH)
        elif kind == "json":
            json.loads(body)
    except SenderError as error:
        raise _bad(error.sentence) from None
    except (ValueError, RecursionError) as error:
        raise _bad(f"the JSON cannot be read ({error})") from None


def _bad(reason: str) -> OperatorError:
    return OperatorError("bad-letter", f"the new body cannot be stored: {reason}", exit_status=ExitStatus.DATA)

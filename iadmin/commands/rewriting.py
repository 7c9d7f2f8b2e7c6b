"""A new body for a dead letter: from a file or out of the operator's editor, checked, stored; nothing typed is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from agent.errors import AgentError, ExitStatus, OperatorError
from iadmin.commands.choosing import letter_sentence
from iadmin.commands.editor import SUFFIXES, check_event, check_request, kind_of
from iadmin.commands.letters import Letters
from iadmin.commands.sending import read_file
from iadmin.commands.tools import Tools

Store = Callable[[bytes], None]


def rewritten(tools: Tools, letters: Letters, letter_id: str, file: str | None) -> int | None:
    """Store a new body; returns its size in bytes, None when it is the old one.

    Raises `OperatorError` when the body is not what it was (65), or when the letter is dead no more.
    """
    old = letters.body(letter_id)
    event = letters.event(letter_id.partition("/")[0])
    if old is None or event is None:
        raise _gone(letter_id)
    request = next((each for each in event.get("requests") or () if each.get("id") == letter_id), None)
    content_type = str((event if request is None else request).get("content_type") or "")
    kind = str(event.get("kind") or "") if request is None else kind_of(old, content_type)

    def store(body: bytes) -> None:
        if request is None:
            check_event(body, event)
        else:
            check_request(body, kind)
        with letters.changes() as changes:
            if not changes.edit(letter_id, body):
                raise _gone(letter_id)

    if file is None:
        return _typed(tools, old, letter_id, SUFFIXES.get(kind, ".txt"), store)
    new = read_file(tools, file)
    if new == old:
        return None
    store(new)
    return len(new)


def _typed(tools: Tools, old: bytes, letter_id: str, suffix: str, store: Store) -> int | None:
    """Let the operator type until it can be stored; what was typed in vain stays in its file, which is named."""
    folder = Path(tempfile.mkdtemp(prefix="deadletter-"))
    path = folder / (letter_id.replace("/", ".") + suffix)
    path.touch(mode=0o600)
    path.write_bytes(old)
    try:
        while True:
            tools.edit_file(path)
            new = path.read_bytes()
            if new == old:
                return None
            try:
                store(new)
            except AgentError as error:
                sentence = error.sentence.rstrip(".")
                if tools.ask(f"{sentence}. Edit it again?"):
                    continue
                kept = f"{sentence}; what you wrote is kept in {path}"
                raise OperatorError(error.code, kept, exit_status=error.exit_status) from error
            old = new
            return len(new)
    finally:
        # What is stored, or was never changed, need not lie about.
        if path.read_bytes() == old:
            path.unlink()
            folder.rmdir()


def _gone(letter_id: str) -> OperatorError:
    return OperatorError(
        "no-such-letter",
        f"{letter_sentence(letter_id)} is not dead any more; somebody has replayed or purged it",
        exit_status=ExitStatus.FAILED,
    )

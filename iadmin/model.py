"""What a command comes to, before anybody decides how to show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import attrs

from agent.errors import ExitStatus


class Block(Protocol):
    """A piece of an answer for people: drawn as plain text into files and pipes, with rich on a terminal."""

    def plain(self) -> Iterable[str]:
        """The lines for a file or a pipe: aligned, without colour, nothing cut."""

    def rich(self, width: int) -> object:
        """A rich renderable for a terminal `width` columns wide; rich is imported here and nowhere earlier."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The result of one command.

    `data` is the whole of it as JSON-able values, with keys that stay; `blocks` say the same to a person. `notes` are
    sentences for standard error, shown with either ("the agent is not running ..."). `exit_status` is that of the
    process.
    """

    data: object
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    exit_status: ExitStatus = ExitStatus.OK

"""How far a request has come, so that a failure can be named by its phase, and how its waiting is broken off."""

from __future__ import annotations

import enum
from collections.abc import Awaitable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred

from agent.awaited import as_deferred

Result = TypeVar("Result")


class Phase(enum.StrEnum):
    """What was being done; the texts complete `timed out while ...`."""

    CONNECTING = "connecting"
    PROXY = "asking the proxy"
    HANDSHAKE = "agreeing on TLS"
    WAITING = "waiting for the answer"
    READING = "reading the answer"


@attrs.define(kw_only=True, eq=False)
class Exchange:
    """One try of a request, redirects included. `where` is the URL it has come to, as it may be printed."""

    where: str = ""
    phase: Phase = Phase.CONNECTING
    is_overdue: bool = False
    """Whether it was broken off because its time is over."""
    _waiting: Deferred[Any] | None = None

    def waits(self, what: Awaitable[Result]) -> Deferred[Result]:
        """To be awaited in the place of `what`: this is where `run_out` breaks it off."""
        waiting = self._waiting = as_deferred(what)
        return waiting

    def run_out(self) -> None:
        """Its time is over."""
        self.is_overdue = True
        if self._waiting is not None:
            self._waiting.cancel()

"""Lets services and deliveries stand back while senders keep the agent busy: the rule of `agent.delivery.share`, with
those who wait for their turn. `docs/decisions/0028-senders-come-first.rst` has the reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.boundaries import Counters
from agent.delivery.share import Meter, Share

log = Logger(namespace="agent")

PAUSE_S: Final = 0.002
"""Until it is looked again whether somebody may go on: two or three times in a window of the rule."""


class Sharing:
    """Implements `agent.boundaries.WorkShare`, and is a Part, so that nobody is woken any more at the end.

    Who waits longest is the first to go on. While nobody waits, nothing runs here.
    """

    name: Final = "sharing"

    def __init__(self, *, meter: Meter, reactor: IReactorTime, counters: Counters) -> None:
        self.meter: Final = meter
        self._share = Share(meter)
        self._reactor = reactor
        self._counters = counters
        self._waiting: dict[Callable[[], None], None] = {}
        self._looking: IDelayedCall | None = None

    async def start(self) -> None:
        """There is nothing to begin with."""

    async def stop(self, patience_s: float) -> None:
        """Wake nobody any more."""
        self._waiting.clear()
        if self._looking is not None and self._looking.active():
            self._looking.cancel()

    def came(self) -> None:
        """Events have been taken in."""
        self._share.came()

    def may_begin(self) -> bool:
        """See `WorkShare.may_begin`."""
        return self._share.may_begin()

    def wait(self, wake: Callable[[], None]) -> None:
        """See `WorkShare.wait`."""
        self._waiting[wake] = None
        self._look_later()

    def _look_later(self) -> None:
        if self._looking is None and self._waiting:
            self._looking = self._reactor.callLater(PAUSE_S, self._look)

    def _look(self) -> None:
        self._looking = None
        for wake in list(self._waiting):
            if not self._share.may_begin():
                self._counters.count("work.stood_back")
                break
            # Whoever has to wait again comes after those who had no turn.
            del self._waiting[wake]
            try:
                wake()
            except Exception:
                log.failure("those who wait for their turn could not all be woken")
        self._look_later()

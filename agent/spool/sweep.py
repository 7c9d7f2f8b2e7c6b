"""Has what is over deleted, step by step: a round every minute, a pause after each step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.spool.retention import Retire, Retired

log = Logger(namespace="spool")

ROUND_S: Final = 60.0
"""Between two rounds."""

PAUSE_S: Final = 0.1
"""Between two steps of a round: 1,000 events a second go, which no site brings in for long, and senders have the disk
for themselves nearly all the time."""


class Sweep:
    """`order` gives one step to the writer. `start` once, `stop` in the end."""

    def __init__(self, *, reactor: IReactorTime, order: Callable[[Retire], Awaitable[Retired]]) -> None:
        self._reactor = reactor
        self._order = order
        self._timer: IDelayedCall | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Begin the first round after a while: a start has other things to do."""
        self._wait(ROUND_S, Retire())

    def stop(self) -> None:
        """Order nothing more."""
        self._is_stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _wait(self, pause_s: float, what: Retire) -> None:
        if not self._is_stopped:
            self._timer = self._reactor.callLater(pause_s, self._begin, what)

    def _begin(self, what: Retire) -> None:
        Deferred.fromCoroutine(self._step(what)).addErrback(
            lambda failure: log.failure("deleting what is over failed", failure)
        )

    async def _step(self, what: Retire) -> None:
        try:
            done = await self._order(what)
        except Exception as error:
            # The next round tries again; what the disk says has been logged by the spool.
            log.debug("nothing was deleted: {reason}", reason=error)
            done = Retired()
        self._wait(PAUSE_S if done.next_seq else ROUND_S, Retire(after_seq=done.next_seq))

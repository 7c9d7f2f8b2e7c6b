"""Waiting until a service has nothing in hand."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime


class Quiet:
    """Who waits for that. `busy` tells how many calls there are."""

    def __init__(self, *, busy: Callable[[], int], reactor: IReactorTime) -> None:
        self._busy = busy
        self._reactor = reactor
        self._waiting: list[Deferred[None]] = []

    async def wait(self, patience_s: float | None) -> None:
        """Wait until nothing is in hand, or until patience ends; None: as long as it takes."""
        if not self._busy():
            return
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if patience_s is None:
            await waiting
            return
        timer = self._reactor.callLater(patience_s, self._tell, waiting)
        await waiting
        if timer.active():
            timer.cancel()

    def look(self) -> None:
        """A call has ended: tell them, if it was the last."""
        while self._waiting and not self._busy():
            self._tell(self._waiting[0])

    def release(self) -> None:
        """Nobody need wait any longer."""
        while self._waiting:
            self._tell(self._waiting[0])

    def _tell(self, waiting: Deferred[None]) -> None:
        self._waiting.remove(waiting)
        waiting.callback(None)

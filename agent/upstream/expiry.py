"""Ends what has lasted too long, where all may last equally long: then they end in the order in which they began."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

Thing = TypeVar("Thing")

EARLY_S: Final = 1e-6
"""A timer may be called that much too early, because its time is a rounded difference."""


class Expiry(Generic[Thing]):
    """Calls `expired` for each thing that is still there `after_s` seconds after it was added.

    There is one timer for all of them, and it is not touched when they come and go: a timer for each request of some
    hundred microseconds would be a tenth of its cost.
    """

    def __init__(self, *, reactor: IReactorTime, after_s: float, expired: Callable[[Thing], None]) -> None:
        self._reactor = reactor
        self._after_s: Final = after_s
        self._expired = expired
        self._due: dict[Thing, float] = {}
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._due)

    def add(self, thing: Thing) -> None:
        """Its time begins now; it is not there yet."""
        self._due[thing] = self._reactor.seconds() + self._after_s
        if self._timer is None:
            self._timer = self._reactor.callLater(self._after_s, self._look)

    def drop(self, thing: Thing) -> None:
        """It has ended by itself, or was not there."""
        self._due.pop(thing, None)

    def close(self) -> None:
        """Let go of the timer, unless somebody is still there."""
        if self._timer is not None and not self._due:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now_s = self._reactor.seconds()
        over: list[Thing] = []
        for thing, due_s in self._due.items():
            if due_s > now_s + EARLY_S:
                self._timer = self._reactor.callLater(due_s - now_s, self._look)
                break
            over.append(thing)
        for thing in over:
            # One that has ended may have taken others with it.
            if self._due.pop(thing, None) is not None:
                self._expired(thing)

"""Collects settlements for some milliseconds while there are many, so that one commit takes them together.

A settlement is given on at once where none was lately: one event alone is not made to wait. The others of the next
`PAUSE_S` wait for its end. Nobody but the next attempt hangs on how soon they are on disk: senders have their answers,
and the next of a group is begun before its forerunner is settled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from agent.spool.batch import Change

PAUSE_S: Final = 0.003
"""As long as some commits take. A commit costs the agent about 150 microseconds of CPU, whatever it holds, and an event
that is worked off and delivered is settled twice: at a thousand events a second this makes one commit of six."""


class Gathering:
    """Gives changes to `pass_on`, in order."""

    def __init__(self, *, reactor: IReactorTime, pass_on: Callable[[Change], None]) -> None:
        self._reactor = reactor
        self._pass_on = pass_on
        self._kept: list[Change] = []
        self._timer: IDelayedCall | None = None
        self._next_s = 0.0

    def add(self, change: Change) -> None:
        """A settlement."""
        self._kept.append(change)
        if self._timer is None:
            left_s = self._next_s - self._reactor.seconds()
            if left_s > 0:
                self._timer = self._reactor.callLater(left_s, self._end)
            else:
                self.flush()

    def flush(self) -> None:
        """Give on what was collected, because something comes that must not overtake it."""
        if not self._kept:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._next_s = self._reactor.seconds() + PAUSE_S
        kept, self._kept = self._kept, []
        for change in kept:
            self._pass_on(change)

    def _end(self) -> None:
        self._timer = None
        self.flush()

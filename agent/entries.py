"""What is told of events that are worked off, thousands a second: log lines and happenings, entered together.

To pass one line through Twisted's logger costs 10 microseconds, and to hand a happening to those who watch costs a
lock. Both are paid once for all that come within `PAUSE_S`. One that comes alone is entered at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.boundaries import Feed
from agent.recent import Happening

log = Logger(namespace="agent")

PAUSE_S: Final = 0.01
"""How late a line may be, and its time: the file has it within 200 ms, the spool keeps the times of each attempt."""

MAX_LINES: Final = 1024
"""Entered at the latest when so many wait."""


class Entries:
    """Of all rooms together, so that the lines of one event keep their order. `feed` are those who watch."""

    def __init__(self, *, reactor: IReactorTime, feed: Feed | None = None) -> None:
        self._reactor = reactor
        self._feed = feed
        self._lines: list[tuple[str, str, str]] = []
        self._happenings: list[Happening] = []
        self._timer: IDelayedCall | None = None
        self._next_s = 0.0

    def note(self, room: str, event_id: str, text: str, happening: Happening) -> None:
        """An INFO line of this room about an event, and what has happened to it."""
        self._lines.append((room, event_id, text))
        self._happenings.append(happening)
        if len(self._lines) >= MAX_LINES:
            self.enter()
        elif self._timer is None:
            left_s = self._next_s - self._reactor.seconds()
            if left_s > 0:
                self._timer = self._reactor.callLater(left_s, self._end)
            else:
                self.enter()

    def tell(self, happenings: Sequence[Happening]) -> None:
        """What has happened, where the lines about it are written by others."""
        if self._feed is not None:
            self._feed.tell(happenings)

    def enter(self) -> None:
        """Enter what was noted: something is told that comes after it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        self._next_s = self._reactor.seconds() + PAUSE_S
        lines, self._lines = self._lines, []
        happenings, self._happenings = self._happenings, []
        log.info("{log_entries}", log_entries=lines)
        self.tell(happenings)

    def _end(self) -> None:
        self._timer = None
        self.enter()

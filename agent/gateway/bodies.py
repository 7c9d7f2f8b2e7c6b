"""Whether the body of a request is wanted: by its announced length, and by the memory that all bodies share."""

from __future__ import annotations

from typing import Final

from agent.gateway.budget import SMALL_BYTES, Budget, Pace
from agent.gateway.slot import Slot
from agent.wire import Head
from agent.wire.refusal import too_large_body, too_many_bodies

READ_AND_DROP_BYTES: Final = 64 * 1024
"""A body that is refused from its head is read and dropped up to this size, so that the connection lives on."""


class Bodies:
    """Of one connection, one after the other. Refusals are raised as `SenderError`."""

    __slots__ = ("_budget", "_max_bytes", "_pace")

    def __init__(self, *, max_bytes: int, budget: Budget) -> None:
        self._max_bytes = max_bytes
        self._budget = budget
        self._pace = Pace(0.0)

    def begin(self, head: Head, begun_s: float) -> None:
        """A body is announced; refuse what is too large by itself."""
        if head.length is not None and head.length > self._max_bytes:
            raise too_large_body(self._max_bytes, head.length)
        if head.length is None or head.length > SMALL_BYTES:
            self._pace = Pace(begun_s)

    def may_be_dropped(self, head: Head) -> bool:
        """Whether a body that nobody wants may come all the same: it is short, and the sender does not ask before."""
        return not head.expects_continue and head.length is not None and head.length <= READ_AND_DROP_BYTES

    def admit(self, head: Head) -> None:
        """The request is let in; refuse a body for which there is no memory."""
        if head.length is not None and not self._budget.has_room(head.length):
            raise too_many_bodies()

    def hold(self, slot: Slot, size: int) -> None:
        """Count what is kept of a body, and refuse it where all together are too much."""
        slot.held_bytes += size
        if not self._budget.take(size, of_bytes=slot.held_bytes):
            raise too_many_bodies()

    def crawls(self, slot: Slot, now: float, body_bytes: int) -> bool:
        """Whether a body that is waited for comes too slowly while memory is short."""
        return self._budget.is_tight and slot.held_bytes > SMALL_BYTES and self._pace.crawls(now, body_bytes)

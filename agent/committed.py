"""One event for the spool, and word when it is on disk: for those who have one at a time."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from agent.boundaries import EventSink
from agent.errors import SenderError
from agent.event import Event


def store(sink: EventSink, event: Event) -> Deferred[str]:
    """Offer the event; gives the id under which it is stored, fails with `SenderError` where it is refused."""
    waiting = _Waiting()
    sink.offer(event, waiting)
    return waiting.outcome


class _Waiting:
    def __init__(self) -> None:
        self.outcome: Deferred[str] = Deferred()

    def stored(self, event_id: str) -> None:
        self.outcome.callback(event_id)

    def refused(self, error: SenderError) -> None:
        self.outcome.errback(error)

"""What a report says to those who listen."""

from __future__ import annotations

from agent.boundaries import StoredEvent
from agent.delivery import State
from agent.spool.batch import Report, announced
from tests.spool.support import Sender, event


def test_accepted_events_are_announced_as_never_begun() -> None:
    """In order, with their places, before what an operator has replayed; they are what `StoredEvent` makes."""
    first, second, old = (event(number) for number in (1, 2, 3))
    replayed = StoredEvent(3, old, attempt=2, age_s=1.5)
    report = Report(first_seq=7, accepts=[(first, Sender()), (second, Sender())], replayed=[replayed])
    found = announced(report)
    assert [StoredEvent(7, first), StoredEvent(8, second), replayed] == found
    assert (State.RECEIVED, 0, StoredEvent) == (found[0].state, found[0].attempt, type(found[0]))

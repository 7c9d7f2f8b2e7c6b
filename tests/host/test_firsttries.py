"""The first start of each service: who waits for it, and for how long."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.host.firsttries import START_PATIENCE_S, FirstTries
from tests.support.twisted_results import failure_of, is_waiting, result_of


@attrs.define
class Service:
    """What is waited for."""

    name: str
    first_verdict: Deferred[None] = attrs.field(factory=Deferred)


class Desk:
    """Two services that have been launched."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.tries = FirstTries(self.clock)  # type: ignore[arg-type]
        self.pumps, self.doors = Service("pump-alarms"), Service("doors")
        self.tries.begin([self.pumps, self.doors])

    def wait(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.tries.start())


def test_they_are_over_with_the_last_verdict() -> None:
    """Who asks later does not wait."""
    desk = Desk()
    first = desk.wait()
    desk.pumps.first_verdict.callback(None)
    still = is_waiting(first)
    desk.doors.first_verdict.callback(None)

    result_of(first)
    result_of(desk.wait())
    assert still
    assert [] == desk.clock.getDelayedCalls()


def test_nobody_waits_for_a_service_that_hangs() -> None:
    """After two seconds they are over; a verdict that comes later changes nothing."""
    desk = Desk()
    desk.pumps.first_verdict.callback(None)
    waiting = desk.wait()
    desk.clock.advance(START_PATIENCE_S - 0.1)
    still = is_waiting(waiting)
    desk.clock.advance(0.1)
    desk.doors.first_verdict.callback(None)

    result_of(waiting)
    assert still


def test_who_leaves_takes_nobody_along() -> None:
    """A sender that hangs up ends its own wait only."""
    desk = Desk()
    leaving, staying = desk.wait(), desk.wait()
    leaving.cancel()
    failure_of(leaving)
    desk.pumps.first_verdict.callback(None)
    desk.doors.first_verdict.callback(None)

    result_of(staying)


def test_without_services_there_is_nothing_to_wait_for() -> None:
    """A new home may have none."""
    tries = FirstTries(Clock())  # type: ignore[arg-type]
    tries.begin([])
    result_of(Deferred.fromCoroutine(tries.start()))

"""Deadlines of a connection."""

from agent.config.model import GatewayLimits
from agent.gateway.patience import Patience
from agent.gateway.slot import NEVER

LIMITS = GatewayLimits(header_timeout_s=20, body_timeout_s=10, idle_timeout_s=75, min_body_rate_bytes_s=100)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def patience() -> tuple[Patience, Clock]:
    clock = Clock()
    return Patience(LIMITS, clock, clock.now), clock


def test_a_head_has_its_time_as_a_whole() -> None:
    """The first counts from the connection's start, later ones from their first byte; drops do not prolong it."""
    waits, clock = patience()
    waits.for_first_head()
    clock.now += 5
    waits.for_head()
    assert 1020.0 == waits.read_until
    clock.now += 5
    waits.for_head()
    assert 1020.0 == waits.read_until
    waits.begin()
    waits.for_head()
    assert 1030.0 == waits.read_until


def test_a_body_may_neither_pause_nor_drip() -> None:
    """The longest silence or the minimum rate, whichever ends first."""
    waits, clock = patience()
    waits.begin()
    waits.for_body(0)
    assert 1010.0 == waits.read_until
    clock.now += 9
    waits.for_body(100)
    assert 1011.0 == waits.read_until
    waits.for_body(100_000)
    assert 1019.0 == waits.read_until


def test_rest_counts_from_the_last_answer() -> None:
    """Looking again does not prolong it; while an answer is owed nothing is waited for."""
    waits, clock = patience()
    waits.for_us()
    assert NEVER == waits.read_until
    waits.for_next()
    clock.now += 50
    waits.for_next()
    assert 1075.0 == waits.read_until


def test_a_stop_shortens_what_is_waited_for() -> None:
    """No deadline that is set later passes the end, except for what is only read and dropped."""
    waits, _ = patience()
    waits.for_first_head()
    waits.stop_within(2.0)
    assert 1002.0 == waits.read_until
    waits.begin()
    waits.for_body(0)
    assert 1002.0 == waits.read_until
    waits.for_sender()
    assert 1002.0 == waits.read_until
    waits.hurry(1.0)
    assert 1001.0 == waits.read_until

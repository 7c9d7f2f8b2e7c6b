"""What is entered once for each batch."""

from twisted.logger import LogEvent, globalLogPublisher

from agent.gateway.register import MAX_LINES, Register
from tests.support.gateway import FakeCounters


def entered(register: Register) -> list[LogEvent]:
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    try:
        register.enter()
    finally:
        globalLogPublisher.removeObserver(events.append)
    return events


def test_a_batch_is_one_log_event_with_a_line_for_each() -> None:
    """Each line has its event's id; accepted and repeated events are counted apart."""
    counters = FakeCounters()
    register = Register(counters)
    register.note("a", "accepted 1")
    register.note_repeated("b", "repeated")
    register.note("c", "accepted 2")
    (event,) = entered(register)
    assert [("a", "accepted 1"), ("b", "repeated"), ("c", "accepted 2")] == event["log_lines"]
    assert {("gateway.accepted", ""): 2, ("gateway.repeated", ""): 1} == counters.counts


def test_an_empty_batch_leaves_no_trace() -> None:
    """Commits without a new event are nobody's line."""
    register = Register(FakeCounters())
    register.note("a", "x")
    assert 1 == len(entered(register))
    assert [] == entered(register)


def test_nothing_is_kept_for_ever() -> None:
    """A sink that never says that a batch was told costs no memory."""
    counters = FakeCounters()
    register = Register(counters)
    for _ in range(MAX_LINES):
        register.note("a", "x")
    assert {("gateway.accepted", ""): MAX_LINES} == counters.counts
    assert [] == entered(register)

"""The circuit breaker and the rate: rules, and a courier that obeys them."""

from __future__ import annotations

import pytest

from agent.config.model import RetryPolicy
from agent.delivery import Answer, State
from agent.errors import DestinationError
from agent.upstream import Refusal
from agent.upstream.circuit import Circuit, CircuitState, Rate
from tests.support.twisted_results import result_of
from tests.upstream.test_courier import Desk

POLICY = RetryPolicy(first_delay_s=10.0, factor=2.0, max_delay_s=60.0)


def circuit(failures=3, concurrency=4):
    return Circuit(failures=failures, concurrency=concurrency, policy=POLICY, jitter=lambda: 0.5)


def refused():
    return DestinationError("refused", "nobody listens")


def answered(status, *, retryable=True):
    return Refusal("x", "x", answer=Answer(status=status, where=""), retryable=retryable)


def test_failures_in_a_row_open_it():
    """A success between them begins the count anew."""
    found = circuit()
    for _ in range(2):
        found.failed(refused(), 0)
    found.answered()
    for _ in range(2):
        found.failed(refused(), 0)
    assert CircuitState.CLOSED is found.state
    found.failed(refused(), 100)
    assert (CircuitState.OPEN, 105.0) == (found.state, found.until_s)


def test_one_request_asks_again_and_decides():
    """Its failure opens it for longer, its success closes it."""
    found = circuit()
    for _ in range(3):
        found.failed(refused(), 0)
    assert [False, True, False] == [found.may_begin(4.9, 0), found.may_begin(5, 0), found.may_begin(5, 1)]
    found.failed(refused(), 5)
    assert (CircuitState.OPEN, 15.0) == (found.state, found.until_s)
    assert found.may_begin(15, 0)
    found.answered()
    assert CircuitState.CLOSED is found.state


def test_it_stays_open_as_long_as_the_far_end_asked_for():
    """What the far end said to one request counts for all: probes would be what it asked to be spared."""
    found = circuit(failures=1)
    found.failed(DestinationError("x", "x", after_s=300.0), 0)
    assert 305.0 == found.until_s
    found = circuit(failures=1)
    found.failed(DestinationError("x", "x", after_s=1e6), 0)
    assert 3605.0 == found.until_s


def test_what_has_waited_comes_step_by_step():
    """Width 2 after the probe, one more with each success, never more than the concurrency."""
    found = circuit()
    for _ in range(3):
        found.failed(refused(), 0)
    found.may_begin(5, 0)
    widths = []
    for _ in range(4):
        found.answered()
        widths.append(next(number for number in range(9) if not found.may_begin(6, number)))
    assert [2, 3, 4, 4] == widths


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (refused(), True),
        (answered(503), True),
        (answered(429), True),
        (answered(401), True),
        (answered(403), False),
        (answered(500), False),
        (answered(404, retryable=False), False),
        (DestinationError("unfit-request", "x", retryable=False), False),
    ],
)
def test_what_counts_as_a_failure_of_the_far_end(error, counts):
    """A request that is wrong must not hold up the others."""
    found = circuit(failures=1)
    found.failed(error, 0)
    assert counts is (found.state is CircuitState.OPEN)


def test_it_can_be_switched_off():
    """circuit-failures 0."""
    found = circuit(failures=0)
    for _ in range(100):
        found.failed(refused(), 0)
    assert found.may_begin(0, 3)


def test_the_rate_counts_any_interval():
    """Not only whole ones: two in five seconds are never three."""
    rate = Rate(size=2, interval_s=5.0)
    rate.began(0)
    rate.began(4)
    assert 5.0 == rate.next_s(4.5)
    rate.began(5)
    assert 9.0 == rate.next_s(5)
    assert 10 >= rate.next_s(10)


def test_a_courier_leaves_a_dead_destination_alone_and_drains_gently():
    """Requests that wait cost no attempts meanwhile; the status says why nothing is sent."""
    desk = Desk(policy=POLICY, circuit_failures=2).start()
    for group in "abcdef":
        desk.spool.store(group=group)
    for seq in (1, 2, 3, 4):
        desk.sender.fail(seq, refused())
    begun = len(desk.sender.sent)
    [told] = desk.courier.describe()
    [warning] = told["warnings"]
    assert "open" == told["circuit"]
    assert warning.startswith(
        "destination out: nothing can be sent, it is stored: nobody listens; once that is mended, "
    )
    desk.clock.advance(4.9)
    assert begun == len(desk.sender.sent)
    desk.clock.advance(0.2)
    while desk.sender.in_hand:
        if len(desk.sender.sent) == begun + 1:
            assert 1 == len(desk.sender.in_hand)
        desk.sender.answer(desk.sender.in_hand[0])
    assert "closed" == desk.courier.describe()[0]["circuit"]
    assert {State.DONE} == set(desk.spool.states())
    result_of(desk.stop())


def test_a_courier_keeps_the_rate():
    """At most size per interval, and the rest follows without anybody asking."""
    desk = Desk(exchange_size=2, exchange_interval_s=5.0).start()
    for group in "abcde":
        desk.spool.store(group=group)
    counts = [len(desk.sender.sent)]
    for _ in range(2):
        desk.clock.advance(5)
        for seq in desk.sender.in_hand:
            desk.sender.answer(seq)
        counts.append(len(desk.sender.sent))
    assert [2, 4, 5] == counts


def test_a_blocked_group_is_read_over_by_the_spool():
    """The spool chooses by group: a long line of one group costs the others no pages."""
    desk = Desk()
    for number in range(2000):
        desk.spool.put(group="a" if number < 1990 else f"g{number}")
    desk.start()
    desk.clock.advance(1)
    assert len(desk.spool.reads) < 12
    assert any(read["except_groups"] == ("a",) for read in desk.spool.reads)


def test_a_latecomers_success_does_not_hide_why_the_circuit_is_open():
    """The probe decides, and until then the status says what it waits for."""
    desk = Desk(policy=POLICY, circuit_failures=2).start()
    for group in "abc":
        desk.spool.store(group=group)
    desk.sender.fail(1, refused())
    desk.sender.fail(2, refused())
    desk.sender.answer(3)
    [told] = desk.courier.describe()
    assert ("open", True) == (told["circuit"], "it is stored: nobody listens; once" in told["warnings"][0])

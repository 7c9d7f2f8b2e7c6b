"""Backoff with full jitter, and the limits of patience."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.model import RetryPolicy
from agent.delivery.retry import MAX_PAUSE_S, MAX_RETRY_AFTER_S, bound_s, delay_s, remaining_s, why_give_up

POLICY = RetryPolicy(first_delay_s=1.0, factor=2.0, max_delay_s=60.0, max_attempts=5, max_age_s=3600.0)


@pytest.mark.parametrize(("attempt", "expected"), [(1, 1.0), (2, 2.0), (6, 32.0), (7, 60.0), (10**6, 60.0)])
def test_the_bound_doubles_up_to_the_cap(attempt, expected):
    """The bound grows by the factor with each attempt and never passes the cap, however many attempts there were."""
    assert expected == bound_s(POLICY, attempt=attempt)


@given(attempt=st.integers(0, 10**6), jitter=st.floats(0, 1, exclude_max=True))
def test_a_delay_lies_between_the_least_and_the_bound(attempt, jitter):
    """Full jitter: nearly the whole range to the bound is used, but nothing is ever tried again at once."""
    assert 0.2 <= delay_s(POLICY, attempt=attempt, jitter=jitter) <= bound_s(POLICY, attempt=attempt)


def test_the_jitter_is_used():
    """Half the jitter gives half the delay."""
    assert delay_s(POLICY, attempt=4, jitter=0.5) == 4.0


def test_what_the_other_side_asked_for_is_a_lower_limit():
    """A Retry-After is kept, with the jitter on top."""
    assert delay_s(POLICY, attempt=1, jitter=0.25, asked_s=30.0) == 30.25


@pytest.mark.parametrize(("asked_s", "expected"), [(1e12, MAX_PAUSE_S + 0.2), (-5.0, 0.2)])
def test_a_pause_that_makes_no_sense_is_bounded(asked_s, expected):
    """Neither a Retry-After of centuries nor a negative one is believed."""
    assert expected == delay_s(POLICY, attempt=1, jitter=0.0, asked_s=asked_s)


def test_what_was_asked_for_may_have_a_nearer_end():
    """Another's server is believed less than the service's own author."""
    assert delay_s(POLICY, attempt=1, jitter=0.25, asked_s=7200.0, max_asked_s=MAX_RETRY_AFTER_S) == 3600.25


def test_the_least_pause_is_within_the_cap():
    """A policy whose cap is under a fifth of its first delay keeps its cap."""
    assert 0.1 == delay_s(RetryPolicy(first_delay_s=1.0, max_delay_s=0.1), attempt=1, jitter=0.0)


@pytest.mark.parametrize(("attempt", "age_s"), [(4, 0.0), (1, 3599.0), (1, -7200.0)])
def test_there_is_a_next_attempt_within_the_limits(attempt, age_s):
    """Within attempts and age it goes on; a clock that went back makes an event young, not old."""
    assert why_give_up(POLICY, attempt=attempt, age_s=age_s) is None


def test_attempts_end():
    """The sentence names the attempts made and the limit."""
    expected = "gave up after 5 attempts (the policy allows 5)"
    assert expected == why_give_up(POLICY, attempt=5, age_s=0.0)


def test_age_ends():
    """The sentence names the age and the limit."""
    expected = "gave up after 3600 s (the policy allows 3600 s) and 1 attempts"
    assert expected == why_give_up(POLICY, attempt=1, age_s=3600.0)


def test_zero_is_no_limit():
    """Attempts 0 and age 0 mean: for ever."""
    policy = RetryPolicy(max_attempts=0, max_age_s=0)
    assert why_give_up(policy, attempt=10**6, age_s=1e9) is None


@pytest.mark.parametrize(
    ("due_us", "now_us", "expected"),
    [(5_000_000, 2_000_000, 3.0), (2_000_000, 5_000_000, 0.0), (10**15, 0, 60.0)],
)
def test_the_rest_of_a_stored_pause(due_us, now_us, expected):
    """What is left after a restart, never more than the longest pause whatever is on disk."""
    assert expected == remaining_s(due_us=due_us, now_us=now_us, max_s=60.0)

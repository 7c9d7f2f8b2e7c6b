"""agent.delivery.ages: ages and pauses follow no clock that is set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.delivery.ages import Ages

START_US = 1_700_000_000_000_000
HOUR_US = 3_600_000_000
JUMPS = st.integers(-(10**15), 10**15)


def test_what_was_stored_before_the_start_has_its_stamp() -> None:
    """An hour before the start, asked ten seconds after it."""
    ages = Ages(now_us=START_US, now_s=1000.0)
    assert 1010.0 - 3610.0 == ages.born_s(seq=1, stamp_us=START_US - HOUR_US, now_s=1010.0)


def test_nothing_was_born_in_the_future() -> None:
    """A stamp of a clock that went ahead is young, not negative."""
    ages = Ages(now_us=START_US, now_s=1000.0)
    assert 1010.0 == ages.born_s(seq=1, stamp_us=START_US + HOUR_US, now_s=1010.0)


@given(jump_us=JUMPS)
def test_what_came_while_it_ran_is_not_older_than_that(jump_us: int) -> None:
    """However far the clock that gave the stamp was set."""
    ages = Ages(now_us=START_US, now_s=1000.0)
    assert 1005.0 == ages.came(7, 1005.0)
    ages.came(8, 1006.0)
    born_s = ages.born_s(seq=8, stamp_us=START_US + 6_000_000 + jump_us, now_s=1020.0)
    assert 1005.0 <= born_s <= 1020.0


def test_a_pause_from_before_goes_on() -> None:
    """With what is left of it; not for one that has passed, nor where there was none."""
    ages = Ages(now_us=START_US, now_s=1000.0)

    def left_s(due_us: int, stamp_us: int = START_US - HOUR_US) -> float:
        return ages.left_s(due_us=due_us, stamp_us=stamp_us, now_s=1010.0)

    assert (50.0, 0.0, 0.0) == (left_s(START_US + 60_000_000), left_s(START_US - 1), left_s(0))
    assert 0.0 == left_s(START_US + 2 * HOUR_US, stamp_us=START_US + HOUR_US), "the clock was put back"

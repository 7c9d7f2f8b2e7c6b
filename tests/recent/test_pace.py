"""Rates of the last minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recent import IDLE, Pace
from agent.recent.pace import WINDOW_S


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def test_nothing_is_no_rate() -> None:
    """And no time per attempt, which is not the same as none at all."""
    assert dict(IDLE) == Pace(seconds=Hand()).describe()


def test_a_rate_is_of_the_last_minute() -> None:
    """What is older does not count."""
    clock = Hand()
    pace = Pace(seconds=clock)
    for _ in range(300):
        pace.came(2)
        pace.ended(took_us=4000, is_good=True)
        clock.now_s += 1
    found = pace.describe()
    assert (2.0, 1.0, 0) == (found["came_per_s"], found["done_per_s"], found["failed"])
    clock.now_s += WINDOW_S
    assert dict(IDLE) == pace.describe()


def test_a_beginning_has_an_honest_rate() -> None:
    """30 in the first three seconds are ten a second, and not half a one."""
    clock = Hand()
    pace = Pace(seconds=clock)
    pace.came(30)
    clock.now_s += 3
    assert 10.0 == pace.describe()["came_per_s"]


def test_times_are_of_all_attempts() -> None:
    """Those that failed are counted apart, and took their time, too."""
    pace = Pace(seconds=Hand())
    pace.ended(took_us=2000, is_good=True)
    pace.ended(took_us=10_000, is_good=False)
    found = pace.describe()
    assert (1.0, 1, 6.0, 10.0) == (found["done_per_s"], found["failed"], found["mean_ms"], found["slowest_ms"])


@given(st.lists(st.tuples(st.floats(0, 200), st.integers(0, 50)), max_size=60))
def test_no_more_is_counted_than_came(steps: list[tuple[float, int]]) -> None:
    """Whatever the pauses; and what came within the last 59 seconds is all there."""
    clock = Hand()
    pace = Pace(seconds=clock)
    told: list[tuple[float, int]] = []
    for pause_s, count in steps:
        clock.now_s += pause_s
        pace.came(count)
        told.append((clock.now_s, count))
    rate = pace.describe()["came_per_s"]
    assert isinstance(rate, float)
    span_s = max(1.0, min(clock.now_s - 1000.0, WINDOW_S - 1 + clock.now_s % 1))
    newest = sum(count for at_s, count in told if at_s > clock.now_s - (WINDOW_S - 1))
    everything = sum(count for at_s, count in told if at_s > clock.now_s - WINDOW_S)
    assert newest - 1 <= rate * span_s + 0.5 and rate * span_s - 0.5 <= everything + 1


def test_memory_is_fixed() -> None:
    """After a day as after a second."""
    clock = Hand()
    pace = Pace(seconds=clock)
    for _ in range(86_400 // 7):
        pace.came()
        clock.now_s += 7
    assert WINDOW_S == len(pace._slots)
    assert pytest.approx(1 / 7, abs=0.02) == pace.describe()["came_per_s"]

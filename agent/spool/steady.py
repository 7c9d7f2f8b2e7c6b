"""A clock for ages: goes on from the wall clock's time at the start, and does not follow when that one jumps.

Retention, age limits and remembered keys must not expire because somebody set the clock. What was stored by an earlier
process carries times of the same kind; between two processes only the wall clock knows how long it was.
"""

from __future__ import annotations

from collections.abc import Callable


class SteadyClock:
    """Call it for microseconds. `now_us` is the wall clock, `seconds` any clock that only goes forward."""

    def __init__(self, *, now_us: Callable[[], int], seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._base_us = now_us() - round(seconds() * 1e6)

    def __call__(self) -> int:
        return self._base_us + round(self._seconds() * 1e6)

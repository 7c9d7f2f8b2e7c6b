"""How old something is, and how much of a pause is left, whoever sets the wall clock. Pure; both clocks are passed in.

While an agent runs, its monotonic clock decides: what came in while it ran is as old as that clock says. Of what was
stored before it started only the wall-clock stamps are known; they are seen from a *steady* clock, which goes on from
the wall clock's time at the start and does not follow when that one jumps.
"""

from __future__ import annotations

from typing import Final

from agent.delivery.retry import remaining_s


class Ages:
    """One queue's. `now_us` is the wall clock in microseconds, `now_s` seconds on a clock that only goes forward."""

    def __init__(self, *, now_us: int, now_s: float) -> None:
        self._base_us: Final = now_us - round(now_s * 1e6)
        self._first_new: tuple[int, float] | None = None
        """Place of the first that came in while this was there, and when."""

    def came(self, seq: int, now_s: float) -> float:
        """Something new is there: return when its age was nothing, which is now."""
        if self._first_new is None:
            self._first_new = seq, now_s
        return now_s

    def born_s(self, *, seq: int, stamp_us: int, now_s: float) -> float:
        """Return when the age of something that was read back was nothing. Never in the future; and what came in while
        this was there is not older than that, whatever its stamp says. A stamp of 0 is not known and counts as now."""
        if not stamp_us:
            return now_s
        born_s = min((stamp_us - self._base_us) / 1e6, now_s)
        if self._first_new is not None and seq >= self._first_new[0]:
            return max(born_s, self._first_new[1])
        return born_s

    def left_s(self, *, due_us: int, stamp_us: int, now_s: float) -> float:
        """Return what is left of a pause that ends at `due_us`, for something that came in at `stamp_us`; 0 for none.

        Where the clock stands before `stamp_us`, it was put back while nothing ran: nobody knows how long the pause has
        lasted, and it is over.
        """
        steady_us = self._base_us + round(now_s * 1e6)
        if not due_us or steady_us < stamp_us:
            return 0.0
        return remaining_s(due_us=due_us, now_us=steady_us)

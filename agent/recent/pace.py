"""How fast something went in the last minute: a ring with one slot for each second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

WINDOW_S: Final = 60
"""Long enough that an event every few seconds has a rate, short enough that a person who watches sees a change."""


@attrs.define
class _Slot:
    """What happened in one second; `second` is of the caller's clock, -1 where the slot was never used."""

    second: int = -1
    came: int = 0
    done: int = 0
    failed: int = 0
    took_us: int = 0
    slowest_us: int = 0


IDLE: Final[Mapping[str, object]] = MappingProxyType(
    {"came_per_s": 0.0, "done_per_s": 0.0, "failed": 0, "mean_ms": None, "slowest_ms": None}
)
"""What `Pace.describe` says when nothing has happened."""


class Pace:
    """Counts what comes and what ends. `seconds` is a monotonic clock. A note costs the same whatever was noted before,
    and memory is `WINDOW_S` slots."""

    def __init__(self, *, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._began_s = seconds()
        self._slots = [_Slot() for _ in range(WINDOW_S)]

    def came(self, count: int = 1) -> None:
        """So many have come to be done."""
        self._slot().came += count

    def ended(self, *, took_us: int, is_good: bool) -> None:
        """One attempt has ended, after this time."""
        slot = self._slot()
        if is_good:
            slot.done += 1
        else:
            slot.failed += 1
        slot.took_us += took_us
        slot.slowest_us = max(slot.slowest_us, took_us)

    def describe(self) -> dict[str, object]:
        """The last minute, or the time since the beginning where that is shorter, but at least a second.

        `came_per_s` and `done_per_s` are rates, `failed` a number; `mean_ms` and `slowest_ms` are of all attempts that
        ended, None where none did.
        """
        now_s = self._seconds()
        slots = [slot for slot in self._slots if slot.second > int(now_s) - WINDOW_S]
        # The ring holds 59 whole seconds and the part of this one that is over.
        span_s = max(1.0, min(now_s - self._began_s, WINDOW_S - 1 + now_s % 1))
        done, failed = sum(slot.done for slot in slots), sum(slot.failed for slot in slots)
        ended = done + failed
        return {
            "came_per_s": round(sum(slot.came for slot in slots) / span_s, 2),
            "done_per_s": round(done / span_s, 2),
            "failed": failed,
            "mean_ms": round(sum(slot.took_us for slot in slots) / ended / 1000, 1) if ended else None,
            "slowest_ms": round(max(slot.slowest_us for slot in slots) / 1000, 1) if ended else None,
        }

    def _slot(self) -> _Slot:
        second = int(self._seconds())
        slot = self._slots[second % WINDOW_S]
        if slot.second != second:
            slot = self._slots[second % WINDOW_S] = _Slot(second)
        return slot

"""A clock that nobody sets: time since the start of the machine, sleep included, the same for all its processes.

For times that must survive a restart of the agent: within one run of the machine neither a wall clock that is set nor a
daylight-saving mistake can make them expire or last. After a restart of the machine only the wall clock knows how long
it was off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def since_boot_s() -> float:
    """Seconds since the start of the machine."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Which run of the machine this is; empty where the system does not tell, which fits no other."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@attrs.frozen(kw_only=True)
class BootClock:
    """The clock, for the agent; tests have another one. `now_us` is the wall clock."""

    now_us: Callable[[], int]
    seconds: Callable[[], float] = since_boot_s
    id: str = attrs.field(factory=boot_id)

    def when_s(self, *, boot_id: str, at_us: int, wall_us: int) -> float:
        """Return on this clock the time that was stored as `at_us` of a run of the machine.

        In another run the wall clock tells how long ago it was; where it stands before `wall_us`, it was put back, and
        the time counts as now.
        """
        now_s = self.seconds()
        if self.id and boot_id == self.id:
            return min(at_us / 1e6, now_s)
        return now_s - max(0.0, (self.now_us() - wall_us) / 1e6)

"""How much of the agent's time services and deliveries get while events come in. Pure: the time is passed in.

The agent has one thread for all of them, and to store and answer an event comes first. The rules:

1. Where no event was taken in lately, what waits is begun as fast as it goes. Lately: within `LATELY_S`, in which time
   that work took is not counted, because none could be taken in then.
2. Else events and requests are begun until the work on them has taken its share of the time. What it took more than
   that, because what had been begun had to be brought to its end, is missing to it afterwards, up to `MAX_DEBT_S`.
3. The share grows by `STEP` in each window in which the agent has waited for something to do for longer than is kept
   free for senders, and shrinks by as much in each other one, down to `SHARE`. Kept free is `RESERVE` times what they
   took of it, at least `MIN_FREE` and at most `MAX_FREE` of all.

So neither ever stands still for the sake of the other: of each second in which senders keep the agent busy, work has
`SHARE`, and what they do not need is its, too.

Time is looked at in windows of `WINDOW_S`, and only when somebody wants to begin something.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import attrs

WINDOW_S: Final = 0.005
"""Long enough to begin some events in, and short beside the 50 ms in which 99 of 100 senders shall be answered."""

LATELY_S: Final = 0.02
"""Senders send again when they are answered, and a commit takes longer while work has the disk, too."""

SHARE: Final = 0.2
"""Of the agent's time. Storing needs, beside this thread, the writer's, which waits for the interpreter as long as work
runs: with a fifth for work, senders keep half of the rate they have alone."""

RESERVE: Final = 3.0
"""Senders who wait for their answers take only what they are left, which must not look as if they needed no more. With
twice their time kept free they had 0.2 to 0.8 of the rate they have alone, with three times 0.5 to 0.6."""

MIN_FREE: Final = 0.1
"""Of the agent's time. There is nothing to do now and then even where much is waiting: while the writer commits, and
until far ends have read."""

MAX_FREE: Final = 0.5
"""Of the agent's time: from a sixth of it on, senders are many enough to be kept a half."""

STEP: Final = 0.1
"""Of the agent's time: within eight windows, 40 ms, work takes what senders leave, or gives it back."""

MAX_DEBT_S: Final = 0.05
"""The work of a single event can take longer than this (a body of megabytes), and whatever stops the whole agent for
seconds may look like it: work is begun again after 250 ms at the latest."""


@attrs.define
class Meter:
    """What the agent's thread has spent its time with. `seconds` is a clock that only goes forward.

    With it as a context, time counts as work; contexts in one another count once.
    """

    seconds: Callable[[], float]
    idle_s: float = 0.0
    """In which it waited for something to do."""
    _worked_s: float = 0.0
    _since_s: float = 0.0
    _depth: int = 0

    def __enter__(self) -> None:
        if not self._depth:
            self._since_s = self.seconds()
        self._depth += 1

    def __exit__(self, *_error: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._worked_s += self.seconds() - self._since_s

    def worked_s(self, now_s: float) -> float:
        """The time of all work, that which is just going on included."""
        return self._worked_s + (now_s - self._since_s if self._depth else 0.0)


class Unshared:
    """Where there is nobody to stand back for; implements `agent.boundaries.WorkShare`."""

    meter: Final[AbstractContextManager[None]] = nullcontext()

    def may_begin(self) -> bool:
        """Always."""
        return True

    def wait(self, wake: Callable[[], None]) -> None:
        """Nobody has to."""


class Share:
    """The rule, over one meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._begun_s = meter.seconds()
        self._idle_s = meter.idle_s
        self._worked_s = meter.worked_s(self._begun_s)
        self._came_s = -math.inf
        self._share = 1.0
        self._debt_s = 0.0

    def came(self) -> None:
        """Events have been taken in."""
        self._came_s = self._others_s(self._meter.seconds())

    def may_begin(self) -> bool:
        """Whether an event or a request may be begun now."""
        now_s = self._meter.seconds()
        if now_s - self._begun_s >= WINDOW_S:
            self._next_window(now_s)
        worked_s = self._meter.worked_s(now_s) - self._worked_s
        return self._share >= 1.0 or self._debt_s + worked_s < self._share * WINDOW_S

    def _next_window(self, now_s: float) -> None:
        length_s = now_s - self._begun_s
        idle_s, worked_s = self._meter.idle_s, self._meter.worked_s(now_s)
        waited_s, took_s = idle_s - self._idle_s, worked_s - self._worked_s
        self._debt_s = min(max(0.0, self._debt_s + took_s - self._share * length_s), MAX_DEBT_S)
        free_s = max(MIN_FREE * length_s, RESERVE * (length_s - waited_s - took_s))
        is_spare = waited_s > min(free_s, MAX_FREE * length_s)
        step = STEP * length_s / WINDOW_S
        self._share = min(max(SHARE, self._share + (step if is_spare else -step)), 1.0)
        if self._others_s(now_s) - self._came_s >= LATELY_S:
            self._share, self._debt_s = 1.0, 0.0
        self._begun_s, self._idle_s, self._worked_s = now_s, idle_s, worked_s

    def _others_s(self, now_s: float) -> float:
        """All time that was not work."""
        return now_s - self._meter.worked_s(now_s)

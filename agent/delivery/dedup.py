"""Deduplication: has the same been seen a short while ago? Pure; the clock is passed in.

The rules are the original agent's (its `deduplicator-filter.xml`):

1. Of an event, the values of the filter's predicates count: its *combination*.
2. A combination is a duplicate when it was counted **less than** the suppression period ago.
3. Only the last `window_size` different combinations are remembered, in the order in which they were counted.
4. A duplicate does not renew the time: who repeats without end gets through once in each period.

What is counted, and when, is the caller's affair: whoever counts only what was processed without fault lets an event
that failed be tried again.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final


def combination(values: Sequence[Any]) -> str:
    """Return the key of a combination: values are equal when their JSON texts are. Of fixed length, whatever comes."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Memory:
    """The combinations of one filter. Times are seconds on a clock that never goes back, also not across restarts."""

    def __init__(self, *, period_s: float, window_size: int) -> None:
        self._period_s: Final = period_s
        self._window_size: Final = window_size
        self._counted_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counted_s)

    def is_duplicate(self, key: str, now_s: float) -> bool:
        """Whether this combination was counted less than the period ago. Counts nothing."""
        counted_s = self._counted_s.get(key)
        return counted_s is not None and now_s - counted_s < self._period_s

    def count(self, key: str, now_s: float) -> Sequence[str] | None:
        """Remember this combination, and return those that are forgotten for it.

        None where it is remembered already: its time is not renewed.
        """
        if self.is_duplicate(key, now_s):
            return None
        forgotten = self._forget_old(now_s)
        self._counted_s[key] = now_s
        if len(self._counted_s) > self._window_size:
            forgotten.append(self._counted_s.popitem(last=False)[0])
        # One that was forgotten for its age and is counted anew is not to be forgotten after all.
        return [each for each in forgotten if each != key]

    def restore(self, counted: Iterable[tuple[str, float]]) -> None:
        """Take back what an earlier memory held, the oldest first. What is too old goes with the next `count`."""
        self._counted_s.update(counted)

    def counted(self) -> Sequence[tuple[str, float]]:
        """What is remembered, with its times, the oldest first: for `restore`."""
        return tuple(self._counted_s.items())

    def _forget_old(self, now_s: float) -> list[str]:
        forgotten = []
        while self._counted_s:
            key, counted_s = next(iter(self._counted_s.items()))
            if now_s - counted_s < self._period_s:
                break
            del self._counted_s[key]
            forgotten.append(key)
        return forgotten

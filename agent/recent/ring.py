"""The newest things, each with its place in the line of all that ever came; the oldest make room."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

BUNDLE_SHARE: Final = 32
"""A bundle has at most so small a share of the characters, because it is dropped whole; what came in a larger one is
kept item by item."""


class _Kept(NamedTuple, Generic[Item]):
    """What came together, from its first place to the one behind its last."""

    begin: int
    end: int
    chars: int
    items: Sequence[Item]


class Ring(Generic[Item]):
    """Keeps what came in the bundles in which it came, and takes them apart when somebody reads.

    The newest `max_items` can be read, as long as they have no more than `max_chars` together; `chars_of` says how many
    a bundle has. A bundle is dropped when none of it can be read any more, or whole when the characters are too many:
    at most 1/32 of them too early. The newest item is always kept. Not thread-safe.
    """

    def __init__(self, *, max_items: int, max_chars: int, chars_of: Callable[[Sequence[Item]], int]) -> None:
        self._max_items = max_items
        self._max_chars = max_chars
        self._chars_of = chars_of
        self._bundles: deque[_Kept[Item]] = deque()
        self._chars = 0
        self._end = 0

    @property
    def end(self) -> int:
        """The place of what comes next."""
        return self._end

    @property
    def begin(self) -> int:
        """The place of the oldest that is still here; `end` where nothing is."""
        return max(self._bundles[0].begin, self._end - self._max_items) if self._bundles else self._end

    def add(self, items: Sequence[Item]) -> None:
        """Take these, in order. They are kept as they are, so nobody may change them any more."""
        if not items:
            return
        chars = self._chars_of(items)
        if chars <= self._max_chars // BUNDLE_SHARE:
            self._keep(items, chars)
        else:
            for item in items:
                self._keep((item,), self._chars_of((item,)))

    def after(self, place: int, limit: int) -> tuple[list[Item], int, int]:
        """At most `limit` items from `place` on, the place behind them, and how many are gone that stood between."""
        lost = max(0, self.begin - place)
        start = min(max(place, self.begin), self._end)
        found: list[Item] = []
        first = bisect_right(self._bundles, start, key=attrgetter("end"))
        for kept in islice(self._bundles, first, None):
            if len(found) >= limit:
                break
            offset = max(0, start - kept.begin)
            found += kept.items[offset : offset + limit - len(found)]
        return found, start + len(found), lost

    def _keep(self, items: Sequence[Item], chars: int) -> None:
        begin, self._end = self._end, self._end + len(items)
        bundles = self._bundles
        bundles.append(_Kept(begin, self._end, chars, items))
        self._chars += chars
        gone = self._end - self._max_items
        while len(bundles) > 1 and (bundles[0].end <= gone or self._chars > self._max_chars):
            self._chars -= bundles.popleft().chars

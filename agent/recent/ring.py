"""The newest things, each with its place in the line of all that ever came; the oldest make room."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ring(Generic[Item]):
    """Keeps at most `max_items`, and not many more than `max_chars` of them. Not thread-safe."""

    def __init__(self, *, max_items: int, max_chars: int, chars_of: Callable[[Item], int]) -> None:
        self._max_items = max_items
        self._max_chars = max_chars
        self._chars_of = chars_of
        self._items: deque[Item] = deque()
        self._chars = 0
        self._end = 0

    @property
    def end(self) -> int:
        """The place of what comes next."""
        return self._end

    @property
    def begin(self) -> int:
        """The place of the oldest that is still here; `end` where nothing is."""
        return self._end - len(self._items)

    def add(self, items: Sequence[Item]) -> None:
        """Take these, in order."""
        kept = self._items
        kept.extend(items)
        self._chars += sum(map(self._chars_of, items))
        self._end += len(items)
        while len(kept) > self._max_items or (self._chars > self._max_chars and len(kept) > 1):
            self._chars -= self._chars_of(kept.popleft())

    def after(self, place: int, limit: int) -> tuple[list[Item], int, int]:
        """At most `limit` items from `place` on, the place behind them, and how many are gone that stood between."""
        lost = max(0, self.begin - place)
        start = min(max(place, self.begin), self._end)
        offset = start - self.begin
        found = list(islice(self._items, offset, offset + limit))
        return found, start + len(found), lost

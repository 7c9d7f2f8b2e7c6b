"""The newest log lines and happenings, for those who watch. Nobody is waited for: who reads too slowly misses some.

Written from any thread, read in pages by place. Places are of this process; `epoch` tells them from another's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from agent.recent import Happening, Lines, Ring, Tiding, Wanted
from agent.recent.bundles import chars_together
from agent.recent.tidings import chars_of, shown

MAX_KEPT: Final = 20_000
"""Some seconds of the busiest agent, hours of a quiet one."""
MAX_KEPT_CHARS: Final = 8 * 1024 * 1024
"""Of memory, whatever the length of the lines."""
EXAMINED: Final = 500
"""In one turn of the reactor: some milliseconds, as long as a batch of events takes."""
MAX_PAGE_CHARS: Final = 512 * 1024
"""Of one page: long tracebacks make it short."""


@attrs.frozen(kw_only=True)
class Page:
    """Some of what a reader wanted. `next` is where he goes on, `lost` how many had been dropped before he came;
    `is_more`: there is more behind it already."""

    next: str
    entries: Sequence[dict[str, object]]
    lost: int = 0
    is_more: bool = False


class Newest:
    """Implements `agent.boundaries.Feed`, and takes log lines as a `Scribe` does. `epoch` gives a name of its own."""

    def __init__(self, *, epoch: Callable[[], str]) -> None:
        self._epoch: Final = epoch()
        self._lock = threading.Lock()
        self._came: deque[Sequence[Tiding]] = deque()
        self._ring: Ring[Tiding] = Ring(max_items=MAX_KEPT, max_chars=MAX_KEPT_CHARS, chars_of=chars_together)

    def put(self, lines: Lines, *, urgent: bool = False) -> None:
        """Take log lines."""
        self._take(lines)

    def tell(self, happenings: Sequence[Happening]) -> None:
        """Take what has happened."""
        self._take(happenings)

    def read(self, after: str, wanted: Wanted) -> Page:
        """The next page for a reader. `after` is `next` of the page before; empty: from now on, or from the oldest that
        is kept where `wanted` says since when. What another process gave counts as nothing read."""
        with self._lock:
            self._sort_in()
            place, limit = self._place(after, wanted), EXAMINED
            items, _, lost = self._ring.after(place, limit)
            begin, end = max(place, self._ring.begin), self._ring.end
        entries, chars, examined = [], 0, 0
        for item in items:
            examined += 1
            if wanted.refuses(item):
                continue
            told = shown(item)
            if wanted.takes(told):
                entries.append(told)
                chars += chars_of(item)
                if chars > MAX_PAGE_CHARS:
                    break
        goes_on = begin + examined
        return Page(next=f"{self._epoch}.{goes_on}", entries=entries, lost=lost, is_more=goes_on < end)

    def _take(self, tidings: Sequence[Tiding]) -> None:
        self._came.append(tidings)
        # A finalizer speaks whenever garbage is collected, also in the midst of a call that has the lock: waiting for
        # it would never end. What its owner does not find any more is there for the next one.
        if self._lock.acquire(blocking=False):
            try:
                self._sort_in()
            finally:
                self._lock.release()

    def _sort_in(self) -> None:
        while self._came:
            self._ring.add(self._came.popleft())

    def _place(self, after: str, wanted: Wanted) -> int:
        epoch, _, place = after.partition(".")
        if not after:
            return self._ring.end if wanted.since is None else self._ring.begin
        return min(int(place), self._ring.end) if epoch == self._epoch else self._ring.begin

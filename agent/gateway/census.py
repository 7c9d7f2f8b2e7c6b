"""Who would be missed least: looked up when a gateway's house is full and somebody has to go.

The place that idles most loses first, and of its visitors the one that has brought the least, the longest there first.
So a hoard takes the room from itself: whether it says nothing, drips, or rests after one cheap request each, a sender
elsewhere with a few connections keeps them, and its newcomers come through their handshakes.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar


class Worth(enum.IntEnum):
    """What a visitor has brought, the least first."""

    NOTHING_YET = 0
    RESTING = 1
    """Between two requests."""
    SENDING = 2
    """In the middle of a body."""
    WAITING = 3
    """For an answer that is owed to it."""


class Member(Protocol):
    """A visitor, as far as the crowd is concerned."""

    @property
    def worth(self) -> Worth: ...

    def wind_down(self) -> None: ...

    def abort(self) -> None: ...


M = TypeVar("M", bound=Member)

_WEIGHTS: Final[Mapping[Worth, int]] = MappingProxyType({Worth.NOTHING_YET: 4, Worth.RESTING: 1, Worth.SENDING: 1})
"""How idle one makes its place. One that has never asked anything weighs as much as four of a pool that has: a load
balancer with its hundred resting connections stays behind a hoard that is spread over many addresses."""


class Census(Generic[M]):
    """The idle visitors of each place at one moment; whoever comes and goes after it is taken in.

    What a visitor is worth changes with each byte, and nobody tells. So each is looked at again before it is taken, and
    a census is made anew before long.
    """

    def __init__(self, members: Iterable[tuple[M, str]]) -> None:
        self._idle: dict[str, _Idle[M]] = {}
        self._noted: dict[M, Worth] = {}
        """Under which worth each one stands in its line."""
        self._ranks: list[tuple[int, int, str]] = []
        """A heap: negative weight, number, place. An entry whose weight is no longer that of its place counts not."""
        self._number = 0
        for member, place in members:
            self._enter(member, place, member.worth)
        for place in self._idle:
            self._rank(place)

    def add(self, member: M, place: str) -> None:
        """Somebody has come."""
        self._enter(member, place, Worth.NOTHING_YET)
        self._rank(place)

    def discard(self, member: M, place: str) -> None:
        """Somebody has gone."""
        worth = self._noted.pop(member, None)
        if worth is not None:
            self._idle[place].weight -= _WEIGHTS[worth]
            self._rank(place)

    def take_least_of(self, place: str) -> M | None:
        """Whoever of `place` would be missed least; None where all wait for an answer."""
        idle = self._idle.get(place)
        found = None if idle is None else self._take(place, idle)
        self._rank(place)
        return found

    def take_least(self) -> M | None:
        """The same, of the place that idles most."""
        while self._ranks:
            weight, _, place = heapq.heappop(self._ranks)
            idle = self._idle[place]
            if idle.weight != -weight:
                continue
            found = self._take(place, idle)
            self._rank(place)
            if found is not None:
                return found
        return None

    def _enter(self, member: M, place: str, worth: Worth) -> None:
        if worth is Worth.WAITING:
            return
        idle = self._idle.get(place)
        if idle is None:
            idle = self._idle[place] = _Idle()
        line = idle.lines.get(worth)
        if line is None:
            line = idle.lines[worth] = deque()
        line.append(member)
        idle.weight += _WEIGHTS[worth]
        self._noted[member] = worth

    def _rank(self, place: str) -> None:
        idle = self._idle.get(place)
        if idle is not None and idle.weight:
            self._number += 1
            heapq.heappush(self._ranks, (-idle.weight, self._number, place))

    def _take(self, place: str, idle: _Idle[M]) -> M | None:
        for worth in _WEIGHTS:
            line = idle.lines.get(worth)
            while line:
                member = line.popleft()
                if self._noted.get(member) is not worth:
                    continue
                del self._noted[member]
                idle.weight -= _WEIGHTS[worth]
                if (now := member.worth) <= worth:
                    return member
                self._enter(member, place, now)
        return None


class _Idle(Generic[M]):
    """The lines of one place, by worth; `weight` is how idle it is."""

    __slots__ = ("lines", "weight")

    def __init__(self) -> None:
        self.lines: Final[dict[Worth, deque[M]]] = {}
        self.weight = 0

"""The visitors of a gateway: how many there may be, of one place and in all, and who has to go when it is full.

A full house is not closed to newcomers: somebody makes room (`census` says who). Requests that wait for their answers
are never given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic

from agent.gateway.census import Census, M, Worth

IN_VAIN: Final = 32
"""After so many newcomers that found no room the visitors are looked at again: looking at 4096 takes about 2 ms."""


class Crowd(Generic[M]):
    """Who is here, in order of coming."""

    def __init__(self) -> None:
        self._place_of: dict[M, str] = {}
        self._counts: dict[str, int] = {}
        self._census: Census[M] | None = None
        self._in_vain = 0

    def __len__(self) -> int:
        return len(self._place_of)

    def __iter__(self) -> Iterator[M]:
        """All of them; they may leave meanwhile."""
        return iter(list(self._place_of))

    def count(self, place: str) -> int:
        """How many are from one place."""
        return self._counts.get(place, 0)

    def add(self, member: M, place: str) -> None:
        self._place_of[member] = place
        self._counts[place] = self.count(place) + 1
        if self._census is not None:
            self._census.add(member, place)

    def replace(self, member: M, other: M) -> None:
        """`other` has taken over the connection of `member`."""
        place = self._place_of.pop(member, None)
        if place is None:
            self.add(other, "")
            return
        self._place_of[other] = place
        if self._census is not None:
            self._census.discard(member, place)
            self._census.add(other, place)

    def discard(self, member: M) -> None:
        place = self._place_of.pop(member, None)
        if place is None:
            return
        left = self._counts[place] - 1
        if left:
            self._counts[place] = left
        else:
            del self._counts[place]
        if self._census is not None:
            self._census.discard(member, place)

    def look_again(self) -> None:
        """Called now and then: what a visitor is worth has changed since the last look."""
        self._census = None

    def make_room(self, place: str, *, most: int, most_of_place: int) -> tuple[bool, bool]:
        """Whether one more may come from `place`, and whether somebody had to go for that."""
        is_crowded_place = self.count(place) >= most_of_place
        if not is_crowded_place and len(self) < most:
            return True, False
        if self._census is None or self._in_vain >= IN_VAIN:
            self._census = Census(self._place_of.items())
            self._in_vain = 0
        found = self._census.take_least_of(place) if is_crowded_place else self._census.take_least()
        if found is None:
            self._in_vain += 1
            return False, False
        self.discard(found)
        if found.worth is Worth.RESTING:
            found.wind_down()
        else:
            found.abort()
        return True, True


class Turnstile:
    """Lets so many pass in one turn of the reactor, the others in the turns after it.

    A handshake computes for up to a millisecond or two. In a flood of them, those who have shaken hands before get
    their turn between each few. `soon` calls a function in the next turn.
    """

    def __init__(self, *, soon: Callable[[Callable[[], None]], object], per_turn: int) -> None:
        self._soon = soon
        self._per_turn = per_turn
        self._passed = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def passes(self, later: Callable[[], None]) -> bool:
        """Whether it may go on now; where not, `later` is called when it may."""
        if not self._passed and not self._waiting:
            self._soon(self._turn)
        if self._passed < self._per_turn and not self._waiting:
            self._passed += 1
            return True
        self._waiting.append(later)
        return False

    def _turn(self) -> None:
        now = [self._waiting.popleft() for _ in range(min(self._per_turn, len(self._waiting)))]
        self._passed = len(now)
        if now:
            self._soon(self._turn)
        for later in now:
            later()

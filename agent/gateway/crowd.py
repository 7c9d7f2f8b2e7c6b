"""The visitors of a gateway: how many there may be, of one place and in all, and who has to go when it is full.

A full house is not closed to newcomers: whoever has brought the least so far makes room, the longest there first. So a
host that opens thousands of connections and says nothing, or drips, takes the room from itself, and a good sender gets
in and needs a moment only. Requests that wait for their answers are never given up.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic, Protocol, TypeVar

LOOKED_AT: Final = 32
"""Visitors compared for each newcomer; those who are at work go to the end of the line, so that all have their turn."""


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


class Crowd(Generic[M]):
    """Who is here, in order of coming."""

    def __init__(self) -> None:
        self._place_of: dict[M, str] = {}
        self._members: dict[str, dict[M, str]] = {}

    def __len__(self) -> int:
        return len(self._place_of)

    def __iter__(self) -> Iterator[M]:
        """All of them; they may leave meanwhile."""
        return iter(list(self._place_of))

    def count(self, place: str) -> int:
        """How many are from one place."""
        return len(self._members.get(place, ()))

    def add(self, member: M, place: str) -> None:
        self._place_of[member] = place
        self._members.setdefault(place, {})[member] = place

    def replace(self, member: M, other: M) -> None:
        """`other` has taken over the connection of `member`."""
        place = self._place_of.get(member, "")
        self.discard(member)
        self.add(other, place)

    def discard(self, member: M) -> None:
        place = self._place_of.pop(member, None)
        if place is None:
            return
        members = self._members[place]
        del members[member]
        if not members:
            del self._members[place]

    def make_room(self, place: str, *, most: int, most_of_place: int) -> tuple[bool, bool]:
        """Whether one more may come from `place`, and whether somebody had to go for that."""
        members = self._members.get(place)
        if members is not None and len(members) >= most_of_place:
            found = self._least(members)
        elif len(self) >= most:
            found = self._least(self._place_of)
        else:
            return True, False
        if found is None:
            return False, False
        self.discard(found)
        if found.worth is Worth.RESTING:
            found.wind_down()
        else:
            found.abort()
        return True, True

    def _least(self, members: dict[M, str]) -> M | None:
        least: M | None = None
        busy: list[M] = []
        for number, member in enumerate(members):
            if number >= LOOKED_AT:
                break
            worth = member.worth
            if worth is Worth.WAITING:
                busy.append(member)
            elif least is None or worth < least.worth:
                least = member
            if worth is Worth.NOTHING_YET:
                break
        for member in busy:
            members[member] = members.pop(member)
        return least


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

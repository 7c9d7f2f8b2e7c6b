"""What is told of many events at once, kept as it came: it is taken apart when somebody reads it, which hardly ever
happens, and not thousands of times a second.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

from agent.recent.tidings import HAPPENING_CHARS, Happening, Tiding, chars_of

Item = TypeVar("Item")


class _Bundle(Sequence[Item], Generic[Item]):
    """A sequence whose items are made anew by each reading; `len` costs nothing."""

    __slots__ = ()

    @abstractmethod
    def _apart(self) -> list[Item]: ...

    @overload
    def __getitem__(self, place: int) -> Item: ...

    @overload
    def __getitem__(self, place: slice) -> list[Item]: ...

    def __getitem__(self, place: int | slice) -> Item | list[Item]:
        return self._apart()[place]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._apart())


class Lines(_Bundle[str]):
    """Log lines in one text, each with its line end. A traceback belongs to the line before it, which is then alone."""

    __slots__ = ("_count", "text")

    def __init__(self, text: str, count: int = 1) -> None:
        self.text = text
        self._count = count

    def __len__(self) -> int:
        return self._count

    def _apart(self) -> list[str]:
        return [self.text] if self._count == 1 else self.text.splitlines(keepends=True)


class Alike(_Bundle[Happening]):
    """Happenings that differ in nothing but the event. Ids are kept in one text, so they are without blanks."""

    __slots__ = ("_at_us", "_count", "_ids", "_service", "_state")

    def __init__(self, *, at_us: int, ids: Sequence[str], service: str, state: str) -> None:
        self._at_us = at_us
        self._ids = " ".join(ids)
        self._count = len(ids)
        self._service = service
        self._state = state

    def __len__(self) -> int:
        return self._count

    def _apart(self) -> list[Happening]:
        return [Happening(self._at_us, one, self._service, "", self._state, "") for one in self._ids.split(" ")]


def chars_together(tidings: Sequence[Tiding]) -> int:
    """What `chars_of` says of all of them."""
    if isinstance(tidings, Lines):
        return len(tidings.text)
    if isinstance(tidings, Alike):
        return HAPPENING_CHARS * len(tidings)
    return sum(map(chars_of, tidings))

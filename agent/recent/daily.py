"""Counts that begin anew at midnight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final


class Daily:
    """How often which of a few things has happened today. `today` gives what is another value tomorrow."""

    def __init__(self, *, today: Callable[[], object]) -> None:
        self._today: Final = today
        self._day: object = None
        self._counts: Counter[str] = Counter()

    def add(self, what: str) -> None:
        """It has happened once more."""
        self._turn()
        self._counts[what] += 1

    def counts(self) -> dict[str, int]:
        """By name, sorted; the caller may keep it."""
        self._turn()
        return dict(sorted(self._counts.items()))

    def _turn(self) -> None:
        today = self._today()
        if today != self._day:
            self._day = today
            self._counts.clear()

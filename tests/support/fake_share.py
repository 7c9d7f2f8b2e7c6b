"""A share of the agent's time that the test hands out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final


class FakeShare:
    """Implements `agent.boundaries.WorkShare`: lets so many begin as `left` says, and wakes who waits on `give`."""

    meter: Final[AbstractContextManager[None]] = nullcontext()

    def __init__(self) -> None:
        self.left = 0
        self.waiting: dict[Callable[[], None], None] = {}

    def may_begin(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def wait(self, wake: Callable[[], None]) -> None:
        self.waiting[wake] = None

    def give(self, count: int) -> None:
        """Let so many more begin."""
        self.left = count
        waiting, self.waiting = self.waiting, {}
        for wake in waiting:
            wake()

"""When a service's worker is started again, and what its last ends were."""

from __future__ import annotations

from typing import Final

import attrs

from agent.config.model import RetryPolicy
from agent.delivery.retry import delay_s
from agent.host.process import Gone

PAUSES: Final = RetryPolicy(first_delay_s=1.0, factor=2.0, max_delay_s=60.0)
"""The first is short, because most crashes are one event's; a minute at most, because that is how long an author who
has mended the script waits."""

LOOP_FROM: Final = 3
"""Ends in a row, with nothing done in between, that are called a crash loop."""

TAIL_LINES: Final = 10
"""Of stderr, shown to the operator: the end of a traceback."""


@attrs.define
class Restarts:
    """The ends of one service's workers. `count` are all, `in_row` those since something was last done."""

    count: int = 0
    in_row: int = 0
    last_error: str = ""
    stderr_tail: tuple[str, ...] = ()

    @property
    def is_loop(self) -> bool:
        """Whether starting again has not helped for a while."""
        return self.in_row >= LOOP_FROM

    def worked(self) -> None:
        """A worker got something done: the next one may start at once when it ends."""
        self.in_row = 0

    def note(self, gone: Gone, *, jitter: float) -> float:
        """Take note of an end; return the pause before the next start in seconds."""
        self.count += 1
        self.in_row += 1
        self.last_error = gone.sentence
        self.stderr_tail = tuple(gone.detail.splitlines()[-TAIL_LINES:])
        return delay_s(PAUSES, attempt=self.in_row, jitter=jitter)

"""What a gateway has taken in, entered once for each batch of its sink: counters, and one log line for each event."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

from agent.boundaries import Counters

log = Logger(namespace="gateway")

MAX_LINES: Final = 1024
"""Entered at the latest when so many wait: where a sink does not say when a batch is told, nothing is kept for ever."""


class Register:
    """Collects what was stored; `enter` is to be called when a batch has been answered."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._lines: list[tuple[str, str]] = []
        self._repeated = 0

    def note(self, event_id: str, text: str) -> None:
        """An event was accepted; `text` is what its line says."""
        self._lines.append((event_id, text))
        if len(self._lines) >= MAX_LINES:
            self.enter()

    def note_repeated(self, event_id: str, text: str) -> None:
        """A sender has repeated an event that was here already."""
        self._repeated += 1
        self.note(event_id, text)

    def enter(self) -> None:
        """Count and log what was noted."""
        lines, repeated = self._lines, self._repeated
        if not lines:
            return
        self._lines, self._repeated = [], 0
        if repeated:
            self._counters.count("gateway.repeated", by=repeated)
        if len(lines) > repeated:
            self._counters.count("gateway.accepted", by=len(lines) - repeated)
        log.info("{log_lines}", log_lines=lines)

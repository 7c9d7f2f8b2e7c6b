"""The desk where nobody has put another: one line for each peer and cause in a minute, however often they knock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger

from agent.wire.misuse import Misuse

log = Logger(namespace="gateway")

QUIET_S: Final = 60.0
MAX_REMEMBERED: Final = 1000
"""Peers kept in mind; a scan from more addresses than that writes a line for some of them again."""


class Strangers:
    """Writes the warnings, and holds back repetitions of the same peer. `clock` is in seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._silent_until: dict[tuple[str, str], float] = {}

    def __call__(self, misuse: Misuse) -> None:
        """Tell the operator about `misuse`, unless the same was said within the last minute."""
        key = (misuse.peer, misuse.cause.value)
        now = self._clock()
        if self._silent_until.get(key, 0.0) > now:
            return
        if len(self._silent_until) >= MAX_REMEMBERED:
            self._silent_until.clear()
        self._silent_until[key] = now + QUIET_S
        log.warn(
            "{peer} does not speak what port {port} speaks: {cause} {tongue} {first_line}",
            peer=misuse.peer,
            port=misuse.port,
            cause=misuse.cause.value,
            tongue=misuse.tongue,
            first_line=misuse.first_line,
        )

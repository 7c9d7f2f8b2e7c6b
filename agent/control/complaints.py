"""What the log says of strangers at the admin gateway: once for each peer and cause, then silence for a while.

Whoever can reach the port must not be able to fill the log with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from twisted.logger import Logger

log = Logger(namespace="admin")

QUIET_S: Final = 600.0
"""A peer that goes on is mentioned six times an hour."""
MOST: Final = 200
"""Peers that are remembered; beyond, nothing more is said until some are forgotten."""


class Complaints:
    """`seconds` is a monotonic clock. `counts` tells how often each cause was met since the start."""

    def __init__(self, *, seconds: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._seconds = seconds
        self._told: dict[tuple[str, str], float] = {}

    def tell(self, peer: str, cause: str, sentence: str) -> None:
        """Count it, and say it unless it was said a while ago."""
        self.counts[cause] += 1
        now = self._seconds()
        self._told = {one: at for one, at in self._told.items() if now - at < QUIET_S}
        if (peer, cause) in self._told or len(self._told) >= MOST:
            return
        self._told[peer, cause] = now
        log.warn("admin gateway: {peer} was turned away: {sentence}", peer=peer, sentence=sentence)

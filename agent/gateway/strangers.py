"""Those who do not speak HTTP: one line for each in a minute, however often they knock."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

log = Logger(namespace="gateway")

QUIET_S: Final = 60.0
MAX_REMEMBERED: Final = 1000
"""Peers kept in mind; a scan from more addresses than that writes a line for some of them again."""


class Strangers:
    """Writes the warnings, and holds back repetitions of the same peer."""

    def __init__(self) -> None:
        self._silent_until: dict[tuple[str, str], float] = {}

    def warn(self, *, peer: str, what: str, now: float) -> None:
        """Tell the operator what `peer` seems to speak, unless the same was said within the last minute."""
        if self._silent_until.get((peer, what), 0.0) > now:
            return
        if len(self._silent_until) >= MAX_REMEMBERED:
            self._silent_until.clear()
        self._silent_until[peer, what] = now + QUIET_S
        log.warn("{peer} does not speak HTTP: it looks like {what}", peer=peer, what=what)

"""When a change of files is worth loading: once they have been quiet for a moment, because a certificate and its key
are two files, and writers write in pieces."""

from __future__ import annotations

from typing import Final

LOOK_S: Final = 1.0
"""How often the files are looked at. A `stat` of five files costs 10 µs."""

QUIET_S: Final = 2.0
"""Both files of a pair are written within this time."""

Stamps = tuple[tuple[int, ...] | None, ...]
"""What changes when a file changes: device, inode, size, time of change. None: it is not there."""


class Watch:
    """Tells when files have changed and come to rest. `stamps` is their state when they were loaded."""

    def __init__(self, stamps: Stamps) -> None:
        self._loaded = stamps
        self._last = stamps
        self._changed_at = 0.0

    def is_due(self, stamps: Stamps, now: float) -> bool:
        """Whether to load what is there now; true once for each change."""
        if stamps != self._last:
            self._last = stamps
            self._changed_at = now
            return False
        if stamps == self._loaded or now - self._changed_at < QUIET_S:
            return False
        self._loaded = stamps
        return True

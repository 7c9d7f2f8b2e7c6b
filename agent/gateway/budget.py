"""The memory that bodies of requests may take in one gateway, all connections together.

Each body is bounded, and so is the number of connections; their product is 40 GiB. So there is a bound on the sum. Only
large bodies feel it: small ones, which nearly all events are, are counted and taken, so that uploads that crawl cannot
keep alarms out. Together they come to `max_connections` times `SMALL_BYTES` at the worst.
"""

from __future__ import annotations

import contextlib
from typing import Final

SMALL_BYTES: Final = 64 * 1024
"""Up to here a body is never refused for the sake of the sum."""

TIDY_FROM_BYTES: Final = 64 * 1024 * 1024
"""The C library keeps what is freed for the next who asks, so that one hour with many large bodies would show in the
process for ever. Below this it is not worth the call."""

CRAWL_BYTES_S: Final = 16 * 1024
PACE_S: Final = 5.0
"""Slower than this over that time is crawling: a modem of 1998 with bad luck. It only counts while room is short."""


class Budget:
    """Counts the bytes of bodies from their reading to the answer; `most_bytes` is where large ones are refused."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0
        self._freed_bytes = 0

    @property
    def is_tight(self) -> bool:
        """Whether three quarters are used: then who crawls has to go."""
        return 4 * self.held_bytes > 3 * self._most_bytes

    def has_room(self, size: int) -> bool:
        """Whether a body of this size may begin to come."""
        return size <= SMALL_BYTES or self.held_bytes + size <= self._most_bytes

    def take(self, size: int, *, of_bytes: int) -> bool:
        """Count `size` bytes of a body that comes to `of_bytes` with them; False when it has to be refused."""
        self.held_bytes += size
        return of_bytes <= SMALL_BYTES or self.held_bytes <= self._most_bytes

    def give_back(self, size: int) -> None:
        """The memory is free again."""
        self.held_bytes -= size
        self._freed_bytes += size

    def is_to_be_tidied(self) -> bool:
        """Whether so much was freed, and so little is held, that the system should have it back; true once."""
        if self._freed_bytes < TIDY_FROM_BYTES or 4 * self.held_bytes > self._freed_bytes:
            return False
        self._freed_bytes = 0
        return True


def tidy_up() -> None:
    """Give free memory back to the system, where the C library can (glibc; musl does so by itself). Takes some
    milliseconds, in which the interpreter is not held."""
    import ctypes  # it takes as long as the gateway's port, and most agents never get here

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Pace:
    """How fast one body has come since the last look. `now` is in seconds."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._bytes = 0

    def crawls(self, now: float, body_bytes: int) -> bool:
        """Whether the body, which has `body_bytes` by now, comes too slowly to be waited for while room is short."""
        if now - self._since < PACE_S:
            return False
        crawls = body_bytes - self._bytes < CRAWL_BYTES_S * (now - self._since)
        self._since, self._bytes = now, body_bytes
        return crawls

"""Ids of events: UUIDv7 (RFC 9562), which sort by time as text and as bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

_TAIL_BITS: Final = 74
"""What follows the 48 bits of milliseconds, version and variant left out: 12 + 62 bits."""
_LOW_MASK: Final = (1 << 62) - 1
_STEP_BITS: Final = 32
_WORDS: Final = 512


class DrawnBits:
    """Random bits for `EventIds`, drawn from the system 4 KiB at a time: asking it for each id costs 3 microseconds.

    `randbytes(n)` gives n bytes (`os.urandom`).
    """

    __slots__ = ("_randbytes", "_words")

    def __init__(self, randbytes: Callable[[int], bytes]) -> None:
        self._randbytes = randbytes
        self._words: list[int] = []

    def __call__(self, bits: int) -> int:
        """Return up to 64 bits, none of them twice."""
        if not self._words:
            self._words.extend(struct.unpack(f"<{_WORDS}Q", self._randbytes(8 * _WORDS)))
        return self._words.pop() >> (64 - bits)


class EventIds:
    """Gives a new id with each call, strictly increasing, also when the clock goes back or a restart lies between.

    `now_us` is the wall clock in microseconds, `randbits(n)` gives n random bits, `last` is the newest id that the
    spool holds (empty: none). The 12 bits behind the milliseconds carry the fraction of the millisecond (RFC 9562,
    section 6.2, method 3); where time does not advance, the previous id is increased by a random step (method 2),
    so that ids stay unguessable and unique. After a clock that went back, ids keep the old time until it is reached
    again.
    """

    __slots__ = ("_last", "_now_us", "_randbits")

    def __init__(self, *, now_us: Callable[[], int], randbits: Callable[[int], int], last: str = "") -> None:
        self._now_us = now_us
        self._randbits = randbits
        self._last = 0
        self.follow(last)

    def follow(self, last: str) -> None:
        """Let every id from now on be newer than `last` (empty: no id is older)."""
        if last:
            self._last = max(self._last, _without_marks(int(last.replace("-", ""), 16)))

    def __call__(self) -> str:
        """Return the next id in its 36-character text form, lower case."""
        now_us = self._now_us()
        value = (now_us // 1000) << _TAIL_BITS | (now_us % 1000 * 4096 // 1000) << 62 | self._randbits(62)
        if value <= self._last:
            value = self._last + 1 + self._randbits(_STEP_BITS)
        self._last = value
        whole = (value >> _TAIL_BITS) << 80 | 7 << 76 | (value >> 62 & 0xFFF) << 64 | 2 << 62 | value & _LOW_MASK
        text = whole.to_bytes(16, "big").hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _without_marks(whole: int) -> int:
    """Take version and variant out of a UUIDv7, so that what is left counts up without gaps."""
    return (whole >> 80) << _TAIL_BITS | (whole >> 64 & 0xFFF) << 62 | whole & _LOW_MASK

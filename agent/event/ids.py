"""Ids of events: UUIDv7 (RFC 9562), which sort by time as text and as bytes.

    019aa2c1-7c1e-7a39-b3b1-6c9d3f1f0a52
    |             ||   ||
    milliseconds  |    62 random bits behind the variant, the two bits 10
                  the version, and the fraction of the millisecond in 12 bits (section 6.2, method 3)

An id is put together from texts: what belongs to a millisecond is made once in it, fractions once and for all, and
random ends in stock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_FRACTIONS: Final = tuple(f"{us * 4096 // 1000:03x}-" for us in range(1000))
_VARIANT: Final = bytes(0x80 | octet & 0x3F for octet in range(256))
_STOCK: Final = 512
"""Random ends: asking the system for 4 KiB at a time, because asking for each id costs 3 microseconds."""
_END_BYTES: Final = 8
_STEP_BYTES: Final = 4

_TAIL_BITS: Final = 74
"""What follows the 48 bits of milliseconds, version and variant left out: 12 + 62 bits."""
_LOW_MASK: Final = (1 << 62) - 1


class EventIds:
    """Gives a new id with each call, strictly increasing, also when the clock goes back or a restart lies between.

    `now_us` is the wall clock in microseconds, `randbytes(n)` gives n random bytes, `last` is the newest id that the
    spool holds (empty: none). Where time does not advance, the previous id is increased by a random step (RFC 9562,
    section 6.2, method 2), so that ids stay unguessable and unique. After a clock that went back, ids keep the old time
    until it is reached again.
    """

    __slots__ = ("_ends", "_head", "_last", "_millisecond", "_now_us", "_randbytes")

    def __init__(self, *, now_us: Callable[[], int], randbytes: Callable[[int], bytes], last: str = "") -> None:
        self._now_us = now_us
        self._randbytes = randbytes
        self._last = last
        self._millisecond = -1
        self._head = ""
        self._ends: list[str] = []

    def follow(self, last: str) -> None:
        """Let every id from now on be newer than `last` (empty: no id is older)."""
        self._last = max(self._last, last)

    def __call__(self) -> str:
        """Return the next id in its 36-character text form, lower case."""
        now_us = self._now_us()
        millisecond = now_us // 1000
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            text = f"{millisecond:012x}"
            self._head = f"{text[:8]}-{text[8:]}-7"
        if not self._ends:
            self._ends = _ends_of(self._randbytes(_END_BYTES * _STOCK))
        made = self._head + _FRACTIONS[now_us - millisecond * 1000] + self._ends.pop()
        if made <= self._last:
            made = _increased(self._last, 1 + int.from_bytes(self._randbytes(_STEP_BYTES), "big"))
        self._last = made
        return made


def _ends_of(drawn: bytes) -> list[str]:
    """The last 64 bits of ids, each with its variant, as text."""
    octets = bytearray(drawn)
    octets[::_END_BYTES] = octets[::_END_BYTES].translate(_VARIANT)
    text = octets.hex()
    return [f"{text[at : at + 4]}-{text[at + 4 : at + 16]}" for at in range(0, len(text), 16)]


def _increased(text: str, step: int) -> str:
    """The id that is `step` greater, version and variant left in their places."""
    whole = int(text.replace("-", ""), 16)
    value = ((whole >> 80) << _TAIL_BITS | (whole >> 64 & 0xFFF) << 62 | whole & _LOW_MASK) + step
    whole = (value >> _TAIL_BITS) << 80 | 7 << 76 | (value >> 62 & 0xFFF) << 64 | 2 << 62 | value & _LOW_MASK
    text = whole.to_bytes(16, "big").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

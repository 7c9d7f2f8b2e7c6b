"""Reading Java's DataInput layout (big-endian numbers, counted octets, modified UTF-8) with every length
checked.

Raises TruncatedError when a length points behind the end, LimitError above a ceiling, CorruptError for
negative lengths and text that is no modified UTF-8.
Source: java.io.DataInput, section "Modified UTF-8".
"""

from __future__ import annotations

import struct

import attrs

from keystoretools.errors import CorruptError, TruncatedError
from keystoretools.limits import check


@attrs.define
class OctetReader:
    """A position in `data`; every method moves it forward."""

    data: bytes = attrs.field(repr=False)
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int, what: str) -> bytes:
        """The next `size` octets (not negative); `what` names them in an error."""
        if size > self.left:
            raise TruncatedError(what, offset=self.at, missing=size - self.left)
        start, self.at = self.at, self.at + size
        return self.data[start : self.at]

    def u1(self, what: str) -> int:
        return self.take(1, what)[0]

    def u2(self, what: str) -> int:
        return int.from_bytes(self.take(2, what), "big")

    def s4(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "big", signed=True)

    def s8(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "big", signed=True)

    def counted(self, what: str, ceiling: int) -> bytes:
        """A signed four-octet length, checked, and as many octets."""
        start = self.at
        size = self.s4(what)
        if size < 0:
            raise CorruptError(f"The file is damaged: the length of {what} at octet {start} is negative.", offset=start)
        check(f"{what} with a length", size, ceiling, offset=start)
        return self.take(size, what)

    def utf(self, what: str) -> str:
        """A two-octet length and modified UTF-8."""
        start = self.at
        return decode_modified_utf8(self.take(self.u2(what), what), offset=start)


def decode_modified_utf8(octets: bytes, *, offset: int = 0) -> str:
    """Text from Java's modified UTF-8: NUL may be C0 80, characters above U+FFFF are two surrogates.

    Surrogates that stand alone stay alone, as in a Java String.  Raises CorruptError.
    """
    if octets.isascii():
        return octets.decode("ascii")
    units: list[int] = []
    at, size = 0, len(octets)
    while at < size:
        first = octets[at]
        if first < 0x80:
            width, unit = 1, first
        elif first & 0xE0 == 0xC0:
            width, unit = 2, first & 0x1F
        elif first & 0xF0 == 0xE0:
            width, unit = 3, first & 0x0F
        else:
            width, unit = 0, 0
        rest = octets[at + 1 : at + width]
        if not width or at + width > size or any(octet & 0xC0 != 0x80 for octet in rest):
            raise CorruptError(f"The file is damaged: the text at octet {offset} is not UTF-8.", offset=offset)
        for octet in rest:
            unit = unit << 6 | octet & 0x3F
        units.append(unit)
        at += width
    return struct.pack(f">{len(units)}H", *units).decode("utf-16-be", "surrogatepass")


def encode_modified_utf8(text: str) -> bytes:
    """Java's modified UTF-8 of `text`, without the length."""
    if text.isascii() and "\0" not in text:
        return text.encode("ascii")
    packed = text.encode("utf-16-be", "surrogatepass")
    out = bytearray()
    for unit in struct.unpack(f">{len(packed) // 2}H", packed):
        if 0 < unit < 0x80:
            out.append(unit)
        elif unit < 0x800:
            out += bytes((0xC0 | unit >> 6, 0x80 | unit & 0x3F))
        else:
            out += bytes((0xE0 | unit >> 12, 0x80 | unit >> 6 & 0x3F, 0x80 | unit & 0x3F))
    return bytes(out)


def utf(text: str) -> bytes:
    """Length and modified UTF-8, as `OctetReader.utf` reads it.  The caller has checked the 65 535 octets."""
    octets = encode_modified_utf8(text)
    return len(octets).to_bytes(2, "big") + octets


def counted(octets: bytes) -> bytes:
    return len(octets).to_bytes(4, "big") + octets

"""Where TLS records end, told from their lengths. Source: RFC 8446 section 5.1 (type, version, length of two bytes)."""

from __future__ import annotations

from typing import Final

_HEADER_BYTES: Final = 5


class Frames:
    """Follows the records of one connection from its first byte on; bytes that are no TLS are OpenSSL's to refuse."""

    __slots__ = ("_left", "_part")

    def __init__(self) -> None:
        self._left = 0
        """Bytes that the last record still lacks."""
        self._part = b""
        """The beginning of a header."""

    def take(self, data: bytes) -> bool:
        """Go on by `data`; return whether it is exactly one whole record, with nothing of another before it."""
        is_clean = not self._left and not self._part
        if self._part:
            data = self._part + data
        at, size, records = self._left, len(data), 0
        while at + _HEADER_BYTES <= size:
            at += _HEADER_BYTES + (data[at + 3] << 8 | data[at + 4])
            records += 1
        self._left = max(0, at - size)
        self._part = data[at:]
        return is_clean and records == 1 and at == size

"""What is inside the body: Content-Type, and Content-Encoding with a bound on what comes out of it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Final

from agent.errors import SenderError

_CHARSET: Final = re.compile(r""";[ \t]*charset[ \t]*=[ \t]*"?([^\s";]{1,40})""", re.IGNORECASE)
_PIECE_BYTES: Final = 64 * 1024
"""Inflated bytes taken out at a time, so that a bomb is noticed within one piece."""
_RATIO_GRACE_BYTES: Final = 64 * 1024
"""Below this size the ratio says nothing: a few KiB of blanks shrink 200 times and harm nobody."""

_DEFLATE_OR_GZIP: Final = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
"""Content-Encoding -> wbits. `deflate` is the zlib format (RFC 9110, section 8.4.1.2); raw streams are refused."""


def charset_of(content_type: str) -> str | None:
    """The charset parameter, or None. `application/xml; charset=UTF-8` -> `UTF-8`."""
    if "=" not in content_type:
        return None
    found = _CHARSET.search(content_type)
    return found[1] if found else None


class Inflater:
    """Undoes a gzip or deflate encoding piece by piece.

    `max_bytes` bounds what comes out, `max_ratio` what comes out for each byte that went in. Several gzip members in a
    row are one body (RFC 1952, section 2.2); anything else behind the end is refused.
    """

    def __init__(self, *, wbits: int, max_bytes: int, max_ratio: int) -> None:
        self._new: Callable[[], zlib._Decompress] = lambda: zlib.decompressobj(wbits)
        self._stream = self._new()
        self._max_bytes = max_bytes
        self._max_ratio = max_ratio
        self._is_gzip = wbits > 15
        self._in = 0
        self._out = 0

    def feed(self, data: bytes) -> bytes:
        """Return what `data` inflates to; raise `SenderError` 400 (damaged) or 413 (too large)."""
        self._in += len(data)
        pieces: list[bytes] = []
        while data:
            if self._stream.eof:
                if not self._is_gzip:
                    raise _damaged("there are bytes behind the end of the compressed body")
                self._stream = self._new()
            try:
                piece = self._stream.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise _damaged(str(error).partition(": ")[2] or str(error)) from None
            self._out += len(piece)
            self._check_size()
            pieces.append(piece)
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return b"".join(pieces) if len(pieces) != 1 else pieces[0]

    def finish(self) -> None:
        """Raise `SenderError` 400 unless the stream has come to its end."""
        if not self._stream.eof:
            raise _damaged("the compressed body is cut off")

    def _check_size(self) -> None:
        if self._out > self._max_bytes:
            raise SenderError(
                "body-too-large",
                f"The body inflates to more than {self._max_bytes} bytes, the limit of this gateway. Send less.",
                status=413,
                title="Content Too Large",
                close=True,
            )
        if self._out > _RATIO_GRACE_BYTES and self._out > self._max_ratio * self._in:
            raise SenderError(
                "inflates-too-much",
                f"The body inflates to more than {self._max_ratio} times its size, as only compression bombs do. "
                "Send it uncompressed.",
                status=413,
                title="Compressed body inflates too much",
                close=True,
            )


def open_inflater(encoding: bytes, *, max_bytes: int, max_ratio: int) -> Inflater | None:
    """Return what undoes `encoding` (the value of Content-Encoding), None for `identity`; raise `SenderError` 415."""
    name = encoding.strip().lower()
    if name in (b"", b"identity"):
        return None
    wbits = _DEFLATE_OR_GZIP.get(name)
    if wbits is None:
        raise SenderError(
            "unsupported-content-encoding",
            f"The Content-Encoding {encoding.decode('latin-1')[:80]!r} is not supported. Send gzip, deflate or no "
            "encoding at all, and only one of them.",
            status=415,
            title="Unsupported Content-Encoding",
            headers=(("Accept-Encoding", "gzip, deflate, identity"),),
        )
    return Inflater(wbits=wbits, max_bytes=max_bytes, max_ratio=max_ratio)


def _damaged(what: str) -> SenderError:
    return SenderError(
        "bad-compression",
        f"The compressed body cannot be inflated: {what}.",
        status=400,
        title="Damaged compressed body",
        close=True,
    )

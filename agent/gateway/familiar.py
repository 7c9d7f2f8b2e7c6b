"""Requests whose head was read before: senders repeat themselves, byte for byte.

Where a request lies whole in what has just been received, and its head is one that was read, checked and let in before
(the same bytes, up to the empty line), reading it again would find the same. So it is not read again: the head's bytes
are looked up, and the body is what follows. Everything else goes through the parser, the first of its kind always.

Only heads without anything special are remembered: a POST over HTTP/1.1 with Content-Length, no coding of its
body, no expectation, no offer of another protocol.
"""

from __future__ import annotations

from typing import Final

import attrs

from agent.wire import Head

MAX_HEAD_BYTES: Final = 2048
"""Of a head that is remembered; those of programs have 150 to 600."""

MAX_BODY_BYTES: Final = 16 * 1024
"""A longer request does not come in one piece: see `transport.READ_BYTES`."""

MAX_HEADS: Final = 1024
"""Then all are forgotten, 4 MiB at the most; whoever is still there is read once more. Bodies of different lengths
make different heads, so a busy sender has some hundred of them."""


@attrs.frozen(eq=False)
class Familiar:
    """What the parser made of the head `raw`: its meaning, the target, the header fields."""

    raw: bytes
    head: Head
    target: bytes
    headers: list[tuple[bytes, bytes]]
    head_bytes: int
    body_bytes: int

    def begins(self, data: bytes) -> bool:
        """Whether `data` is one request with this head, no more and no less."""
        return len(data) == self.head_bytes + self.body_bytes and data.startswith(self.raw)


class FamiliarHeads:
    """The heads that were read before; one for each configuration of a gateway, because its limits were held."""

    def __init__(self) -> None:
        self._known: dict[bytes, Familiar] = {}

    def match(self, data: bytes) -> Familiar | None:
        """What is known of the request that `data` is, no more and no less."""
        known = self._known.get(data[: data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES) + 4])
        return known if known is not None and len(data) == known.head_bytes + known.body_bytes else None

    def find(self, data: bytes, start: int) -> tuple[Familiar, int] | None:
        """What is known of the request that begins at `start`, and where its body begins, if all of it is here."""
        body_start = data.find(b"\r\n\r\n", start, start + MAX_HEAD_BYTES) + 4
        known = self._known.get(data[start:body_start])
        if known is None or body_start + known.body_bytes > len(data):
            return None
        return known, body_start

    def learn(self, first: bytes, head: Head, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Remember the head that `first` begins with, which is what the parser was given at the start of a request."""
        if (
            head.method != "POST"
            or head.length is None
            or head.length > MAX_BODY_BYTES
            or head.is_http10
            or head.expects_continue
            or head.content_encoding
            or head.fault is not None
        ):
            return
        raw = first[: first.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES) + 4]
        # What the parser took for lines and what stands there must be the same: request line, headers, empty line.
        if not raw.startswith(b"POST ") or raw.count(b"\n") != len(headers) + 2:
            return
        if len(self._known) >= MAX_HEADS:
            self._known.clear()
        self._known[raw] = Familiar(raw, head, target, headers, len(raw), head.length)

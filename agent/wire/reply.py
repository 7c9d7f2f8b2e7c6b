"""The answers of an HTTP server, read from bytes by llhttp (httptools). Pure.

The status decides, so once a head has been read nothing behind it is a fault: a body that breaks off, is too long or
framed wrongly is kept as far as it came, and marked as cut. Whatever leaves a doubt where the next answer would begin
makes the connection unfit for another request.
"""

from __future__ import annotations

from typing import Final

import attrs
import httptools

MAX_HEAD_BYTES: Final = 64 * 1024
"""Of an answer and the interim ones before it together. A server behind nginx has 4 to 8 KiB, Node takes 16 KiB, curl
300; what is shown of it is one status and four fields."""

FRAMING_SLACK_BYTES: Final = 16 * 1024
"""Chunk extensions and trailers allowed on top of six bytes for each byte of the body, as for the gateway."""


_REFUSED: Final = (httptools.HttpParserError, httptools.HttpParserUpgrade)
_NO_ANSWER: Final = "what came back is not HTTP/1.1"


class ReplyError(Exception):
    """What came is no answer. The text ends a sentence that begins with where it came from."""


@attrs.frozen(kw_only=True)
class Reply:
    """Status, fields and body of an answer; names are in lower case. `is_cut`: `body` is not the whole."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    is_cut: bool

    def values(self, name: bytes) -> list[str]:
        """The values of a field, by its name in lower case."""
        return [value.strip().decode("latin-1") for key, value in self.fields if key == name]

    def first(self, name: bytes) -> str:
        """The first value of a field; empty where there is none."""
        for key, value in self.fields:
            if key == name:
                return value.strip().decode("latin-1")
        return ""


class ReplyReader:
    """Reads the answers of one connection one by one: `expect`, then `feed` until `is_complete`, then `take`.

    The `on_...` methods are called by httptools.
    """

    def __init__(self, *, max_body_bytes: int) -> None:
        self._max_body_bytes: Final = max_body_bytes
        self._is_lenient = False
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._begin(is_head=False)

    def expect(self, *, is_head: bool) -> None:
        """The next answer is one to a new request, `is_head`: to HEAD, which has no body whatever its head says."""
        self._begin(is_head=is_head)

    def _begin(self, *, is_head: bool) -> None:
        self._is_head = is_head
        self._head = b""
        self._wire_bytes = 0
        self._status = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._room = self._max_body_bytes
        self._is_cut = False
        self._is_over = False
        self._is_framed_well = False
        self.is_complete = False
        """Whether all of the answer is here, or as much as is kept of it."""

    @property
    def has_heard(self) -> bool:
        """Whether anything of the answer came."""
        return bool(self._head)

    @property
    def has_head(self) -> bool:
        """Whether the status is known."""
        return self._status > 0

    @property
    def can_go_on(self) -> bool:
        """Whether another request may be sent over the same connection: this answer ended where it should, with
        nothing behind it."""
        return self._is_framed_well and not self._is_lenient

    def feed(self, data: bytes) -> None:
        """Read on; raise `ReplyError` for what is no answer. Not to be called again then, nor once it is complete."""
        if not self.has_head:
            room = MAX_HEAD_BYTES - len(self._head)
            piece, data = (data, b"") if len(data) <= room else (data[:room], data[room:])
            self._head += piece
            self._read_head(piece)
            if not self.has_head and len(self._head) == MAX_HEAD_BYTES:
                raise ReplyError(f"the head of its answer is longer than {MAX_HEAD_BYTES // 1024} KiB")
            if not data:
                return
            if self.is_complete:
                self._is_framed_well = False
                return
        self._read_body(data)

    def cut(self) -> None:
        """No more will come: the connection has ended, or nobody waits any longer. The status must be known."""
        if self.is_complete:
            return
        # Where the head names no length, the end of the connection is the end of the body.
        coding = b",".join(value for name, value in self._fields if name == b"transfer-encoding").strip().lower()
        has_length = any(name == b"content-length" for name, _ in self._fields)
        self._finish(is_cut=coding.endswith(b"chunked") if coding else has_length)

    def give_up(self) -> None:
        """As `cut`, but it is us who end the connection, so whatever came is not the whole."""
        if not self.is_complete:
            self._finish(is_cut=True)

    def take(self) -> Reply:
        """The answer, once it is complete."""
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return Reply(status=self._status, fields=tuple(self._fields), body=body, is_cut=self._is_cut)

    def close(self) -> None:
        """Let go of the parser, which is tied to this reader in a circle."""
        self._parser = None

    # ---- httptools calls these ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_complete:
            self._is_framed_well = False
        else:
            self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers are nothing that decides about an event.
        if not self._status:
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._status:
            return
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 100 or status == 101:
            raise ReplyError(_NO_ANSWER)  # 101: it speaks another protocol from here on, which nobody asked for
        if status >= 200:
            self._status = status
            self._keeps_alive = self._parser.should_keep_alive()
            if self._is_head:
                # The parser cannot be told, and would wait for a body. Where it does not, it says so right after this.
                self.is_complete = True

    def on_body(self, body: bytes) -> None:
        if not self._status:
            raise ReplyError(_NO_ANSWER)  # interim answers have none
        if self.is_complete:
            self._is_over = True  # a body behind the answer to HEAD
            return
        if len(body) > self._room:
            self._pieces.append(body[: self._room])
            self._finish(is_cut=True)
            return
        self._room -= len(body)
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._status and not self._is_over:
            self.is_complete = self._is_over = True
            self._is_framed_well = self._keeps_alive

    # ------------------------------------------------------------------------------------------------------------

    def _misframed(self) -> None:
        self._is_framed_well = False
        if not self.is_complete:
            self._finish(is_cut=True)

    def _finish(self, *, is_cut: bool) -> None:
        self.is_complete = self._is_over = True
        self._is_cut = is_cut
        self._is_framed_well = False

    def _read_head(self, piece: bytes) -> None:
        """Read on in the head; where the strict parser refuses it, a lenient one reads it from its beginning."""
        assert self._parser is not None
        try:
            self._parser.feed_data(piece)
        except _REFUSED as error:
            if self.has_head:
                self._misframed()
            elif isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
                raise error.__context__ from None
            elif self._is_lenient:
                raise ReplyError(_NO_ANSWER) from None
            else:
                self._read_leniently()

    def _read_leniently(self) -> None:
        """Small devices end lines with LF alone, fold them or name both a length and chunks. RFC 9112 lets a client
        read that (2.2, 5.2, 6.3); the connection is not used again, so that no doubt reaches the next answer."""
        self._is_lenient = True
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._read_head(self._head)

    def _read_body(self, data: bytes) -> None:
        assert self._parser is not None
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except _REFUSED:
            self._misframed()
            return
        body_bytes = self._max_body_bytes - self._room
        if not self.is_complete and self._wire_bytes > 7 * body_bytes + FRAMING_SLACK_BYTES + MAX_HEAD_BYTES:
            self._finish(is_cut=True)

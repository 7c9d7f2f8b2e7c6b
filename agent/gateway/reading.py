"""Bytes to requests: llhttp (httptools) held to the gateway's limits.

Reading goes round three stages: IDLE --first byte--> HEAD --empty line--> BODY --last byte--> IDLE. Whatever a sender
does wrong leaves `feed` as a `SenderError`; the reader is not to be fed again after one.
"""

from __future__ import annotations

import enum
from functools import cached_property
from typing import Final, Protocol

import httptools
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.config.model import GatewayLimits
from agent.errors import SenderError
from agent.gateway.familiar import FamiliarHeads
from agent.gateway.slot import Slot
from agent.wire import Head, open_inflater, read_head
from agent.wire.content import Inflater
from agent.wire.refusal import (
    cut_off,
    internal_error,
    too_large_body,
    too_large_head,
    too_long_target,
    too_much_framing,
    unreadable,
)

log = Logger(namespace="gateway")

FEED_BYTES: Final = 4096
"""Fed to the parser at a time outside a body of known length: it cannot be stopped in the middle, so this bounds how
many small requests are taken in beyond `max_pipelined` (about 60)."""

CHUNK_OVERHEAD_BYTES: Final = 16 * 1024
"""Chunk extensions and trailers allowed on top of six bytes for each byte of the body (Node.js: 16 KiB)."""

HEAD_SLACK_BYTES: Final = 8 * 1024
"""The parser shows a header when it is whole; until then the bytes fed count, and these may include a piece of the
request before."""


class Stage(enum.Enum):
    """What is being read."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


IDLE: Final = Stage.IDLE
"""Looked at several times for each request; a member of an enumeration costs 50 ns each time it is looked up."""


class Recipient(Protocol):
    """Who takes the requests: the connection."""

    def begin_request(
        self, head: Head, target: bytes, headers: list[tuple[bytes, bytes]], fault: SenderError | None
    ) -> Slot:
        """A head has been read and can be trusted; `fault` is what makes its body unreadable.

        Raise `SenderError` to end the connection's reading, or set the slot's `refusal`.
        """

    def hold_body(self, slot: Slot, size: int) -> None:
        """`size` further bytes of its body are kept in memory; raise `SenderError` where that is too much."""

    def end_request(self, slot: Slot, body: bytes) -> None:
        """The request is complete. For a slot with a `refusal` the body was dropped."""


class RequestReader:
    """Reads the requests of one connection. The `on_...` methods are called by httptools."""

    def __init__(self, *, limits: GatewayLimits, familiar: FamiliarHeads, recipient: Recipient) -> None:
        self.stage = IDLE
        self.slot: Slot | None = None
        """The request whose body is being read."""
        self.body_bytes = 0
        """Of its body so far, as they came (not inflated)."""
        self.is_done = False
        """The last request of the connection has been read; what follows is not looked at."""
        self._limits = limits
        self._familiar = familiar
        self._recipient = recipient
        self._first = b""
        """What the parser was given at the start of the request that is being read."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._head_fed_bytes = 0
        self._known: tuple[object, ...] = ()
        self._known_head: Head | None = None
        self._pieces: list[bytes] = []
        self._wire_bytes = 0
        self._inflater: Inflater | None = None
        self._has_upgrade = False
        self._is_replaying = False

    @cached_property
    def _parser(self) -> httptools.HttpRequestParser:
        """Made when it is needed first: senders whose requests all have familiar heads need none."""
        return httptools.HttpRequestParser(self)

    @property
    def piece_bytes(self) -> int:
        """How much can be fed without reading on into many further requests."""
        if self.slot is None or self.slot.head is None or self.slot.head.length is None:
            return FEED_BYTES
        return max(FEED_BYTES, self.slot.head.length - self.body_bytes)

    @property
    def has_read_nothing(self) -> bool:
        """Whether not even one header line of this request could be read."""
        return not self._headers

    def take_familiar(self, data: bytes, start: int) -> int:
        """Take the request that begins at `start` if its head was read before and all of it is here.

        Return where it ends, `start` for a request that has to be fed. To be called in the stage IDLE.
        """
        found = self._familiar.find(data, start)
        if found is None:
            return start
        known, body_start = found
        end = body_start + known.body_bytes
        slot = self._recipient.begin_request(known.head, known.target, known.headers, None)
        self._recipient.hold_body(slot, known.body_bytes)
        self.is_done = not known.head.keep_alive
        self._recipient.end_request(slot, data[body_start:end])
        return end

    def feed(self, piece: bytes) -> None:
        """Read `piece`; raise `SenderError` for what the sender did wrong."""
        if self.stage is IDLE:
            self._first = piece
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._replay_without_upgrade()
            if not self.is_done:
                self.feed(piece[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if isinstance(cause, SenderError):
                raise cause from None
            log.failure("a request met a fault in the agent", Failure(cause))  # type: ignore[no-untyped-call]
            raise internal_error() from None
        except httptools.HttpParserError as error:
            if self.is_done:
                return  # bytes behind the last request: not asked for, not read
            raise unreadable(str(error)) from None
        if self.stage is Stage.HEAD:
            self._head_fed_bytes += len(piece)
            if self._head_fed_bytes > self._limits.max_head_bytes + HEAD_SLACK_BYTES:
                raise too_large_head(f"{self._limits.max_head_bytes} bytes")
        elif self.stage is Stage.BODY:
            self._wire_bytes += len(piece)
            if self._wire_bytes > 7 * self.body_bytes + CHUNK_OVERHEAD_BYTES + self._limits.max_head_bytes:
                raise too_much_framing()

    def let_go(self) -> None:
        """The connection is lost, and nothing is fed any more: drop what holds this and is held by it."""
        vars(self).pop("_parser", None)
        del self._recipient

    def drop_body(self) -> None:
        """Let go of what has been read of a body."""
        self._pieces = []

    def cut_off(self) -> SenderError:
        """The error for a sender that ends its side in the middle of what is being read."""
        if self.slot is None or self.slot.head is None:
            return cut_off("before the end of its head")
        if self.slot.head.length is None:
            return cut_off(f"after {self.body_bytes} bytes of its body, without a last chunk")
        return cut_off(f"after {self.body_bytes} of {self.slot.head.length} bytes of its body")

    def on_message_begin(self) -> None:
        if self._is_replaying or self.is_done:
            return
        self.stage = Stage.HEAD
        self._target = b""
        self._headers = []
        self._head_bytes = self._head_fed_bytes = 0

    def on_url(self, piece: bytes) -> None:
        if self._is_replaying or self.is_done:
            return
        self._target += piece
        if len(self._target) > self._limits.max_request_line_bytes:
            raise too_long_target(self._limits.max_request_line_bytes)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.stage is not Stage.HEAD or self.is_done:
            return  # trailers: they may say nothing that matters here, and llhttp refuses those that would re-frame
        self._headers.append((name, value))
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._limits.max_head_bytes:
            raise too_large_head(f"{self._limits.max_head_bytes} bytes")
        if len(self._headers) > self._limits.max_header_count:
            raise too_large_head(f"{self._limits.max_header_count} lines")

    def on_headers_complete(self) -> None:
        if self._is_replaying:
            self._is_replaying = False
            return
        if self.is_done:
            return
        head = self._read_head()
        self._has_upgrade = self._parser.should_upgrade()
        self.stage = Stage.BODY
        self.body_bytes = self._wire_bytes = 0
        self._pieces = []
        self._inflater = None
        fault = head.fault or (self._open_body(head) if head.content_encoding else None)
        self.slot = self._recipient.begin_request(head, self._target, self._headers, fault)
        first, self._first = self._first, b""
        if first and not self._has_upgrade and self.slot.refusal is None and self.slot.doubt is None:
            self._familiar.learn(first, head, self._target, self._headers)

    def on_body(self, piece: bytes) -> None:
        slot = self.slot
        if slot is None:
            return
        self.body_bytes += len(piece)
        if self.body_bytes > self._limits.max_body_bytes:
            raise too_large_body(self._limits.max_body_bytes)
        if slot.refusal is None:
            kept = piece if self._inflater is None else self._inflater.feed(piece)
            self._recipient.hold_body(slot, len(kept))
            self._pieces.append(kept)

    def on_message_complete(self) -> None:
        if self._has_upgrade:
            return  # see _replay_without_upgrade
        slot = self.slot
        if slot is None or slot.head is None:
            return
        if self._inflater is not None and slot.refusal is None:
            self._inflater.finish()
        self.slot = None
        self.stage = IDLE
        self.is_done = self.is_done or not slot.head.keep_alive
        pieces, self._pieces = self._pieces, []
        self._recipient.end_request(slot, pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _open_body(self, head: Head) -> SenderError | None:
        """Get ready to undo the Content-Encoding; return what is wrong with it."""
        limits = self._limits
        try:
            self._inflater = open_inflater(
                head.content_encoding, max_bytes=limits.max_body_bytes, max_ratio=limits.max_inflate_ratio
            )
        except SenderError as error:
            return error
        return None

    def _read_head(self) -> Head:
        """Senders repeat themselves: a head that equals the one before, but for its target, is not read again."""
        parser = self._parser
        known = (parser.get_method(), parser.get_http_version(), parser.should_keep_alive(), self._headers)
        head = self._known_head
        if head is None or known != self._known:
            method, version, keep_alive, headers = known
            head = read_head(method=method.decode("ascii"), version=version, headers=headers, keep_alive=keep_alive)
            self._known = known
            # A fault is raised, and an exception that is raised again and again keeps all its tracebacks.
            self._known_head = None if head.fault else head
        return head

    def _replay_without_upgrade(self) -> None:
        """Read the body of a request that offered another protocol, which llhttp skips.

        Java's HttpClient and `curl --http2` send `Upgrade: h2c` with ordinary POSTs. A server may ignore the offer
        (RFC 9110, section 7.8), so a fresh parser is given a head with the same framing and no offer.
        """
        self._has_upgrade = False
        length = self.slot.head.length if self.slot and self.slot.head else 0
        framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        self._parser = httptools.HttpRequestParser(self)
        self._is_replaying = True
        self.feed(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")

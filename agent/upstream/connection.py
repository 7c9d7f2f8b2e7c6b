"""One connection to a destination or its proxy: one request at a time, each written at once, each answer read whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.upstream.exchange import Exchange, Phase
from agent.wire.reply import Reply, ReplyError, ReplyReader

READ_BYTES: Final = 18 * 1024
"""Read from a socket at a time, as by the gateway; Twisted's 64 KiB are taken from the C library for each answer."""


class Keeper(Protocol):
    """Who has the connections that are not in use: the pool."""

    def keep(self, connection: Connection) -> None:
        """Its answer is read, and it can take another request."""

    def part(self, connection: Connection) -> None:
        """Its answer is read, and it is of no more use."""

    def lost(self, connection: Connection) -> None:
        """It is gone, or as good as gone; may be said twice."""


@implementer(IPushProducer)
class Connection(protocol.Protocol):
    """Speaks HTTP/1.1 over one transport. `key` says which requests may use it.

    `is_bare`: there is no TLS around it, so that the socket itself may be written to. Twisted's `transport.write` would
    send in a later turn of the reactor, at the price of two calls of epoll.
    """

    transport: Any

    def __init__(self, *, key: Hashable, is_bare: bool, max_body_bytes: int, keeper: Keeper) -> None:
        self.key: Final = key
        self._is_bare = is_bare
        self._keeper = keeper
        self._reader = ReplyReader(max_body_bytes=max_body_bytes)
        self._send_now: Callable[[bytes], int] | None = None
        self._asking: Deferred[Reply] | None = None
        self._exchange: Exchange | None = None
        self._is_blocked = False
        self._end: Failure | None = None

    @property
    def has_heard(self) -> bool:
        """Whether anything came of the answer to the newest request."""
        return self._reader.has_heard

    def ask(self, request: bytes, *, is_head: bool, exchange: Exchange) -> Deferred[Reply]:
        """Send a whole request; gives its answer, or fails with what became of the connection, or `ReplyError`.

        Once the status is known it does not fail any more: what comes of the body then is the body, also where it is
        cancelled. The phase of `exchange` follows the answer.
        """
        if self._end is not None:
            return fail(self._end)
        self._reader.expect(is_head=is_head)
        self._exchange = exchange
        asking: Deferred[Reply] = Deferred(self._cancelled)
        self._asking = asking
        self._send(request)
        return asking

    def close(self) -> None:
        """Say goodbye; it is lost when the far end has, too."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Drop it at once, without a TLS farewell that the far end could delay."""
        self.transport.abortConnection()

    # ---- Twisted calls these -----------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        if self._is_bare:
            self.transport.bufferSize = READ_BYTES
            self._send_now = self.transport.getHandle().send

    def dataReceived(self, data: bytes) -> None:
        asking = self._asking
        if asking is None:
            # Nobody has asked, and the next one who does must not take this for the answer.
            self._keeper.lost(self)
            self.abort()
            return
        try:
            self._reader.feed(data)
        except ReplyError as error:
            self._asking = None
            self.abort()
            asking.errback(error)
            return
        if self._reader.is_complete:
            self._answered(asking)
        elif self._reader.has_head and self._exchange is not None:
            self._exchange.phase = Phase.READING

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end = reason
        self._keeper.lost(self)
        asking, self._asking = self._asking, None
        if asking is not None and self._reader.has_head:
            self._reader.cut()
            asking.callback(self._reader.take())
        elif asking is not None:
            asking.errback(reason)
        self._reader.close()

    def pauseProducing(self) -> None:
        """More is waiting to be sent than fits."""
        self._is_blocked = True

    def resumeProducing(self) -> None:
        """All that waited has left."""
        self._is_blocked = False

    def stopProducing(self) -> None:
        """`connectionLost` tells the same."""

    # ------------------------------------------------------------------------------------------------------------

    def _send(self, request: bytes) -> None:
        if self._send_now is not None:
            try:
                sent = self._send_now(request)
            except OSError:
                sent = 0  # a full window; or the connection is gone, which the transport's own write finds out
            if sent == len(request):
                return
            # What follows must not overtake what the transport holds from now on.
            self._send_now = None
            request = request[sent:]
        self.transport.write(request)

    def _answered(self, asking: Deferred[Reply]) -> None:
        self._asking = None
        reply = self._reader.take()
        # A far end that answers before it has read the whole request may never read the rest.
        if self._is_blocked:
            self.abort()
        elif self._reader.can_go_on:
            self._keeper.keep(self)
        else:
            self._keeper.part(self)
        asking.callback(reply)

    def _cancelled(self, asking: Deferred[Reply]) -> None:
        self._asking = None
        self.abort()
        if self._reader.has_head:
            self._reader.give_up()
            asking.callback(self._reader.take())

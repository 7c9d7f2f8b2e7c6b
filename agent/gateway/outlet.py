"""The way out of a connection: at once where the socket takes it, bounded and watched where it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

PIECE_BYTES: Final = 64 * 1024
"""Handed to the transport at a time when the peer reads slowly; each piece that leaves is progress."""


@implementer(IPullProducer)
class Outlet:
    """Sends bytes over `transport`, directly while nothing is waiting.

    Twisted's `transport.write` always buffers and sends in a later turn of the reactor, which costs two epoll calls and
    a turn for each answer. Here the socket itself sends, or `writeSomeData` of a transport that has none (TLS). What
    it leaves over is buffered here, and `moved` is called each time a piece of it has gone and once it has gone
    wholly: so the connection can tell a slow peer from a dead one.
    """

    def __init__(self, transport: Any, *, moved: Callable[[], None]) -> None:
        self._transport = transport
        self._send_now = _sender_of(transport)
        self._moved = moved
        self._backlog = bytearray()
        self.is_blocked = False
        """Whether bytes are waiting for the peer to read."""

    def send(self, data: bytes) -> None:
        """Send `data` after everything sent before."""
        if self.is_blocked:
            self._backlog += data
            return
        try:
            sent = self._send_now(data)
        except OSError:
            sent = 0  # a full window; or the connection is gone, which the transport's own write finds out in its turn
        if sent == len(data):
            return
        # Anything but a number means that the connection is gone as well.
        rest = data[sent:] if isinstance(sent, int) else data
        self._backlog += rest
        self.is_blocked = True
        self._transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The transport has sent all it had."""
        if self._backlog:
            piece = bytes(self._backlog[:PIECE_BYTES])
            del self._backlog[:PIECE_BYTES]
            self._transport.write(piece)
        elif self.is_blocked:
            self.is_blocked = False
            self._transport.unregisterProducer()
        self._moved()

    def stopProducing(self) -> None:
        """The connection is lost; what waited is lost with it."""
        self._backlog.clear()

    def let_go(self) -> None:
        """Tell nobody any more: who holds this and is held by it waits for the garbage collector."""
        self._moved = _nobody


def _nobody() -> None:
    """Stands in for who was told."""


def _sender_of(transport: Any) -> Callable[[bytes], object]:
    """What sends at once: gives the number of bytes that it took, or raises `OSError`."""
    if hasattr(transport, "getHandle"):
        send: Callable[[bytes], object] = transport.getHandle().send
        return send
    return getattr(transport, "writeSomeData", None) or (lambda _: 0)

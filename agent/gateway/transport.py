"""The socket of one connection, under the reactor: what the gateway's connections read from and send to.

Twisted's `tcp.Server` does the same for everybody, and takes another turn of the reactor to close; see
docs/decisions/0035. This one does what a gateway needs and no more: `Outlet` sends by the socket itself and is the only
producer; reading takes `READ_BYTES`; and what has nothing left to send closes at once.

`connectionLost` of the protocol is therefore called inside `loseConnection` and `abortConnection`.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any, Final

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableDescriptor, IPullProducer, IReadWriteDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

READ_BYTES: Final = 18 * 1024
"""Read from a socket at a time: a full TLS record with its frame. Twisted's own 64 KiB are taken from the C library and
given back for each request of some hundred bytes, which makes reading a fifth dearer."""

_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time: closing sends a reset, and drops what has not gone."""

_DONE: Final = Failure(CONNECTION_DONE)  # type: ignore[no-untyped-call]
_ABORTED: Final = Failure(ConnectionAborted())  # type: ignore[no-untyped-call]
"""Made once: each costs as much as closing."""


@implementer(IReadWriteDescriptor, IHalfCloseableDescriptor)
class SocketTransport:
    """A connection that was accepted. `protocol` gets what comes; whoever takes over is put in its place.

    The arguments are those with which `tcp.Port` calls its `transport`.
    """

    def __init__(
        self, accepted: socket.socket, protocol: Any, peer: object, port: object, number: int, reactor: Any
    ) -> None:
        accepted.setblocking(False)
        self.protocol = protocol
        self.fileno = accepted.fileno
        self._socket = accepted
        self._reactor = reactor
        self._unsent = bytearray()
        self._producer: IPullProducer | None = None
        self._is_closing = False
        self._is_half_closing = False
        self._is_gone = False
        reactor.addReader(self)

    def getHandle(self) -> socket.socket:
        """What sends at once, while nothing waits here."""
        return self._socket

    # ---- the reactor calls these -------------------------------------------------------------------------------

    def doRead(self) -> Any:
        """Hand on what has come; return the exception that ends it, or None."""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def doWrite(self) -> Any:
        """Send of what waits as much as the peer takes; return the exception that ends it, or None."""
        if self._is_gone:
            return None  # reading in the same turn has ended it
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        del self._unsent[:sent]
        if not self._unsent:
            self._go_on()
            if not self._unsent:
                self._reactor.removeWriter(self)
        return None

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer has ended its side."""
        self.protocol.readConnectionLost()

    def writeConnectionLost(self, reason: Failure) -> None:
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """It is over, for the reactor or by one of the methods below."""
        if self._is_gone:
            return
        self._is_gone = True
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self._socket.close()
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        protocol, self.protocol = self.protocol, None
        protocol.connectionLost(reason)

    def logPrefix(self) -> str:
        return "gateway"

    # ---- the protocol calls these ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send `data` as soon as the peer takes it."""
        if not self._is_gone:
            self._unsent += data
            self._reactor.addWriter(self)

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        """Ask `producer` for more each time that all before has gone; only pull producers are known here."""
        assert not streaming
        if self._is_gone:
            producer.stopProducing()
            return
        self._producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        if not self._unsent:
            self._go_on()

    def pauseProducing(self) -> None:
        """Read nothing for a while."""
        if not self._is_gone:
            self._reactor.removeReader(self)

    def resumeProducing(self) -> None:
        if not (self._is_gone or self._is_closing):
            self._reactor.addReader(self)

    def loseConnection(self) -> None:
        """Read nothing more, and close once everything has gone."""
        if self._is_gone or self._is_closing:
            return
        self._is_closing = True
        if self._unsent or self._producer is not None:
            self._reactor.removeReader(self)
        else:
            self.connectionLost(_DONE)

    def loseWriteConnection(self) -> None:
        """End our side once everything has gone; what the peer still says is read."""
        self._is_half_closing = True
        if not self._unsent:
            self._go_on()

    def abortConnection(self) -> None:
        """Cut the connection, whatever waits."""
        if not self._is_gone:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connectionLost(_ABORTED)

    def acknowledge(self) -> None:
        """Tell the peer's kernel at once that all has come, though nothing is said to it yet.

        One that sends by Nagle's rule keeps its next small packet back until then, and ours would wait 40 ms for an
        answer to go along with. Linux only (tcp(7), TCP_QUICKACK).
        """
        with suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _go_on(self) -> None:
        """What is next, now that nothing waits?"""
        if self._is_gone:
            return
        if self._producer is not None:
            self._producer.resumeProducing()
        elif self._is_closing:
            self.connectionLost(_DONE)
        elif self._is_half_closing:
            self._is_half_closing = False
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
            self.protocol.writeConnectionLost()

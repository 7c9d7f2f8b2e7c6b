"""TLS on one connection: a protocol towards the socket, a transport towards the HTTP connection inside.

Our own, over a `Side` in memory, and not Twisted's `TLSMemoryBIOProtocol`, for four reasons:

* An answer goes to the socket in the same turn (`Outlet`), as over plain HTTP; Twisted's aggregates and buffers.
* A sender may end its side (close_notify) and still get its answers; Twisted's layer closes both sides at once.
* The HTTP connection comes into being after the handshake, with the verified client certificate.
* Each failure is told with OpenSSL's reasons and what the ClientHello offered, and the alert reaches the peer.

Methods of a transport that are not written here must not exist: `Outlet` looks for `writeSomeData`, and one that goes
through to the socket would send an answer in the clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.gateway.arrival import Farewell, House
from agent.gateway.census import Worth
from agent.gateway.outlet import Outlet
from agent.gateway.served import Served
from agent.gateway.tlsside import RECORD_BYTES, BrokenTls
from agent.wire.hello import HELLO_BYTES, read_hello
from agent.wire.misuse import Cause, alert_of, handshake_cause

if TYPE_CHECKING:
    from agent.gateway.connection import Connection


@implementer(IHalfCloseableProtocol)
class TlsTransport(Protocol):
    """One TLS connection from its first byte on. `since` and `deadline` are times of the gateway's clock."""

    transport: Any

    def __init__(self, *, house: House, served: Served, peer: str, since: float, deadline: float) -> None:
        self._house = house
        self._served = served
        self._peer = peer
        self._since = since
        self._deadline = deadline
        self._beginning = b""
        """What came first, kept until the first request shows that all went well."""
        self._connection: Connection | None = None
        self._producer: Any = None
        self._has_been_asked = False
        self._keeps_tickets = False
        """What TLS has to say is tickets, and they wait for the first answer."""
        self._has_said_end = False
        self._is_noted = False
        self._is_deaf = False
        self._is_ending = False
        self._is_gone = False

    def begin(self, transport: Any, first: bytes) -> None:
        """Take over the socket; `first` is what has been read from it."""
        transport.protocol = self
        self.makeConnection(transport)  # type: ignore[no-untyped-call]
        self._outlet = Outlet(transport, moved=self._output_moved)
        self._side = self._served.accept(first)
        self.dataReceived(first)

    # ---- the socket calls these --------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self._is_deaf:
            if self._connection is not None:
                self._connection.dataReceived(data)  # only to be counted: it lingers
            return
        self._side.hear(data)
        if self._connection is None:
            if len(self._beginning) < HELLO_BYTES:
                self._beginning += data
            if self._shake_hands():
                self._read()
                if self._keeps_tickets:
                    self.transport.acknowledge()  # the sender has said its part of the handshake, and hears nothing yet
            return
        self._read()

    def readConnectionLost(self) -> None:
        """The peer has closed its side of the socket, with or without a close_notify before.

        Requests have their own framing, so a missing close_notify can make none of them look complete.
        """
        if self._connection is None:
            self._note(Cause.HANDSHAKE_RESET)
            self.transport.loseConnection()
        elif not self._is_deaf:
            self._peer_has_ended(self._connection)
        else:
            self._connection.readConnectionLost()

    def writeConnectionLost(self) -> None:
        """Our own half-close has gone out."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._is_gone = True
        self._producer = None
        if self._connection is None:
            self._note(Cause.HANDSHAKE_RESET)
            self._house.lost(self)
        else:
            if not self._has_been_asked:
                self._note(self._left_cause())
            self._connection.connectionLost(reason)
        self._is_noted = True
        # Without waiting for the garbage collector: what OpenSSL keeps is many times ours.
        self._connection = None
        self._outlet.let_go()
        del self._side

    # ---- the gateway calls these -------------------------------------------------------------------------------

    @property
    def worth(self) -> Worth:
        """What would be lost with it."""
        return Worth.NOTHING_YET if self._connection is None else self._connection.worth

    def sweep(self, now: float) -> None:
        """End what has taken too long, and give tickets to those who ask for nothing."""
        if self._connection is not None:
            if self._keeps_tickets:
                self._keeps_tickets = False
                self._flush()
            self._connection.sweep(now)
        elif now >= self._deadline:
            self._note(Cause.HANDSHAKE_TIMEOUT)
            self.abort()

    def wind_down(self) -> None:
        """The gateway stops."""
        if self._connection is not None:
            self._connection.wind_down()
        else:
            self._is_noted = True
            self.transport.loseConnection()

    def abort(self) -> None:
        """Cut the connection now."""
        if self._connection is not None:
            self._connection.abort()
        else:
            self._is_noted = True
            self.transport.abortConnection()

    # ---- the connection inside calls these ---------------------------------------------------------------------

    def writeSomeData(self, data: bytes) -> int:
        """Encrypt and send what the socket takes, in whole records; return how many bytes that were."""
        sent = 0
        while sent < len(data) and not self._outlet.is_blocked and not self._is_gone:
            piece = data if len(data) <= RECORD_BYTES else data[sent : sent + RECORD_BYTES]
            sent += len(piece)
            self._encrypt(piece, is_whole=sent == len(data))
        return sent

    def write(self, data: bytes) -> None:
        """Encrypt and send `data` wholly; what the socket does not take is kept."""
        for start in range(0, len(data), RECORD_BYTES):
            if not self._is_gone:
                self._encrypt(data[start : start + RECORD_BYTES])

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Ask `producer` for more each time that all before has gone. Only pull producers are known here."""
        assert not streaming
        if self._is_gone:
            producer.stopProducing()
            return
        self._producer = producer
        self._output_moved()

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def loseWriteConnection(self) -> None:
        """Say that nothing more will come; what the peer still sends is only counted."""
        self._is_deaf = True
        self._close_notify()
        self.transport.loseWriteConnection()

    def loseConnection(self) -> None:
        """Close once everything has gone."""
        self._is_ending = True
        self._output_moved()

    def abortConnection(self) -> None:
        self.transport.abortConnection()

    # ---- inside ------------------------------------------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over, and went well."""
        try:
            is_over = self._side.shake_hands()
        except BrokenTls as error:
            self._refuse(error)
            return False
        if not is_over:
            self._flush()
            return False
        version = self._side.version
        self._house.count("gateway.handshakes", version)
        # In TLS 1.2 the sender waits for the end of the handshake, which goes out with what `_read` brings.
        self._keeps_tickets = version == "TLSv1.3"
        self._connection = self._house.welcome(
            self,
            peer=self._peer,
            since=self._house.clock(),
            served=self._served,
            client_certificate=self._side.client_certificate,
        )
        self._connection.makeConnection(self)  # type: ignore[no-untyped-call]
        return True

    def _read(self) -> None:
        """Hand everything that can be decrypted to the connection."""
        connection = self._connection
        assert connection is not None
        side = self._side
        while not self._is_gone and not self._is_deaf:
            try:
                data = side.read()
            except BrokenTls as error:
                self._refuse(error)
                return
            if data is None:
                # The reply to a change of keys or to a wish to renegotiate: along with the answer, where one is owed; a
                # packet of its own costs as much as the answer.
                if side.has_output and not self._keeps_tickets and connection.worth is not Worth.WAITING:
                    self._flush()
                return
            if not data:
                self._peer_has_ended(connection)
                return
            if not self._has_been_asked:
                self._has_been_asked = True
                self._beginning = b""
                self._keeps_tickets = False
            connection.dataReceived(data)
            if side.is_quiet:
                return

    def _peer_has_ended(self, connection: Connection) -> None:
        if not self._has_been_asked:
            self._note(self._left_cause())
        self._is_deaf = True
        connection.readConnectionLost()

    def _encrypt(self, piece: bytes, *, is_whole: bool = False) -> None:
        """Send a piece; `is_whole`: the connection has nothing more to send at this moment."""
        try:
            sealed = self._side.seal(piece)
            if is_whole and self._connection is not None and self._connection.says_its_last:
                sealed += self._last_words()  # a packet of their own would cost as much as the answer
        except BrokenTls:  # the state after a fault of the peer; the reading side has told it
            self.transport.abortConnection()
        else:
            self._outlet.send(sealed)

    def _flush(self) -> None:
        """Send what TLS has to say by itself."""
        waiting = self._side.output()
        if waiting:
            self._outlet.send(waiting)

    def _close_notify(self) -> None:
        if not self._is_gone and (words := self._last_words()):
            self._outlet.send(words)

    def _last_words(self) -> bytes:
        """Our close_notify, once."""
        if self._has_said_end:
            return b""
        self._has_said_end = True
        self._side.end()
        return self._side.output()

    def _output_moved(self) -> None:
        while self._producer is not None and not self._outlet.is_blocked:
            self._producer.resumeProducing()
        if self._is_ending and not self._outlet.is_blocked:
            self._is_ending = False
            self._close_notify()
            self.transport.loseConnection()

    def _refuse(self, error: BrokenTls) -> None:
        """TLS does not go on: tell the desk, let the alert reach the peer, close."""
        reasons = error.reasons
        if not self._has_been_asked:
            cause = handshake_cause(
                reasons,
                covered=self._is_covered(),
                outdated=self._served.is_outdated(self._asked_for()),
                verify_error=self._side.shown().refusal,
            )
            self._note(cause, reasons=tuple(reasons[-4:]), alert=alert_of(reasons))
        self._is_deaf = True
        self._flush()
        if self._connection is not None:
            self.transport.loseConnection()
            return
        farewell = Farewell(self._house)
        self._house.replace(self, farewell)
        self._outlet.let_go()
        del self._side
        farewell.begin(self.transport, b"")

    def _left_cause(self) -> Cause:
        return Cause.LEFT_AFTER_HANDSHAKE if self._is_covered() else Cause.WRONG_NAME

    def _is_covered(self) -> bool:
        return self._served.covers(self._asked_for())

    def _asked_for(self) -> str:
        hello = read_hello(self._beginning)
        return hello.server_name if hello else ""

    def _note(self, cause: Cause, **facts: Any) -> None:
        if self._is_noted:
            return
        self._is_noted = True
        shown = self._side.shown()
        self._house.note(
            peer=self._peer,
            expects_tls=True,
            cause=cause,
            since=self._since,
            tongue="tls",
            hello=read_hello(self._beginning),
            verify_error=shown.refusal,
            client_certificate=shown.certificate,
            culprit=shown.culprit,
            our_names=self._served.names,
            our_gap=self._served.presented_to(self._asked_for()).gap,
            **facts,
        )

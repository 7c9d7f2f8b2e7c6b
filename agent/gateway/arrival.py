"""A connection until it is known what it speaks: nothing is interpreted before that, by OpenSSL or by anybody.

    arrival --HTTP on a plain port--> Connection
            --TLS on a TLS port-----> TlsTransport --handshake--> Connection
            --HTTP on a TLS port----> Connection that refuses each request with the https:// URL
            --anything else---------> a refusal in the peer's own protocol where there is one, then Farewell

Whether a port speaks TLS is looked up when the connection is accepted, so that switching it changes nothing for those
who are already there. Deadlines are checked by the gateway's sweep: on a TLS port `handshake_timeout_s` from the accept
to the end of the handshake, on a plain port `header_timeout_s` until the tongue is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet import protocol
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.config.model import GatewayLimits
from agent.gateway.census import Worth
from agent.gateway.connection import Connection
from agent.gateway.ending import LINGER_BYTES, LINGER_S
from agent.gateway.slot import NEVER
from agent.wire.clientcert import ClientCertificate
from agent.wire.hello import read_hello
from agent.wire.misuse import Cause, printable_line
from agent.wire.sniff import Tongue, recognise

if TYPE_CHECKING:
    from agent.gateway.served import Served

TLS_ALERT: Final = b"\x15\x03\x01\x00\x02\x02\x28"
"""Fatal, handshake_failure (RFC 8446 section 6.2), in a record that every version of TLS reads."""

PARTINGS: Final[Mapping[Tongue, bytes]] = MappingProxyType(
    {
        Tongue.SMTP: b"554 This port speaks HTTPS, not SMTP\r\n",
        # Lines before the version string are for the user's eyes (RFC 4253 section 4.2).
        Tongue.SSH: b"This port speaks HTTPS, not SSH\r\n",
        Tongue.TEXT: b"This port speaks HTTPS\r\n",
        Tongue.XML: b"This port speaks HTTPS\r\n",
        Tongue.JSON: b"This port speaks HTTPS\r\n",
        Tongue.SSL2: TLS_ALERT,
        Tongue.TLS_MIDDLE: TLS_ALERT,
    }
)
"""What those hear on a TLS port who speak something else than HTTP; the others hear nothing that they understand."""


class Visitor(Protocol):
    """Whoever has the socket at the moment; the gateway keeps one for each connection."""

    @property
    def worth(self) -> Worth:
        """What would be lost with it."""

    def sweep(self, now: float) -> None:
        """End what has taken too long."""

    def wind_down(self) -> None:
        """The gateway stops: begin nothing new, end soon."""

    def abort(self) -> None:
        """Cut the connection now."""


class House(Protocol):
    """The gateway, as its visitors see it. `clock()` is coarse, in seconds."""

    @property
    def limits(self) -> GatewayLimits: ...

    @property
    def served(self) -> Served | None:
        """What new connections get: the TLS contexts, or None for plain HTTP."""

    def clock(self) -> float: ...

    def count(self, name: str, label: str = "") -> None: ...

    def note(self, *, peer: str, expects_tls: bool, cause: Cause, since: float, **facts: Any) -> None:
        """Tell the desk; `facts` are further fields of `agent.wire.misuse.Misuse`. Does not raise."""

    def welcome(
        self,
        visitor: Visitor,
        *,
        peer: str,
        since: float,
        served: Served | None,
        client_certificate: ClientCertificate | None = None,
    ) -> Connection:
        """A connection that takes requests, from `since` on, in the place of `visitor`.

        `served`: it speaks inside TLS, and `visitor` stays where it is.
        """

    def turn_away(self, visitor: Visitor, *, peer: str, served: Served, since: float) -> Connection:
        """A connection that refuses all requests because they are not inside TLS, in the place of `visitor`."""

    def take_turn(self, later: Callable[[], None]) -> bool:
        """Whether a handshake may begin in this turn of the reactor; where not, `later` is called when it may."""

    def replace(self, visitor: Visitor, other: Visitor) -> None: ...

    def lost(self, visitor: Visitor) -> None: ...


@implementer(IHalfCloseableProtocol)
class Arrival(protocol.Protocol):
    """The first who has the socket."""

    transport: Any
    worth: Final = Worth.NOTHING_YET

    def __init__(self, house: House, peer: str) -> None:
        self._house = house
        self._peer = peer
        self._served = house.served
        self._since = house.clock()
        limits = house.limits
        self._deadline = self._since + (limits.header_timeout_s if self._served is None else limits.handshake_timeout_s)
        self._first = b""
        self._first_at = NEVER
        self._is_noted = False
        self._is_gone = False

    def dataReceived(self, data: bytes) -> None:
        self._first_at = min(self._first_at, self._house.clock())
        self._first += data
        tongue = recognise(self._first)
        if tongue is None:
            return
        if self._served is None:
            self._on_plain_port(tongue)
        else:
            self._on_tls_port(tongue, self._served)

    def readConnectionLost(self) -> None:
        """The peer has nothing more to say, and has said too little."""
        self._note_end()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """We have not closed anything."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._is_gone = True
        self._note_end()
        self._house.lost(self)

    def sweep(self, now: float) -> None:
        if now >= self._deadline:
            self._house.count("gateway.idle_closed")
            self._note(Cause.CUT_SHORT if self._first else Cause.SILENT)
            self.abort()

    def wind_down(self) -> None:
        self._is_noted = True
        self.transport.loseConnection()

    def abort(self) -> None:
        self._is_noted = True
        self.transport.abortConnection()

    def _on_plain_port(self, tongue: Tongue) -> None:
        if tongue is Tongue.TLS or tongue is Tongue.SSL2:
            self._note(Cause.TLS_ON_PLAIN_PORT if tongue is Tongue.TLS else Cause.SSL2, tongue)
            self._part(TLS_ALERT)
            return
        connection = self._house.welcome(self, peer=self._peer, since=self._first_at, served=None)
        self._hand_over(connection)

    def _on_tls_port(self, tongue: Tongue, served: Served) -> None:
        if tongue is Tongue.TLS:
            if self._house.take_turn(lambda: self._when_it_is_our_turn(served)):
                self._begin_tls(served)
            else:
                self.transport.pauseProducing()
        elif tongue.is_http:
            self._hand_over(self._house.turn_away(self, peer=self._peer, served=served, since=self._since))
        else:
            self._note(Cause.SSL2 if tongue is Tongue.SSL2 else Cause.OTHER_PROTOCOL, tongue)
            self._part(PARTINGS.get(tongue, b""))

    def _when_it_is_our_turn(self, served: Served) -> None:
        if not self._is_gone:
            self._begin_tls(served)
            self.transport.resumeProducing()

    def _begin_tls(self, served: Served) -> None:
        from agent.gateway.tls import TlsTransport  # loaded by `Presenting`, only where there is a certificate

        first, self._first = self._first, b""
        tls = TlsTransport(
            house=self._house, served=served, peer=self._peer, since=self._since, deadline=self._deadline
        )
        self._house.replace(self, tls)
        tls.begin(self.transport, first)

    def _hand_over(self, connection: Connection) -> None:
        first, self._first = self._first, b""
        self.transport.protocol = connection
        connection.makeConnection(self.transport)  # type: ignore[no-untyped-call]
        connection.dataReceived(first)

    def _part(self, words: bytes) -> None:
        farewell = Farewell(self._house)
        self._house.replace(self, farewell)
        farewell.begin(self.transport, words)

    def _note_end(self) -> None:
        self._note(Cause.CUT_SHORT if self._first else Cause.LEFT)

    def _note(self, cause: Cause, tongue: Tongue | None = None) -> None:
        if self._is_noted:
            return
        self._is_noted = True
        hello = read_hello(self._first)
        self._house.note(
            peer=self._peer,
            expects_tls=self._served is not None,
            cause=cause,
            since=self._since,
            tongue=tongue.value if tongue else "",
            first_line="" if hello else printable_line(self._first),
            hello=hello,
            our_names=self._served.names if self._served else (),
        )


@implementer(IHalfCloseableProtocol)
class Farewell(protocol.Protocol):
    """The last who has the socket: says what is to be said and waits a moment, so that the peer reads it.

    Closing at once while the peer still sends would reset the connection, and our words would be lost on the way.
    """

    transport: Any
    worth: Final = Worth.NOTHING_YET

    def __init__(self, house: House) -> None:
        self._house = house
        self._deadline = house.clock() + LINGER_S
        self._dropped_bytes = 0

    def begin(self, transport: Any, words: bytes) -> None:
        """Take over the socket, send `words` and our end."""
        transport.protocol = self
        self.makeConnection(transport)  # type: ignore[no-untyped-call]
        if words:
            transport.write(words)
        transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        self._dropped_bytes += len(data)
        if self._dropped_bytes > LINGER_BYTES:
            self.abort()

    def readConnectionLost(self) -> None:
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our end has gone out; the peer's is waited for."""

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._house.lost(self)

    def sweep(self, now: float) -> None:
        if now >= self._deadline:
            self.abort()

    def wind_down(self) -> None:
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.abortConnection()

"""The connections of the admin gateway: TLS with the key on both sides, then the control API.

Who has not shown the key in time, or shows another one, is turned away before anything is asked.
"""

# twisted.web and Twisted's TLS wrapper carry few type annotations; calls into them cannot be checked.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IAddress, IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.control.api import ControlApi, problem
from agent.control.complaints import Complaints
from agent.control.gateway import MAX_CONNECTIONS, ControlChannel, ControlSite, plain_answer
from agent.errors import SenderError
from agent.mutual import SharedKey, fingerprint_of, is_same, reason_of

log = Logger(namespace="admin")

HANDSHAKE_S: Final = 10.0
"""Three round trips over a satellite take 2 s; the service gateway gives as long."""
TLS_HANDSHAKE: Final = 0x16
"""The first octet of a TLS connection (RFC 8446, 5.1)."""


class AdminSite(ControlSite):
    """Makes the HTTP channels. `unproven` are those whose other side has not shown the key yet, the oldest first."""

    def __init__(self, api: ControlApi, *, reactor: Any) -> None:
        super().__init__(api, reactor=reactor)
        self.key: SharedKey | None = None
        self.unproven: dict[AdminChannel, None] = {}
        self.complaints: Final = Complaints(seconds=reactor.seconds)


@implementer(IHandshakeListener)
class AdminChannel(ControlChannel):
    """One connection, from the handshake on."""

    factory: AdminSite
    _deadline: Any = None
    _is_proven = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.unproven[self] = None
        self._deadline = self.factory.reactor.callLater(HANDSHAKE_S, self._overdue)

    def handshakeCompleted(self) -> None:
        """Nobody gets further whose key is not ours, even if TLS had let one through."""
        self._settle()
        transport: Any = self.transport
        self._is_proven = self.factory.key is not None and is_same(self.factory.key, transport.getPeerCertificate())
        if not self._is_proven:
            transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._is_proven:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._settle()
        transport: Any = self.transport
        if not self._is_proven and isinstance(reason.value, SSL.Error):
            self.factory.complaints.tell(
                transport.peer, *_complaint(reason_of(reason.value), transport.shown, self.factory.key)
            )
        super().connectionLost(reason)

    def _settle(self) -> None:
        self.factory.unproven.pop(self, None)
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def _overdue(self) -> None:
        transport: Any = self.transport
        self.factory.complaints.tell(
            transport.peer, "slow", f"it has not ended its TLS handshake within {HANDSHAKE_S:g} s"
        )
        transport.abortConnection()


AdminSite.protocol = AdminChannel


class AdminPeer(TLSMemoryBIOProtocol):
    """TLS of one connection; who does not begin with it is told so in the clear. `shown` is a refused certificate."""

    shown: crypto.X509 | None = None
    _has_begun = False

    @property
    def peer(self) -> str:
        """The other side's address."""
        address = self.getPeer()
        return str(getattr(address, "host", address))

    @property
    def asker(self) -> str:
        """Who asks, for the log."""
        return self.peer

    def dataReceived(self, data: bytes) -> None:  # the wrapper calls it bytes
        if not self._has_begun:
            self._has_begun = True
            if data[0] != TLS_HANDSHAKE:
                self._answer_plainly()
                return
        super().dataReceived(data)

    def _answer_plainly(self) -> None:
        factory: Any = self.factory
        factory.site.complaints.tell(
            self.peer, "plaintext", "it does not speak TLS; the admin gateway is HTTPS only, and iadmin is its client"
        )
        transport: Any = self.transport
        transport.write(plain_answer(problem(_TLS_ONLY)))
        transport.loseConnection()


class AdminPeers(TLSMemoryBIOFactory):
    """Puts TLS with the key before the HTTP channels; not too many at a time. `context` may be exchanged."""

    protocol = AdminPeer
    noisy = False

    def __init__(self, site: AdminSite, reactor: Any) -> None:
        self.site: Final = site
        self.context: SSL.Context | None = None
        super().__init__(_Connections(self), isClient=False, wrappedFactory=site, clock=reactor)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        if len(self.protocols) >= MAX_CONNECTIONS:
            oldest = next(iter(self.site.unproven), None)
            if oldest is None:
                log.warn("admin gateway: more than {limit} connections; one was turned away", limit=MAX_CONNECTIONS)
                return None
            del self.site.unproven[oldest]
            transport: Any = oldest.transport
            transport.abortConnection()
        return super().buildProtocol(addr)


@implementer(IOpenSSLServerConnectionCreator)
class _Connections:
    """Makes the TLS side of each connection with the context that counts at that moment."""

    def __init__(self, peers: AdminPeers) -> None:
        self._peers = peers

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        assert self._peers.context is not None, "the port listens once there is one"
        connection = SSL.Connection(self._peers.context, None)
        connection.set_app_data(tlsProtocol)
        return connection


_TLS_ONLY: Final = SenderError(
    "tls-required",
    "this is the admin gateway of an integration agent: it speaks HTTPS with TLS 1.3 only, and with those who have its "
    "key; use: iadmin --connect HOST:PORT --keystore FILE",
    status=400,
    title="HTTPS only",
)


def _complaint(reason: str, shown: crypto.X509 | None, own: SharedKey | None) -> tuple[str, str]:
    """A word that stays, and the sentence for the log."""
    if shown is not None and own is not None:
        return "wrong-key", (
            f"it showed another key ({fingerprint_of(shown)}) than apia of {own.where} ({own.fingerprint}); use a copy "
            "of this keystore there"
        )
    if "did not return a certificate" in reason:
        return "no-key", "it showed no certificate; iadmin shows the entry apia of its keystore"
    if reason in ("unsupported protocol", "no protocols available", "wrong version number"):
        return "old-tls", "it offers no TLS 1.3, and nothing older is taken here"
    if "alert" in reason:
        return "refused-us", (
            f"it refused our key ({own.fingerprint if own else '?'}), so its keystore has another apia or it looks for "
            f"an authority ({reason})"
        )
    return "tls", f"the TLS handshake failed ({reason or 'it left'})"

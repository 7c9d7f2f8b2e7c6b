"""HTTPS on the admin gateway, in front of the control API: for iadmin on other machines.

Both sides hold the entry `apia` of the same keystore and take nobody else (`agent.mutual`): who may read the keystore
may administer. A person or a script asks a few times a minute, so Twisted's own TLS wrapper is good enough here. Events
do not wait for the administration: where the gateway cannot be opened the agent runs without it, and says so.
"""

# twisted.web and Twisted's TLS wrapper carry few type annotations; calls into them cannot be checked.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import contextlib
import errno
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path, PurePath
from typing import Any, Final

import attrs
from OpenSSL import SSL, crypto
from twisted.internet import defer
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IHandshakeListener, IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.boundaries import AgentView
from agent.config.admin import AdminGatewayConfig
from agent.control.api import ControlApi, problem
from agent.control.complaints import Complaints
from agent.control.gateway import MAX_CONNECTIONS, ControlChannel, ControlSite, plain_answer
from agent.errors import AgentError, MachineError, OperatorError, SenderError
from agent.mutual import MAKE_IT, SharedKey, fingerprint_of, is_same, mutual_context, read_shared_key, reason_of
from agent.secret import Secret
from agent.storepassword import StorePassword
from keystoretools import ErrorCode, KeystoreError, Password

log = Logger(namespace="admin")

HANDSHAKE_S: Final = 10.0
"""Three round trips over a satellite take 2 s; the service gateway gives as long."""
TLS_HANDSHAKE: Final = 0x16
"""The first octet of a TLS connection (RFC 8446, 5.1)."""


@attrs.frozen(kw_only=True)
class AdminKeys:
    """Where the key comes from. `read` reads a file and blocks (`keystoretools.files.load`); `password` is
    what the agent was given for keystores whose password stands in no file. `opened` gives the secret in a password
    file, sealed or not, and raises `ValueError` with the end of a sentence that begins with its name."""

    read: Callable[[Path], bytes]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    opened: Callable[[PurePath, bytes], Secret]
    password: StorePassword | None = None

    def load(self, config: AdminGatewayConfig) -> SharedKey:
        """Blocks; raises `AgentError`."""
        try:
            password, words = None, "the default password"
            if config.password_file is not None:
                secret = self.opened(config.password_file, self.read(Path(config.password_file)))
                password, words = Password(secret.reveal()), f"the password in {config.password_file}"
            elif self.password is not None:
                password = Password(self.password.secret.reveal())
                words = f"the password of {self.password.origin}"
            data = self.read(Path(config.keystore))
        except ValueError as error:
            raise OperatorError("admin-password-file", f"the password file {config.password_file} {error}") from None
        except KeystoreError as error:
            cure = f"; {MAKE_IT}" if error.code is ErrorCode.NO_SUCH_FILE else ""
            raise OperatorError(f"admin-{error.code}", error.sentence.rstrip(".") + cure) from error
        return read_shared_key(data, path=config.keystore, password=password, words=words)


@attrs.define(kw_only=True)
class AdminChange:
    """What a reload makes of the admin gateway: all of it is ready. `port` is a new one that listens already."""

    config: AdminGatewayConfig | None
    context: SSL.Context | None = None
    key: SharedKey | None = None
    port: Any = None


class AdminGateway:
    """A Part. `config` None: nothing listens. `trouble` says why it is not open although it is configured."""

    name: Final = "admin"

    def __init__(self, *, config: AdminGatewayConfig | None, keys: AdminKeys, view: AgentView, reactor: Any) -> None:
        self.trouble = ""
        self._config = config
        self._keys = keys
        self._reactor = reactor
        self._site = AdminSite(ControlApi(view), reactor=reactor)
        self._peers: Any = AdminPeers(self._site, reactor)
        self._port: Any = None

    async def start(self) -> None:
        """Open it. Never raises for what keeps it shut."""
        try:
            change = await self._prepare(self._config, is_new=True)
        except AgentError as error:
            self.trouble = f"the admin gateway is not open: {error.sentence}"
            log.error("{trouble}", trouble=self.trouble)
            return
        self._adopt(change)
        if self._port is not None:
            log.info(
                "admin gateway {where}: whoever has the key apia of {keystore} may administer this agent",
                where=self._where(),
                keystore=str(change.config.keystore) if change.config else "",
            )

    async def stop(self, patience_s: float) -> None:
        """Stop listening and end the connections; answers already written still go out."""
        await self._shut(self._port, patience_s)
        self._port = None
        for peer in list(self._peers.protocols):
            peer.loseConnection()

    def describe(self) -> Mapping[str, object] | None:
        """For the status; None where none is configured."""
        if self._config is None:
            return None
        address = self._port.getHost() if self._port is not None else None
        return {
            "host": address.host if address else self._config.host,
            "port": address.port if address else self._config.port,
            "connections": len(self._peers.protocols),
            "refused": dict(self._site.complaints.counts),
            "key": self._site.key.fingerprint if self._site.key else "",
            "trouble": self.trouble,
        }

    async def prepare(self, config: AdminGatewayConfig | None) -> AdminChange:
        """Make everything ready for a changed section or keystore; raises `AgentError`, and nothing has changed."""
        return await self._prepare(config, is_new=self._port is None or _place(config) != _place(self._config))

    def adopt(self, change: AdminChange) -> str:
        """Serve by it from now on; return what has changed as a sentence, empty where nothing has."""
        before, key = self._where(), self._site.key
        self._adopt(change)
        after = self._where()
        if before != after:
            return f"the admin gateway is now {after}" if after else f"the admin gateway {before} is gone"
        if key is not None and change.key is not None and key.public != change.key.public:
            return f"the admin gateway {after} has another key ({change.key.fingerprint})"
        return ""

    async def drop(self, change: AdminChange) -> None:
        """Let go of what was prepared."""
        await self._shut(change.port, 0.1)

    async def _prepare(self, config: AdminGatewayConfig | None, *, is_new: bool) -> AdminChange:
        if config is None:
            return AdminChange(config=None)
        key = await self._keys.in_thread(lambda: self._keys.load(config))
        context = mutual_context(key)
        port = await self._listen(config) if is_new else None
        return AdminChange(config=config, key=key, context=context, port=port)

    def _adopt(self, change: AdminChange) -> None:
        if change.port is not None or change.config is None:
            old, self._port = self._port, change.port
            defer.Deferred.fromCoroutine(self._shut(old, 1.0))
        self._config, self.trouble = change.config, ""
        self._site.key, self._peers.context = change.key, change.context

    async def _listen(self, config: AdminGatewayConfig) -> Any:
        host = config.host
        if not _is_address(host):
            try:
                host = await self._reactor.resolve(host)
            except Exception as error:
                raise MachineError(
                    "no-such-host", f"the admin gateway cannot listen on {host!r}: this name has no address"
                ) from error
        try:
            return self._reactor.listenTCP(config.port, self._peers, interface=host)
        except CannotListenError as error:
            said = getattr(error.socketError, "strerror", None) or str(error.socketError)
            # Only a port that is taken is a matter of the port.
            is_foreign = getattr(error.socketError, "errno", None) == errno.EADDRNOTAVAIL
            raise MachineError(
                "address-not-here" if is_foreign else "port-in-use",
                f"the admin gateway cannot listen on port {config.port} of {config.host} ({said.lower()}); give "
                "<admin-gateway> "
                + (
                    "an address of this machine as its host"
                    if is_foreign
                    else "another port, or stop what listens there"
                ),
            ) from error

    async def _shut(self, port: Any, patience_s: float) -> None:
        if port is None:
            return
        gone = defer.maybeDeferred(port.stopListening)
        gone.addTimeout(max(patience_s, 0.1), self._reactor)
        with contextlib.suppress(defer.TimeoutError):
            await gone

    def _where(self) -> str:
        if self._port is None:
            return ""
        address = self._port.getHost()
        return (
            f"https://[{address.host}]:{address.port}"
            if ":" in address.host
            else f"https://{address.host}:{address.port}"
        )


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


def _place(config: AdminGatewayConfig | None) -> tuple[str, int] | None:
    return None if config is None else (config.host, config.port)


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()

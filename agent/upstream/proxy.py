"""The proxy of a destination: when it is used, how it is logged in to, and the tunnel through it.

https goes through a tunnel (CONNECT, RFC 9110 9.3.6), http by requests in absolute form. User and password are never
sent before the proxy has asked for them and said how: Basic in the clear to whoever listens would be the alternative.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.config.outbound import Proxy
from agent.errors import DestinationError
from agent.hosts import at_port
from agent.upstream.exchange import Exchange, Phase
from agent.upstream.faults import fault_of
from agent.upstream.login import KeptSecret, ReadSecret
from agent.wire.challenge import Challenge, answer_to, challenges_in, chosen_of, offered_by

MAX_REPLY_BYTES: Final = 16 * 1024
"""Head of a proxy's answer to CONNECT; as nginx and Node bound heads."""

MAX_ROUNDS: Final = 3
"""First without credentials, then with them, then with a nonce that was renewed meanwhile."""

ACCESS_PAUSE_S: Final = 60.0


def is_bypassed(host: str, port: int, entries: Sequence[str]) -> bool:
    """Whether a `no-proxy` list names the host: `*`, a name, a domain with a dot or `*.` before it, an address, a
    network as 10.0.0.0/8, each with or without a port."""
    host = host.lower().strip("[]").rstrip(".")
    return any(_is_named(host, port, entry.lower().rstrip(".")) for entry in entries)


def _is_named(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        entry = name.strip("[]")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    domain = entry.removeprefix("*").lstrip(".")
    return host == domain or host.endswith(f".{domain}")


class ProxyAccess:
    """User and password for one proxy, and the challenge it sent last. `read` as for `HttpSender`."""

    def __init__(self, proxy: Proxy, *, cnonce: Callable[[], str], read: ReadSecret | None = None) -> None:
        self.proxy: Final = proxy
        self.shown: Final = at_port(proxy.host, proxy.port)
        self._cnonce = cnonce
        self._password = (
            KeptSecret(proxy.password, path=proxy.password_path, whose=f"the proxy {self.shown}", read=read)
            if proxy.user and proxy.password is not None
            else None
        )
        self._challenge: Challenge | None = None
        self._count = 0

    def field(self, method: str, uri: str) -> str:
        """The value of `Proxy-Authorization` for this request; empty before the proxy has asked."""
        if self._challenge is None or self._password is None:
            return ""
        self._count += 1
        return answer_to(
            self._challenge,
            user=self.proxy.user,
            password=self._password.secret.reveal(),
            method=method,
            uri=uri,
            cnonce=self._cnonce(),
            count=self._count,
        )

    async def challenged(self, values: Sequence[str], *, sent: str) -> None:
        """The proxy answered 407 to what was `sent`. Returns when the request is worth repeating; else raises.

        A password that was refused is read again: where that finds another, the request is worth repeating.
        """
        found = challenges_in(values)
        chosen = chosen_of(found)
        if chosen is None:
            raise self._refused(
                f"offers {offered_by(found)} only, which the agent does not speak: have Basic or Digest allowed for "
                "its account, or put a proxy of this machine before it that speaks NTLM (cntlm, px)"
            )
        if self._password is None:
            raise self._refused("wants a user and a password: put them into Proxy/user and Proxy/password-file")
        was_used = sent.lower().startswith(chosen.scheme)
        is_stale = chosen.parameters.get("stale", "").lower() == "true"
        if was_used and not is_stale:
            self._challenge = None
            self._password.refused()
            if not await self._password.settle():
                raise self._refused(
                    f"does not take the password of {self.proxy.user!r}: put the right one into its file, which is "
                    "read again before the next attempt"
                )
        self._challenge, self._count = chosen, 0

    def _refused(self, sentence: str) -> DestinationError:
        return DestinationError("proxy-login", f"the proxy {self.shown} {sentence}", after_s=ACCESS_PAUSE_S)


@implementer(IStreamClientEndpoint)
@attrs.frozen(kw_only=True)
class ProxyHop:
    """Connects to the proxy itself; what fails there is said of the proxy and not of the destination."""

    endpoint: IStreamClientEndpoint
    shown: str

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        connecting: Deferred[IProtocol] = self.endpoint.connect(protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        error = failure.value
        if error is None or isinstance(error, CancelledError):
            return failure
        fault = fault_of(error, where=f"the proxy {self.shown}", phase=Phase.PROXY)
        if fault is None:
            return failure
        raise DestinationError("proxy-unreached", f"{fault.sentence}; check the destination's Proxy") from error


@implementer(IStreamClientEndpoint)
@attrs.frozen(kw_only=True)
class TunnelEndpoint:
    """Connects to `host`:`port` through a tunnel of the proxy that `hop` connects to."""

    hop: IStreamClientEndpoint
    access: ProxyAccess
    host: str
    port: int
    exchange: Exchange

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        target = at_port(self.host, self.port)
        for _ in range(MAX_ROUNDS):
            self.exchange.phase = Phase.CONNECTING
            field = self.access.field("CONNECT", target)
            tunnel = Tunnel(target, field)
            await self.hop.connect(_Only(tunnel))
            self.exchange.phase = Phase.PROXY
            status, challenges = await tunnel.reply
            if 200 <= status < 300:
                return tunnel.become(factory)
            tunnel.abort()
            if status != 407:
                raise self._refused(status)
            await self.access.challenged(challenges, sent=field)
        raise DestinationError(
            "proxy-login", f"the proxy {self.access.shown} asks for a login again and again", after_s=ACCESS_PAUSE_S
        )

    def _refused(self, status: int) -> DestinationError:
        said = f"the proxy {self.access.shown} answered {status} to the wish for a tunnel to"
        where = at_port(self.host, self.port)
        if status in (400, 404, 501):
            return DestinationError(
                "proxy-failed",
                f"{said} {where}: what listens there makes no tunnels; take the host and port of the proxy for https",
                after_s=ACCESS_PAUSE_S,
            )
        if status in (403, 405):
            return DestinationError(
                "proxy-forbids", f"{said} {where}: have it allowed there, or name the host in no-proxy", after_s=60.0
            )
        return DestinationError("proxy-failed", f"{said} {where}: it cannot reach that, or does not make tunnels")


class _Only(Factory):
    """Gives the one protocol."""

    noisy = False

    def __init__(self, made: Protocol) -> None:
        self._made = made

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._made


class Tunnel(Protocol):
    """Asks for the tunnel; once it stands, hands everything through. `reply`: the status and the proxy's challenges."""

    def __init__(self, target: str, field: str) -> None:
        self.reply: Deferred[tuple[int, list[str]]] = Deferred(lambda _: self.abort())
        self._target = target
        self._field = field
        self._head = b""
        self._inner: Any = None

    def connectionMade(self) -> None:
        login = f"Proxy-Authorization: {self._field}\r\n" if self._field else ""
        request = f"CONNECT {self._target} HTTP/1.1\r\nHost: {self._target}\r\n{login}\r\n"
        assert self.transport is not None
        self.transport.write(request.encode("utf-8"))

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        if self.reply.called:
            return
        if b"\r\n\r\n" in self._head or len(self._head) > MAX_REPLY_BYTES:
            self._read_head()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.reply.called:
            self.reply.errback(reason)

    def become(self, factory: IProtocolFactory) -> IProtocol:
        """The tunnel stands: what comes and goes is the protocol's of `factory` from now on."""
        assert self.transport is not None
        inner: Any = factory.buildProtocol(self.transport.getPeer())
        self._inner = inner
        inner.makeConnection(self.transport)
        early = self._head.partition(b"\r\n\r\n")[2]
        if early:
            inner.dataReceived(early)
        return inner  # type: ignore[no-any-return]

    def abort(self) -> None:
        """Drop the connection at once."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _read_head(self) -> None:
        head = self._head.partition(b"\r\n\r\n")[0].decode("latin-1")
        first, *lines = head.split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            self.abort()
            fault = DestinationError("proxy-not-http", "what answers in the place of the proxy is no HTTP proxy")
            self.reply.errback(Failure(fault))  # type: ignore[no-untyped-call]
            return
        fields = (line.partition(":") for line in lines)
        self.reply.callback(
            (
                int(words[1]),
                [value.strip() for name, _, value in fields if name.strip().lower() == "proxy-authenticate"],
            )
        )

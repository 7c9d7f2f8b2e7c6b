"""How a request reaches its host: directly, by a proxy in absolute form (http), or through its tunnel (https)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from agent.config.model import HttpDestination
from agent.config.outbound import ClientTls, ProxyScheme
from agent.hosts import at_port
from agent.upstream.connection import Connection
from agent.upstream.exchange import Exchange, Phase
from agent.upstream.pool import Pool
from agent.upstream.proxy import ProxyAccess, ProxyHop, TunnelEndpoint, is_bypassed
from agent.upstream.trust import TrustedPeer
from agent.upstream.verdict import shown_url

MAX_KEPT: Final = 64
"""URLs of which it is remembered where they lead; a service may make a path of its own for each request."""

PORTS: Final = {"http": 80, "https": 443}


@attrs.frozen(kw_only=True, eq=False)
class Road:
    """Where one URL leads. `key` tells which connections can be used, `proxy` is the one on the way.

    `target` and `host_field` are what the request names; `shown` is the URL as it may be printed.
    """

    key: Hashable
    host: str
    port: int
    is_tls: bool
    proxy: ProxyAccess | None
    target: bytes
    host_field: bytes
    shown: str

    @property
    def is_forwarded(self) -> bool:
        """Whether the proxy reads the request and its login, and sends it on."""
        return self.proxy is not None and not self.is_tls

    @property
    def has_tls(self) -> bool:
        """Whether the connection begins with a handshake, be it with the proxy."""
        return self.is_tls or (self.proxy is not None and self.proxy.proxy.scheme is ProxyScheme.HTTPS)


class Roads:
    """The ways of one destination's requests. `proxy` None: directly.

    `context` is called for each connection with TLS. `direct` makes the endpoint for a host and a port, for tests.
    """

    def __init__(
        self,
        *,
        destination: HttpDestination,
        reactor: IReactorTime,
        context: Callable[[], Awaitable[SSL.Context]],
        pool: Pool,
        proxy: ProxyAccess | None,
        direct: Callable[[str, int], IStreamClientEndpoint] | None = None,
    ) -> None:
        self._destination: Final = destination
        self._reactor = reactor
        self._context = context
        self._pool = pool
        self._proxy = proxy
        self._direct = direct or self._real
        self._known: dict[str, Road] = {}

    def road(self, url: str) -> Road:
        """The way to `url`, which is fit: see `agent.config.values.web_url` and `agent.upstream.redirect`."""
        road = self._known.get(url)
        if road is None:
            if len(self._known) >= MAX_KEPT:
                self._known.clear()
            road = self._known[url] = self._made(url)
        return road

    async def connect(self, road: Road, exchange: Exchange) -> Connection:
        """A new connection. Fails with what the endpoints of Twisted fail with, or with `DestinationError`."""
        exchange.phase = Phase.CONNECTING
        context = await exchange.waits(self._context()) if road.has_tls else None
        made = _Maker(lambda: self._connection(road))
        connecting: Deferred[Any] = self._endpoint(road, exchange, context).connect(made)
        connection: Connection = await exchange.waits(connecting)
        exchange.phase = Phase.HANDSHAKE if road.has_tls else Phase.WAITING
        return connection

    def _made(self, url: str) -> Road:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        proxy = self._proxy
        if proxy is not None and is_bypassed(host, port, proxy.proxy.no_proxy):
            proxy = None
        named = at_port(host, port)
        if port == PORTS[parts.scheme]:
            named = named.removesuffix(f":{port}")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        is_forwarded = proxy is not None and not is_tls
        return Road(
            key=("forwarded",) if is_forwarded else (is_tls, host, port, proxy is not None),
            host=host,
            port=port,
            is_tls=is_tls,
            proxy=proxy,
            target=f"http://{named}{path}".encode("ascii") if is_forwarded else path.encode("ascii"),
            host_field=named.encode("ascii"),
            shown=shown_url(url),
        )

    def _connection(self, road: Road) -> Connection:
        return Connection(
            key=road.key,
            is_bare=not road.has_tls,
            max_body_bytes=self._destination.max_answer_bytes,
            keeper=self._pool,
        )

    def _endpoint(self, road: Road, exchange: Exchange, context: SSL.Context | None) -> IStreamClientEndpoint:
        rules = self._destination.tls

        def shaken() -> None:
            exchange.phase = Phase.WAITING

        def over_tls(
            endpoint: IStreamClientEndpoint, host: str, rules: ClientTls, via: str = ""
        ) -> IStreamClientEndpoint:
            assert context is not None, "it has been made for every road with TLS"
            peer = TrustedPeer(context=context, host=host, shaken=shaken, rules=rules, via=via)
            wrapped: IStreamClientEndpoint = wrapClientTLS(peer, endpoint)
            return wrapped

        if road.proxy is None:
            endpoint = self._direct(road.host, road.port)
            return over_tls(endpoint, road.host, rules) if road.is_tls else endpoint
        proxy = road.proxy.proxy
        endpoint = self._direct(proxy.host, proxy.port)
        if proxy.scheme is ProxyScheme.HTTPS:
            # The pins are the destination's own certificates; the proxy has another one.
            endpoint = over_tls(endpoint, proxy.host, attrs.evolve(rules, fingerprints=()))
        hop = ProxyHop(endpoint=endpoint, shown=road.proxy.shown)
        if not road.is_tls:
            return hop
        tunnel = TunnelEndpoint(hop=hop, access=road.proxy, host=road.host, port=road.port, exchange=exchange)
        return over_tls(tunnel, road.host, rules, via=road.proxy.shown)

    def _real(self, host: str, port: int) -> IStreamClientEndpoint:
        timeout_s = self._destination.timeout_s
        endpoint: IStreamClientEndpoint = HostnameEndpoint(self._reactor, host, port, timeout=timeout_s)
        return endpoint


class _Maker(Factory):
    """Makes a connection each time it is asked: there may be several attempts, one for each address of a host."""

    noisy = False

    def __init__(self, make: Callable[[], Connection]) -> None:
        self._make = make

    def buildProtocol(self, addr: Any) -> Connection:
        return self._make()

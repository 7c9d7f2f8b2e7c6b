"""How a request reaches its host: directly, by a proxy in absolute form (http), or through its tunnel (https)."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.web.client import URI, Agent, ProxyAgent
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from agent.config.outbound import ClientTls, ProxyScheme
from agent.upstream.exchange import Exchange, NotedEndpoint, NotedPool, Phase
from agent.upstream.proxy import ProxyAccess, ProxyHop, TunnelEndpoint
from agent.upstream.trust import TrustedPeer


@implementer(IAgentEndpointFactory)
@attrs.frozen(kw_only=True)
class Roads:
    """Makes the `IAgent` of one exchange. `timeout_s` bounds each connecting; `proxy` None: directly."""

    reactor: IReactorTime
    pool: NotedPool
    exchange: Exchange
    timeout_s: float
    rules: ClientTls
    proxy: ProxyAccess | None = None

    def agent(self, *, is_tls: bool) -> Any:
        """The agent for a URL of this scheme."""
        if self.proxy is None or is_tls:
            return Agent.usingEndpointFactory(self.reactor, self, pool=self.pool)  # type: ignore[no-untyped-call]
        proxy = self.proxy
        noted = NotedEndpoint(
            make=lambda: self._hop(proxy), exchange=self.exchange, is_tls=False, key=("proxy", proxy.shown)
        )
        return ProxyAgent(noted, self.reactor, pool=self.pool)  # type: ignore[no-untyped-call]

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        is_tls = uri.scheme == b"https"
        return NotedEndpoint(make=lambda: self._endpoint(uri, is_tls), exchange=self.exchange, is_tls=is_tls)

    def _endpoint(self, uri: URI, is_tls: bool) -> IStreamClientEndpoint:
        host = uri.host.decode("ascii")
        if not is_tls:
            return self._direct(host, uri.port)
        if self.proxy is None:
            return self._over_tls(self._direct(host, uri.port), host, self.rules)
        tunnel = TunnelEndpoint(
            hop=self._hop(self.proxy), access=self.proxy, host=host, port=uri.port, exchange=self.exchange
        )
        return self._over_tls(tunnel, host, self.rules, via=self.proxy.shown)

    def _hop(self, access: ProxyAccess) -> IStreamClientEndpoint:
        proxy = access.proxy
        endpoint = self._direct(proxy.host, proxy.port)
        if proxy.scheme is ProxyScheme.HTTPS:
            # The pins are the destination's own certificates; the proxy has another one.
            endpoint = self._over_tls(endpoint, proxy.host, attrs.evolve(self.rules, fingerprints=()))
        return ProxyHop(endpoint=endpoint, shown=access.shown)

    def _direct(self, host: str, port: int) -> IStreamClientEndpoint:
        endpoint: IStreamClientEndpoint = HostnameEndpoint(self.reactor, host, port, timeout=self.timeout_s)
        return endpoint

    def _over_tls(
        self, endpoint: IStreamClientEndpoint, host: str, rules: ClientTls, *, via: str = ""
    ) -> IStreamClientEndpoint:
        assert self.exchange.context is not None, "the sender has made it"
        peer = TrustedPeer(context=self.exchange.context, host=host, shaken=self._shaken, rules=rules, via=via)
        return wrapClientTLS(peer, endpoint)

    def _shaken(self) -> None:
        self.exchange.phase = Phase.WAITING

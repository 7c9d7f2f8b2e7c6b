"""The way of one try: to a URL, by a proxy where there is one, and on through its redirects, within one time-out."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from agent.config.model import HttpDestination
from agent.config.outbound import ProxyScheme
from agent.delivery import Answer
from agent.errors import DestinationError
from agent.upstream.exchange import BodyReader, Exchange, NotedPool, Phase, WholeBody
from agent.upstream.faults import fault_of, is_cancelled, is_lost, timed_out
from agent.upstream.proxy import MAX_ROUNDS, ProxyAccess, is_bypassed
from agent.upstream.redirect import Hop, next_hop, stays_with_origin
from agent.upstream.roads import Roads
from agent.upstream.verdict import refusal_of, shown_url

IDLE_S: Final = 4.0
"""How long an unused connection is kept. Shorter than the shortest common keep-alive (Apache and Node close after
5 s): who closes first meets no request that is already on its way."""


@attrs.define(kw_only=True)
class Journey:
    """Where a request is at the moment, for the sentence about a time-out."""

    hop: Hop
    exchange: Exchange = attrs.field(factory=Exchange)


class Journeys:
    """Makes the journeys of one destination, over a pool of connections.

    A request lost on a connection from the pool is repeated at once on a new one. That is no try of its own: the far
    end has closed an idle connection just when the request left, and the `Idempotency-Key` lets it drop a double where
    that guess is wrong.
    """

    def __init__(
        self,
        *,
        destination: HttpDestination,
        reactor: IReactorTime,
        now_us: Callable[[], int],
        context: Callable[[], Awaitable[SSL.Context]],
        proxy: ProxyAccess | None,
        agent: Callable[[Exchange], Any] | None = None,
    ) -> None:
        """As in `HttpSender`."""
        self._destination = destination
        self._reactor = reactor
        self._now_us = now_us
        self._context = context
        self._proxy = proxy
        self._agent = agent or self._pooled_agent
        self._pool = NotedPool(reactor, max_idle=destination.concurrency, idle_s=IDLE_S)

    def make(self, hop: Hop, headers: Headers, body: bytes) -> Deferred[Answer]:
        """Go to `hop` and on to where it leads; `headers` are changed on the way. Fails with `DestinationError`.

        The destination's time-out bounds it from the name look-up to the last byte of the last answer.
        """
        journey = Journey(hop=hop)
        timeout_s = self._destination.timeout_s

        def convert(outcome: object, _: float) -> object:
            # An answer whose body was cut off by the time-out is an answer.
            if isinstance(outcome, Failure) and not isinstance(outcome.value, DestinationError):
                where, phase = shown_url(journey.hop.url), journey.exchange.phase
                return Failure(timed_out(where, phase=phase, timeout_s=timeout_s))  # type: ignore[no-untyped-call]
            return outcome

        running = Deferred.fromCoroutine(self._travel(journey, headers, body))
        running.addTimeout(timeout_s, self._reactor, onTimeoutCancel=convert)
        return running

    async def close(self) -> None:
        """Close idle connections; those in use end with their exchange."""
        await self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]

    async def _travel(self, journey: Journey, headers: Headers, body: bytes) -> Answer:
        """Follow redirects as the destination allows."""
        for count in itertools.count():
            hop = journey.hop
            if not hop.keeps_login:
                for name, _ in list(headers.getAllRawHeaders()):
                    if stays_with_origin(name.decode("ascii")):
                        headers.removeHeader(name)
            if not hop.keeps_body:
                body = b""
                headers.removeHeader("content-type")
            response, answer = await self._arrive(journey, headers, body)
            location = _first(response.headers, "location")
            following = next_hop(
                answer,
                url=hop.url,
                method=hop.method,
                location=location,
                count=count,
                policy=self._destination.redirects,
                has_key=bool(self._destination.tls.alias),
            )
            if following is None:
                break
            journey.hop = following
        refusal = refusal_of(
            answer,
            retry_after=_first(response.headers, "retry-after"),
            location=location,
            now_s=self._now_us() / 1e6,
            rules=self._destination.answers,
        )
        if refusal is not None:
            raise refusal
        return answer

    async def _arrive(self, journey: Journey, headers: Headers, body: bytes) -> tuple[IResponse, Answer]:
        """One exchange, repeated while it meets connections of the pool that have died."""
        hop = journey.hop
        for _ in range(self._destination.concurrency + 1):
            exchange = journey.exchange = Exchange()
            try:
                return await self._exchange(exchange, hop.method, hop.url, headers, body)
            except DestinationError:
                raise
            except Exception as error:
                if is_cancelled(error):
                    raise CancelledError from error
                if is_lost(error) and not exchange.is_fresh:
                    continue
                fault = fault_of(error, where=shown_url(hop.url), phase=exchange.phase)
                if fault is None:
                    raise
                raise fault from error
        raise DestinationError(
            "connection-lost", f"{shown_url(hop.url)}: every connection was closed while it was idle"
        )

    async def _exchange(
        self, exchange: Exchange, method: str, url: str, headers: Headers, body: bytes
    ) -> tuple[IResponse, Answer]:
        is_tls = url.startswith("https:")
        exchange.is_tls = is_tls
        proxy = exchange.proxy = self._proxy_for(url)
        if is_tls or (proxy is not None and proxy.proxy.scheme is ProxyScheme.HTTPS):
            exchange.context = await self._context()
        rounds = MAX_ROUNDS if proxy is not None and not is_tls else 1
        for turn in range(1, rounds + 1):
            sent = self._log_in(proxy, method, url, headers) if rounds > 1 else ""
            response, answer = await self._ask(exchange, method, url, headers, body)
            if proxy is None or is_tls or response.code != 407 or turn == rounds:
                break
            await proxy.challenged(response.headers.getRawHeaders("proxy-authenticate", []), sent=sent)
        # What was for the proxy must not go along to another host.
        headers.removeHeader("proxy-authorization")
        return response, answer

    async def _ask(
        self, exchange: Exchange, method: str, url: str, headers: Headers, body: bytes
    ) -> tuple[IResponse, Answer]:
        producer = WholeBody(body) if body or method not in ("GET", "HEAD", "DELETE") else None
        # A second round may find a connection of the pool that has died meanwhile: that is no failure of a new one.
        exchange.is_fresh, exchange.phase = False, Phase.WAITING
        agent = self._agent(exchange)
        response: IResponse = await agent.request(method.encode("ascii"), url.encode("ascii"), headers, producer)
        exchange.phase = Phase.READING
        reader = BodyReader(exchange=exchange, max_bytes=self._destination.max_answer_bytes)
        response.deliverBody(reader)  # type: ignore[no-untyped-call]
        await reader.done
        answer = Answer(
            status=response.code,
            where=shown_url(url),
            body=reader.body,
            is_cut=reader.is_cut,
            content_type=_first(response.headers, "content-type"),
        )
        return response, answer

    def _proxy_for(self, url: str) -> ProxyAccess | None:
        if self._proxy is None:
            return None
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return None if is_bypassed(parts.hostname or "", port, self._proxy.proxy.no_proxy) else self._proxy

    def _log_in(self, proxy: ProxyAccess | None, method: str, url: str, headers: Headers) -> str:
        """Put the login for the proxy into the headers of a request in absolute form; return what was put there."""
        field = proxy.field(method, url) if proxy is not None else ""
        if field:
            headers.setRawHeaders("proxy-authorization", [field])
        return field

    def _pooled_agent(self, exchange: Exchange) -> Any:
        roads = Roads(
            reactor=self._reactor,
            pool=self._pool,
            exchange=exchange,
            timeout_s=self._destination.timeout_s,
            rules=self._destination.tls,
            proxy=exchange.proxy,
        )
        return roads.agent(is_tls=exchange.is_tls)


def _first(headers: Headers, name: str) -> str:
    values: Sequence[str] = headers.getRawHeaders(name, [])
    return values[0] if values else ""

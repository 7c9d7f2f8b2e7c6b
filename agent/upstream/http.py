"""Sends requests to one HTTP or HTTPS destination, over a pool of connections."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import attrs
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from agent.boundaries import StoredRequest
from agent.config.model import HttpDestination
from agent.config.outbound import ProxyScheme
from agent.config.template import filled
from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.upstream.exchange import BodyReader, Exchange, NotedPool, Phase
from agent.upstream.faults import fault_of, is_cancelled, is_lost, timed_out
from agent.upstream.login import Login, ReadFile, fields_of
from agent.upstream.proxy import MAX_ROUNDS, ProxyAccess, is_bypassed
from agent.upstream.redirect import Hop, next_hop, stays_with_origin
from agent.upstream.roads import Roads
from agent.upstream.targets import Targets, is_gone
from agent.upstream.tries import Tries, is_unauthorized
from agent.upstream.verdict import refusal_of, shown_url

log = Logger(namespace="upstream")

USER_AGENT: Final = "integration-agent"

IDLE_S: Final = 4.0
"""How long an unused connection is kept. Shorter than the shortest common keep-alive (Apache and Node close after
5 s): who closes first meets no request that is already on its way."""

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, 5.6.2: names of headers and methods."""

VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, 5.5: no line ends, no NUL. What is not Latin-1 has no agreed spelling."""

OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection or frame the message: a service that sets one could smuggle a request."""

PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


@attrs.define(kw_only=True)
class Journey:
    """Where a request is at the moment, for the sentence about a time-out."""

    hop: Hop
    exchange: Exchange = attrs.field(factory=Exchange)


class HttpSender:
    """Implements `Sender`. A request lost on a connection from the pool is repeated at once on a new one.

    That is no attempt of its own: the far end has closed an idle connection just when the request left, and the
    `Idempotency-Key` lets it drop a double where that guess is wrong.
    """

    keeps_order: Final = False

    def __init__(
        self,
        *,
        destination: HttpDestination,
        reactor: IReactorTime,
        now_us: Callable[[], int],
        context: Callable[[], Awaitable[SSL.Context]],
        read: ReadFile | None = None,
        cnonce: Callable[[], str] = lambda: os.urandom(16).hex(),
        agent: Callable[[Exchange], Any] | None = None,
    ) -> None:
        """`context` is called before each https request. `read` reads the credentials again, None: never.

        `cnonce` gives random text for Digest. `agent` makes the IAgent of an exchange, for tests.
        """
        self._destination = destination
        self._reactor = reactor
        self._now_us = now_us
        self._context = context
        self._login = Login(destination.credentials, name=destination.name, read=read)
        self._proxy = ProxyAccess(destination.proxy, cnonce=cnonce) if destination.proxy is not None else None
        self._agent = agent or self._pooled_agent
        self._pool = NotedPool(reactor, max_idle=destination.concurrency, idle_s=IDLE_S)
        self.kind: Final = urlsplit(destination.url).scheme.lower()
        self._targets = Targets((destination.url, *destination.further_urls), failback_s=destination.failback_s)
        self.concurrency: Final = destination.concurrency

    @property
    def target(self) -> str:
        """The URL in use."""
        return shown_url(self._targets.current)

    async def send(self, request: StoredRequest, attempt: int) -> Answer:
        """The tries of one attempt; see `agent.upstream.tries`."""
        tries = Tries(self._destination.tries, attempt=attempt)
        while True:
            await self._login.settle()
            try:
                return await self._round(request)
            except DestinationError as error:
                if is_unauthorized(error):
                    self._login.refused()
                pause_s = tries.pause_after(error)
                if pause_s is None:
                    raise
                log.info(
                    "{name}: tries {id} again in {pause_s:g} s: {reason}",
                    name=self._destination.name,
                    id=request.id,
                    pause_s=pause_s,
                    reason=error.sentence,
                    event_id=request.id.partition("/")[0],
                )
            await deferLater(self._reactor, pause_s)

    async def _round(self, request: StoredRequest) -> Answer:
        """One try: the URL in use, and the others in their order while one is not there."""
        *first, last = self._targets.order(self._reactor.seconds())
        for number in first:
            try:
                return await self._try(request, number)
            except DestinationError as error:
                if not is_gone(error):
                    raise
                log.warn(
                    "{name}: asks its next URL: {reason}",
                    name=self._destination.name,
                    reason=error.sentence,
                    event_id=request.id.partition("/")[0],
                )
        return await self._try(request, last)

    async def _try(self, request: StoredRequest, number: int) -> Answer:
        """One journey to one URL, redirects included.

        The destination's time-out bounds it from the name look-up to the last byte of the last answer.
        """
        sent = request.request
        headers = headers_of(self._destination, request, self._login.fields)
        hop = Hop(
            url=url_of(self._targets.urls[number], sent.path),
            method=method_of(self._destination, sent),
            keeps_body=True,
            keeps_login=True,
        )
        journey = Journey(hop=hop)
        try:
            answer = await self._in_time(journey, headers, body_of(self._destination, request))
        except DestinationError as error:
            if not is_gone(error):
                self._reached(number)
            raise
        self._reached(number)
        return answer

    def _reached(self, number: int) -> None:
        if self._targets.answered(number, self._reactor.seconds()):
            log.info("{name}: uses {url} now", name=self._destination.name, url=self.target)

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
        for _ in range(self.concurrency + 1):
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

    async def close(self) -> None:
        """Close idle connections; those in use end with their exchange."""
        await self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]

    def _in_time(self, journey: Journey, headers: Headers, body: bytes) -> Deferred[Answer]:
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
            proxy.challenged(response.headers.getRawHeaders("proxy-authenticate", []), sent=sent)
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


@implementer(IBodyProducer)
class WholeBody:
    """A body that is in memory already, written at once; `FileBodyProducer` takes a reactor turn per 64 KiB."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Everything is written already."""

    def resumeProducing(self) -> None:
        """Everything is written already."""

    def stopProducing(self) -> None:
        """Everything is written already."""


def method_of(destination: HttpDestination, request: OutboundRequest) -> str:
    """The method, in capitals; raises `DestinationError` when it is none."""
    method = request.method or destination.method
    if not TOKEN.fullmatch(method):
        raise _unfit(f"{method!r} is not a method")
    return method.upper()


def body_of(destination: HttpDestination, request: StoredRequest) -> bytes:
    """The body of a request: the service's own, or the destination's template filled from it."""
    sent = request.request
    if not destination.body_template:
        return sent.body
    values = {
        "id": request.id,
        "event-id": request.id.partition("/")[0],
        "service": request.service,
        "group": request.group,
        "destination": destination.name,
        "body": sent.body.decode("utf-8", "replace"),
    }
    return filled(destination.body_template, values).encode("utf-8", "replace")


def url_of(base: str, path: str) -> str:
    """`base` with `path` behind its own path, percent-encoded where needed; a query in `path` joins that of `base`.

    Raises `DestinationError` for `.` and `..`: a path built from an event must not leave the destination's own.
    """
    if not path:
        return base
    parts = urlsplit(base)
    tail, _, query = path.partition("?")
    if any(unquote(segment) in (".", "..") for segment in unquote(tail).replace("\\", "/").split("/")):
        raise _unfit(f"the path {path[:200]!r} holds a dot segment")
    joined = f"{parts.path.rstrip('/')}/{quote(tail.lstrip('/'), safe=PATH_SAFE)}"
    queries = "&".join(part for part in (parts.query, quote(query, safe=PATH_SAFE + "?")) if part)
    return parts._replace(path=joined, query=queries, fragment="").geturl()


def headers_of(destination: HttpDestination, request: StoredRequest, login: Mapping[str, str] | None = None) -> Headers:
    """All headers of a request: ours, the destination's, the service's; the later wins over the earlier.

    `login` takes the place of the destination's own credentials, which may be older.
    Raises `DestinationError` for a name or value that would be more than one header, and for headers of the connection.
    """
    chosen: dict[str, list[str]] = {"user-agent": [USER_AGENT]}
    content_type = destination.body_type or request.request.content_type
    if content_type:
        chosen["content-type"] = [content_type]
    for name, value in (fields_of(destination.credentials) if login is None else login).items():
        chosen[name] = [value]
    for given in (destination.headers, request.request.headers):
        chosen.update(_by_name(given))
    chosen["idempotency-key"] = [request.id]
    headers = Headers()
    for name, values in chosen.items():
        for value in values:
            # The value is not shown: it may be a credential.
            if not VALUE.fullmatch(value):
                raise _unfit(f"the value of header {name} holds a line end or what is not Latin-1")
            headers.addRawHeader(name.encode("ascii"), value.strip().encode("latin-1"))
    return headers


def _by_name(given: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in given:
        if not TOKEN.fullmatch(name):
            raise _unfit(f"{name[:200]!r} is not the name of a header")
        if name.lower() in OURS:
            raise _unfit(f"the header {name} is set by the agent itself")
        found.setdefault(name.lower(), []).append(value)
    return found


def _unfit(sentence: str) -> DestinationError:
    return DestinationError("unfit-request", f"this request cannot be sent: {sentence}", retryable=False)


def _first(headers: Headers, name: str) -> str:
    values: Sequence[str] = headers.getRawHeaders(name, [])
    return values[0] if values else ""

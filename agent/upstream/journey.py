"""The way of one try: to a URL, by a proxy where there is one, and on through its redirects, within one time-out."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Final

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from agent.config.model import HttpDestination
from agent.delivery import Answer
from agent.errors import DestinationError
from agent.upstream.exchange import Exchange, Phase
from agent.upstream.expiry import Expiry
from agent.upstream.faults import LOST, fault_of, is_cancelled, timed_out
from agent.upstream.message import Fields, rendered
from agent.upstream.pool import Pool
from agent.upstream.proxy import MAX_ROUNDS, ProxyAccess
from agent.upstream.redirect import Hop, next_hop, stays_with_origin
from agent.upstream.roads import Road, Roads
from agent.upstream.verdict import refusal_of
from agent.wire.reply import Reply


class Journeys:
    """Makes the journeys of one destination, over a pool of connections.

    A request lost on a connection from the pool is repeated at once on a new one. That is no try of its own: the far
    end has closed an idle connection just when the request left, and the `Idempotency-Key` lets it drop a double where
    that guess is wrong. Where anything of an answer came, it was no idle connection, and nothing is repeated.
    """

    def __init__(
        self,
        *,
        destination: HttpDestination,
        reactor: IReactorTime,
        now_us: Callable[[], int],
        context: Callable[[], Awaitable[SSL.Context]],
        proxy: ProxyAccess | None,
        direct: Callable[[str, int], IStreamClientEndpoint] | None = None,
    ) -> None:
        """As in `HttpSender`."""
        self._destination: Final = destination
        self._now_us = now_us
        self._pool = Pool(reactor=reactor, max_idle=destination.concurrency)
        self._roads = Roads(
            destination=destination, reactor=reactor, context=context, pool=self._pool, proxy=proxy, direct=direct
        )
        self._under_way: Expiry[Exchange] = Expiry(
            reactor=reactor, after_s=destination.timeout_s, expired=Exchange.run_out
        )

    async def make(self, hop: Hop, fields: Fields, body: bytes) -> Answer:
        """Go to `hop` and on to where it leads. Raises `DestinationError`.

        The destination's time-out bounds it from the name look-up to the last byte of the last answer.
        """
        exchange = Exchange()
        self._under_way.add(exchange)
        try:
            return await self._travel(exchange, hop, fields, body)
        except DestinationError:
            raise
        except Exception:
            if exchange.is_overdue:
                raise self._timed_out(exchange) from None
            raise
        finally:
            self._under_way.drop(exchange)

    async def close(self) -> None:
        """Close idle connections; those in use end with their exchange."""
        self._under_way.close()
        await self._pool.close()

    async def _travel(self, exchange: Exchange, hop: Hop, fields: Fields, body: bytes) -> Answer:
        """Follow redirects as the destination allows."""
        for count in itertools.count():
            road = self._roads.road(hop.url)
            exchange.where = road.shown
            reply = await self._arrive(exchange, road, hop.method, fields, body)
            answer = Answer(
                status=reply.status,
                where=road.shown,
                body=reply.body,
                is_cut=reply.is_cut,
                content_type=reply.first(b"content-type"),
            )
            if 200 <= reply.status < 300 and not self._destination.answers:
                return answer
            following = next_hop(
                answer,
                url=hop.url,
                method=hop.method,
                location=reply.first(b"location"),
                count=count,
                policy=self._destination.redirects,
                has_key=bool(self._destination.tls.alias),
            )
            if following is None:
                break
            if exchange.is_overdue:
                raise self._timed_out(exchange)  # it was the time-out that ended the body of the redirect
            hop = following
            if not hop.keeps_login:
                fields = tuple(field for field in fields if not stays_with_origin(field[0]))
            if not hop.keeps_body:
                body, fields = b"", tuple(field for field in fields if field[0] != "content-type")
        refusal = refusal_of(
            answer,
            retry_after=reply.first(b"retry-after"),
            location=reply.first(b"location"),
            now_s=self._now_us() / 1e6,
            rules=self._destination.answers,
        )
        if refusal is not None:
            raise refusal
        return answer

    async def _arrive(self, exchange: Exchange, road: Road, method: str, fields: Fields, body: bytes) -> Reply:
        """One request and its answer; what fails has its sentence."""
        try:
            if road.is_forwarded:
                return await self._forwarded(exchange, road, method, fields, body)
            return await self._ask(exchange, road, method, fields, body)
        except DestinationError:
            raise
        except Exception as error:
            if is_cancelled(error):
                raise CancelledError from error
            fault = fault_of(error, where=road.shown, phase=exchange.phase)
            if fault is None:
                raise
            raise fault from error

    async def _forwarded(self, exchange: Exchange, road: Road, method: str, fields: Fields, body: bytes) -> Reply:
        """Ask the proxy, and log in to it where it wants that."""
        proxy = road.proxy
        assert proxy is not None, "whoever forwards is a proxy"
        for turn in itertools.count(1):
            login = proxy.field(method, road.target.decode("ascii"))
            reply = await self._ask(exchange, road, method, fields, body, login=login)
            if reply.status != 407 or turn == MAX_ROUNDS:
                break
            await exchange.waits(proxy.challenged(reply.values(b"proxy-authenticate"), sent=login))
        return reply

    async def _ask(
        self, exchange: Exchange, road: Road, method: str, fields: Fields, body: bytes, *, login: str = ""
    ) -> Reply:
        request = rendered(
            method=method, target=road.target, host=road.host_field, fields=fields, login=login, body=body
        )
        is_head = method == "HEAD"
        connection = self._pool.take(road.key)
        if connection is not None:
            exchange.phase = Phase.WAITING
            try:
                return await exchange.waits(connection.ask(request, is_head=is_head, exchange=exchange))
            except LOST:
                if connection.has_heard:
                    raise
        connection = await self._roads.connect(road, exchange)
        return await exchange.waits(connection.ask(request, is_head=is_head, exchange=exchange))

    def _timed_out(self, exchange: Exchange) -> DestinationError:
        return timed_out(exchange.where, phase=exchange.phase, timeout_s=self._destination.timeout_s)

"""Sends requests to one HTTP or HTTPS destination: its tries, its URLs, its credentials."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from OpenSSL import SSL
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger

from agent.boundaries import StoredRequest
from agent.config.model import HttpDestination
from agent.delivery import Answer
from agent.errors import DestinationError
from agent.upstream.journey import Journeys
from agent.upstream.login import Login, ReadSecret
from agent.upstream.message import Letterhead, body_of, method_of, url_of
from agent.upstream.proxy import ProxyAccess
from agent.upstream.redirect import Hop
from agent.upstream.targets import Targets, is_gone
from agent.upstream.tries import Tries, is_unauthorized
from agent.upstream.verdict import shown_url

log = Logger(namespace="upstream")


class HttpSender:
    """Implements `Sender`."""

    keeps_order: Final = False

    def __init__(
        self,
        *,
        destination: HttpDestination,
        reactor: IReactorTime,
        now_us: Callable[[], int],
        context: Callable[[], Awaitable[SSL.Context]],
        read: ReadSecret | None = None,
        cnonce: Callable[[], str] = lambda: os.urandom(16).hex(),
        direct: Callable[[str, int], IStreamClientEndpoint] | None = None,
    ) -> None:
        """`context` is called for each connection with TLS. `read` reads the credentials again, None: never.

        `cnonce` gives random text for Digest. `direct` makes the endpoint for a host and a port, for tests.
        """
        self._destination = destination
        self._letterhead = Letterhead(destination)
        self._reactor = reactor
        self._login = Login(destination.credentials, name=destination.name, read=read)
        proxy = destination.proxy
        self._journeys = Journeys(
            destination=destination,
            reactor=reactor,
            now_us=now_us,
            context=context,
            proxy=ProxyAccess(proxy, cnonce=cnonce, read=read) if proxy is not None else None,
            direct=direct,
        )
        self.kind: Final = urlsplit(destination.url).scheme.lower()
        self._targets = Targets((destination.url, *destination.further_urls), failback_s=destination.failback_s)
        self.concurrency: Final = destination.concurrency

    @property
    def target(self) -> str:
        """The URL in use."""
        return shown_url(self._targets.current)

    async def send(self, request: StoredRequest, attempt: int) -> Answer:
        """The tries of one attempt; see `agent.upstream.tries`.

        A 401 reads the credentials again; where that finds others, they are tried at once, whatever the attempt.
        """
        tries = Tries(self._destination.tries, attempt=attempt)
        is_renewed = False
        while True:
            await self._login.settle()
            try:
                return await self._round(request)
            except DestinationError as error:
                if is_unauthorized(error):
                    self._login.refused()
                    if not is_renewed and await self._login.settle():
                        is_renewed = True
                        continue
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

    async def close(self) -> None:
        """Close idle connections; those in use end with their exchange."""
        await self._journeys.close()

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
        """One journey to one URL, redirects included."""
        sent = request.request
        fields = self._letterhead.fields(request, self._login.fields)
        hop = Hop(
            url=url_of(self._targets.urls[number], sent.path),
            method=method_of(self._destination, sent),
            keeps_body=True,
            keeps_login=True,
        )
        try:
            answer = await self._journeys.make(hop, fields, body_of(self._destination, request))
        except DestinationError as error:
            if not is_gone(error):
                self._reached(number)
            raise
        self._reached(number)
        return answer

    def _reached(self, number: int) -> None:
        if self._targets.answered(number, self._reactor.seconds()):
            log.info("{name}: uses {url} now", name=self._destination.name, url=self.target)

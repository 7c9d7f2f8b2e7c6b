"""Takes stored requests to their destinations: one `Lane` each, started and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from agent.boundaries import Counters, Spool, StoredRequest
from agent.config.model import Destination, OutboxDestination
from agent.upstream.http import HttpSender
from agent.upstream.lane import Lane
from agent.upstream.login import read_small_file
from agent.upstream.outbox import OutboxSender
from agent.upstream.sender import Sender
from agent.upstream.trust import system_context

log = Logger(namespace="upstream")

Result = TypeVar("Result")


class Courier:
    """A Part. `jitter` gives numbers evenly spread over [0, 1); `home` is where a relative outbox path begins.

    `senders` replaces the ways out by name; for tests.
    """

    name: Final = "upstream"

    def __init__(
        self,
        *,
        destinations: Sequence[Destination],
        home: Path,
        spool: Spool,
        reactor: Any,
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        counters: Counters,
        senders: Callable[[Destination], Sender] | None = None,
    ) -> None:
        self._home = home
        self._spool = spool
        self._reactor = reactor
        self._now_us = now_us
        self._strangers: set[str] = set()
        make = senders or self._sender
        self._lanes = {
            destination.name: Lane(
                name=destination.name,
                sender=make(destination),
                policy=destination.retry,
                spool=spool,
                reactor=reactor,
                now_us=now_us,
                jitter=jitter,
                counters=counters,
            )
            for destination in destinations
        }
        self._is_subscribed = False

    async def start(self) -> None:
        """Listen to the spool, then read what it still has: in this order nothing falls between."""
        if not self._is_subscribed:
            self._spool.on_requests(self._stored)
            self._is_subscribed = True
        for lane in self._lanes.values():
            lane.open()

    async def stop(self, patience_s: float) -> None:
        """Let what is being sent end; what is not sent stays in the spool."""
        closing = [Deferred.fromCoroutine(lane.close(patience_s)) for lane in self._lanes.values()]
        for closed, failure in await DeferredList(closing, consumeErrors=True):
            if not closed:
                log.failure("a destination did not close well", failure)

    def describe(self) -> list[dict[str, object]]:
        """One mapping per destination; see `Lane.describe`."""
        return [lane.describe() for lane in self._lanes.values()]

    def _stored(self, requests: Sequence[StoredRequest]) -> None:
        """Hand a batch to its lanes. Requests of one destination stay in order."""
        if len(requests) == 1:
            self._offer(requests[0].request.destination, requests)
            return
        by_name: dict[str, list[StoredRequest]] = {}
        for request in requests:
            by_name.setdefault(request.request.destination, []).append(request)
        for name, batch in by_name.items():
            self._offer(name, batch)

    def _offer(self, name: str, requests: Sequence[StoredRequest]) -> None:
        lane = self._lanes.get(name)
        if lane is not None:
            lane.offer(requests)
        elif name not in self._strangers:
            self._strangers.add(name)
            log.warn(
                "there is no destination {name!r}: {id} waits in the spool until iaconfig.xml has one",
                name=name,
                id=requests[0].id,
                event_id=requests[0].id.partition("/")[0],
            )

    def _sender(self, destination: Destination) -> Sender:
        if isinstance(destination, OutboxDestination):
            return OutboxSender(
                destination=attrs.evolve(destination, path=self._home / destination.path),
                reactor=self._reactor,
                now_us=self._now_us,
                run_in_thread=self._run_in_thread,
            )
        return HttpSender(
            destination=destination,
            reactor=self._reactor,
            now_us=self._now_us,
            context=system_context,
            read=lambda path: self._run_in_thread(lambda: read_small_file(path)),
        )

    def _run_in_thread(self, work: Callable[[], Result]) -> Deferred[Result]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)

"""Takes stored requests to their destinations: one `Lane` each, started and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from agent.boundaries import Counters, Spool, StoredRequest
from agent.config.model import Destination, HttpDestination, OutboxDestination
from agent.config.outbound import ClientTls
from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.secret import Secret
from agent.upstream.asking import Asker
from agent.upstream.circuit import Circuit, Rate
from agent.upstream.contexts import Contexts
from agent.upstream.http import HttpSender
from agent.upstream.lane import Lane
from agent.upstream.login import read_small_file
from agent.upstream.material import ReadFile, context_of
from agent.upstream.outbox import OutboxSender
from agent.upstream.paused import PausedBook
from agent.upstream.sender import Sender
from keystoretools import ErrorCode
from keystoretools.errors import FileError

log = Logger(namespace="upstream")

Result = TypeVar("Result")

DAY_S: Final = 24 * 3600.0

CARELESS: Final = (
    'destination {name}: ignoreSSLErrors="true", so whoever stands between can read and change what is sent; pin the '
    "certificate with SSL/fingerprint, or put its authority into a Truststore, and take the attribute out"
)


def no_files(path: PurePath) -> bytes:
    """A courier that was given no way to read files."""
    raise FileError(f"Nothing here reads files, {str(path)!r} among them.", path=str(path), code=ErrorCode.NO_SUCH_FILE)


class Courier:
    """A Part, and `agent.boundaries.Asking`. `jitter` gives numbers evenly spread over [0, 1).

    `home` is where a relative outbox path begins.

    `senders` replaces the ways out by name; for tests. `paused` keeps which destinations the operator holds back;
    without it that is forgotten at the end. `read` gives the octets of keystores and truststores, and blocks;
    `password` is the environment's, for those that have no password file.
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
        read: ReadFile = no_files,
        password: Secret | None = None,
        senders: Callable[[Destination], Sender] | None = None,
        paused: PausedBook | None = None,
    ) -> None:
        self._home = home
        self._read = read
        self._password = password
        self._careless: Final = [
            destination.name
            for destination in destinations
            if isinstance(destination, HttpDestination) and destination.tls.ignore_errors
        ]
        self._daily: IDelayedCall | None = None
        self._spool = spool
        self._reactor = reactor
        self._now_us = now_us
        self._strangers: set[str] = set()
        make = senders or self._sender
        ways = {destination.name: make(destination) for destination in destinations}
        self._asker = Asker(senders=ways, reactor=reactor, now_us=now_us, counters=counters)
        self._paused = paused
        self._lanes = {
            destination.name: Lane(
                name=destination.name,
                sender=ways[destination.name],
                policy=destination.retry,
                spool=spool,
                reactor=reactor,
                now_us=now_us,
                jitter=jitter,
                counters=counters,
                circuit=_circuit_of(destination, jitter),
                rate=_rate_of(destination),
            )
            for destination in destinations
        }
        self._is_subscribed = False

    async def start(self) -> None:
        """Listen to the spool, then read what it still has: in this order nothing falls between."""
        if not self._is_subscribed:
            self._spool.on_requests(self._stored)
            self._is_subscribed = True
        for name, lane in self._lanes.items():
            if self._paused is not None and name in self._paused.names:
                log.warn('{name} is paused: nothing is sent there until "iadmin destination resume"', name=name)
                lane.hold(True)
            lane.open()
        self._warn()

    async def stop(self, patience_s: float) -> None:
        """Let what is being sent end; what is not sent stays in the spool."""
        if self._daily is not None and self._daily.active():
            self._daily.cancel()
        closing = [Deferred.fromCoroutine(lane.close(patience_s)) for lane in self._lanes.values()]
        for closed, failure in await DeferredList(closing, consumeErrors=True):
            if not closed:
                log.failure("a destination did not close well", failure)

    def pause(self, name: str, *, is_paused: bool) -> bool:
        """Hold back what is stored for a destination, or let it go; kept over restarts. False: there is none so named.

        Raises `MachineError` where that cannot be kept; nothing is changed then.
        """
        lane = self._lanes.get(name)
        if lane is None:
            return False
        if self._paused is not None:
            others = self._paused.names - {name}
            self._paused.write(others | {name} if is_paused else others)
        lane.hold(is_paused)
        log.info("{name} is {what} by the operator", name=name, what="paused" if is_paused else "resumed")
        return True

    def ask(
        self, request: OutboundRequest, *, event_id: str, timeout_s: float, even_paused: bool = False
    ) -> Deferred[Answer]:
        """See `agent.boundaries.Asking`. Refused while the operator has paused the destination, or `even_paused`."""
        lane = self._lanes.get(request.destination)
        if lane is not None and lane.is_held and not even_paused:
            return fail(DestinationError("paused", f"{request.destination} is paused by the operator"))
        return self._asker.ask(request, event_id=event_id, timeout_s=timeout_s)

    def describe(self) -> list[dict[str, object]]:
        """One mapping per destination; see `Lane.describe`. `warnings` are sentences about how it is configured."""
        return [
            {**told, "warnings": [*([CARELESS.format(name=name)] if name in self._careless else []), *_unreached(told)]}
            for name, told in ((name, lane.describe()) for name, lane in self._lanes.items())
        ]

    def _warn(self) -> None:
        """At the start and once a day, so that what was meant for an afternoon is not forgotten for years."""
        for name in self._careless:
            log.warn("{warning}", warning=CARELESS.format(name=name))
        if self._careless:
            self._daily = self._reactor.callLater(DAY_S, self._warn)

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
            context=Contexts(
                destination.tls, name=destination.name, make=self._make_context, in_thread=self._run_in_thread
            ),
            read=lambda path: self._run_in_thread(lambda: read_small_file(path)),
        )

    def _make_context(self, config: ClientTls) -> SSL.Context:
        now = datetime.fromtimestamp(self._now_us() / 1e6, UTC)
        return context_of(config, read=self._read, password=self._password, now=now)

    def _run_in_thread(self, work: Callable[[], Result]) -> Deferred[Result]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


def _circuit_of(destination: Destination, jitter: Callable[[], float]) -> Circuit | None:
    if not isinstance(destination, HttpDestination):
        return None
    return Circuit(
        failures=destination.circuit_failures,
        concurrency=destination.concurrency,
        policy=destination.retry,
        jitter=jitter,
    )


def _rate_of(destination: Destination) -> Rate | None:
    if not isinstance(destination, HttpDestination) or not destination.exchange_size:
        return None
    return Rate(size=destination.exchange_size, interval_s=destination.exchange_interval_s)


def _unreached(told: Mapping[str, object]) -> list[str]:
    if told["circuit"] == "closed":
        return []
    return [f"destination {told['destination']}: nothing can be sent, it is stored: {told['last_error']}"]

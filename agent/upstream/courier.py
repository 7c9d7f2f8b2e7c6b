"""Takes stored requests to their destinations: one `Way` each, started, changed and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from agent.boundaries import Counters, Spool, StoredRequest, WorkShare
from agent.config.changes import changed_destinations, same
from agent.config.model import Destination
from agent.delivery import Answer, OutboundRequest
from agent.delivery.attention import stranger_sentence
from agent.delivery.share import Unshared
from agent.entries import Entries
from agent.errors import AgentError, DestinationError
from agent.secret import Secret
from agent.upstream.login import OpenSecret, plain_secret
from agent.upstream.material import ReadFile
from agent.upstream.paused import PausedBook
from agent.upstream.sender import Sender
from agent.upstream.way import Way, Ways
from keystoretools import ErrorCode
from keystoretools.errors import FileError

log = Logger(namespace="upstream")

DAY_S: Final = 24 * 3600.0

CHANGE_PATIENCE_S: Final = 60.0
"""For what is in hand when its destination changes: twice the default time-out. What takes longer is broken off, and
sent again by the new settings."""


def no_files(path: PurePath) -> bytes:
    """A courier that was given no way to read files."""
    raise FileError(f"Nothing here reads files, {str(path)!r} among them.", path=str(path), code=ErrorCode.NO_SUCH_FILE)


class Courier:
    """A Part, and `agent.boundaries.Asking`. `jitter` gives numbers evenly spread over [0, 1).

    `home` is where a relative outbox path begins.

    `senders` replaces the ways out by name; for tests. `paused` keeps which destinations the operator holds back;
    without it that is forgotten at the end. `read` gives the octets of keystores and truststores, and blocks;
    `password` is the environment's, for those that have no password file. `entries` is told what becomes of requests.
    `share` says when one may be begun; without, always.
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
        opened: OpenSecret = plain_secret,
        senders: Callable[[Destination], Sender] | None = None,
        paused: PausedBook | None = None,
        entries: Entries | None = None,
        share: WorkShare | None = None,
    ) -> None:
        self._share = share or Unshared()
        self._entries = entries or Entries(reactor=reactor)
        self._spool = spool
        self._reactor = reactor
        self._paused = paused
        self._maker = Ways(
            home=home,
            spool=spool,
            reactor=reactor,
            now_us=now_us,
            jitter=jitter,
            counters=counters,
            read=read,
            password=password,
            opened=opened,
            senders=senders,
            entries=self._entries,
        )
        self._ways = {destination.name: self._maker.make(destination) for destination in destinations}
        self._retiring: dict[str, list[Way]] = {}
        """By name: ways that end what they have in hand. None of that name begins before they have."""
        self._daily: IDelayedCall | None = None
        self._strangers: set[str] = set()
        self._is_subscribed = False
        self._is_stopping = False

    async def start(self) -> None:
        """Listen to the spool, then read what it still has: in this order nothing falls between."""
        if not self._is_subscribed:
            self._spool.on_requests(self._stored)
            self._is_subscribed = True
        for way in self._ways.values():
            self._open(way)
        self._warn()
        await self._tell_strangers()

    async def stop(self, patience_s: float) -> None:
        """Let what is being sent end; what is not sent stays in the spool."""
        self._is_stopping = True
        if self._daily is not None and self._daily.active():
            self._daily.cancel()
        ways = [*self._ways.values(), *(way for retiring in self._retiring.values() for way in retiring)]
        await DeferredList([self._closing(way, patience_s) for way in ways])
        self._entries.enter()

    def change(self, destinations: Sequence[Destination]) -> tuple[str, ...]:
        """Take over another set of destinations; return what is different, as `changed_destinations` says it.

        1. What is the same is left alone, with its connections and its circuit breaker.
        2. What has changed ends what it has in hand by its old settings, then the new ones begin: so the order of each
           process group is kept. All that waits is due at once, because what it waited for may be mended.
        3. What is gone ends what it has in hand. The rest stays in the spool, for a destination of that name.
        """
        old = [way.destination for way in self._ways.values()]
        for name in self._ways.keys() - {destination.name for destination in destinations}:
            self._retire(self._ways.pop(name))
        for destination in destinations:
            before = self._ways.get(destination.name)
            if before is None or not same(before.destination, destination):
                self._put(destination, before, is_held=before is not None and before.lane.is_held)
        # In the order of the file, which is the order of the status.
        self._ways = {destination.name: self._ways[destination.name] for destination in destinations}
        self._strangers.clear()
        self._warn()
        if self._is_subscribed:
            telling = Deferred.fromCoroutine(self._tell_strangers())
            telling.addErrback(lambda failure: log.failure("what waits for no destination could not be told", failure))
        return changed_destinations(old, destinations)

    def pause(self, name: str, *, is_paused: bool) -> bool:
        """Hold back what is stored for a destination, or let it go; kept over restarts. False: there is none so named.

        What is let go is due at once and sent step by step, whether it was paused or not: the operator may have mended
        the far end. Raises `MachineError` where that cannot be kept; nothing is changed then.
        """
        way = self._ways.get(name)
        if way is None:
            return False
        if self._paused is not None:
            others = self._paused.names - {name}
            self._paused.write(others | {name} if is_paused else others)
        if is_paused:
            way.lane.hold(True)
        else:
            # Anew, so that an open circuit or a long pause until the next attempt does not keep it back.
            self._put(way.destination, way, is_held=False)
        log.info("{name} is {what} by the operator", name=name, what="paused" if is_paused else "resumed")
        return True

    def ask(
        self, request: OutboundRequest, *, event_id: str, timeout_s: float, even_paused: bool = False
    ) -> Deferred[Answer]:
        """See `agent.boundaries.Asking`. `even_paused`: the operator asks, whom neither the pause nor the circuit
        breaker and the rate of the destination keep from it."""
        name = request.destination
        way = self._ways.get(name)
        if way is None:
            return fail(DestinationError("no-destination", f"there is no destination {name!r}", retryable=False))
        if way.lane.is_held and not even_paused:
            return fail(DestinationError("paused", f"{name} is paused by the operator"))
        return way.asker.ask(request, event_id=event_id, timeout_s=timeout_s, is_operators=even_paused)

    def describe(self) -> list[dict[str, object]]:
        """One mapping per destination; see `Way.describe`."""
        return [way.describe() for way in self._ways.values()]

    def _put(self, destination: Destination, before: Way | None, *, is_held: bool) -> None:
        """Make a way, which begins once nothing of its name is in hand any more."""
        way = self._ways[destination.name] = self._maker.make(destination, before=before)
        way.lane.hold(is_held)
        if before is not None:
            self._retire(before)
        elif destination.name not in self._retiring:
            self._open(way)

    def _retire(self, way: Way) -> None:
        self._retiring.setdefault(way.destination.name, []).append(way)
        self._closing(way, CHANGE_PATIENCE_S).addCallback(lambda _: self._retired(way))

    def _retired(self, way: Way) -> None:
        name = way.destination.name
        self._retiring[name].remove(way)
        if not self._retiring[name]:
            del self._retiring[name]
            if name in self._ways:
                self._open(self._ways[name])

    def _open(self, way: Way) -> None:
        if self._is_stopping or not self._is_subscribed:
            return
        name = way.destination.name
        if self._paused is not None and name in self._paused.names:
            log.warn('{name} is paused: nothing is sent there until "iadmin destination resume"', name=name)
            way.lane.hold(True)
        way.lane.open(self._share)

    def _closing(self, way: Way, patience_s: float) -> Deferred[None]:
        """Fires when the way has let go of everything; never fails."""
        closing = Deferred.fromCoroutine(way.lane.close(patience_s))
        return closing.addErrback(lambda failure: log.failure("a destination did not close well", failure))

    def _warn(self) -> None:
        """At the start, after a change and once a day, so that what was meant for an afternoon is not forgotten."""
        if self._daily is not None and self._daily.active():
            self._daily.cancel()
        warnings = [way.careless for way in self._ways.values() if way.careless]
        for warning in warnings:
            log.warn("{warning}", warning=warning)
        self._daily = self._reactor.callLater(DAY_S, self._warn) if warnings else None

    async def _tell_strangers(self) -> None:
        """Requests that nobody will send: their destination has been renamed or taken out."""
        try:
            found = await self._spool.open_destinations()
        except AgentError as error:
            log.warn("cannot tell which destinations have requests: {reason}", reason=error.sentence)
            return
        for name, count in found.items():
            if name not in self._ways and name not in self._strangers:
                self._strangers.add(name)
                log.warn("{sentence}", sentence=stranger_sentence(name, count))

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
        way = self._ways.get(name)
        if way is not None:
            way.lane.offer(requests)
        elif name not in self._strangers:
            self._strangers.add(name)
            log.warn(
                "{sentence}",
                sentence=stranger_sentence(name, len(requests)),
                event_id=requests[0].id.partition("/")[0],
            )

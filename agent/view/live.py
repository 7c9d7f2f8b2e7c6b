"""The running agent, as `iadmin` sees it: collects what the parts say of themselves. Shapes: docs/control-api.rst."""

from __future__ import annotations

import datetime
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

import agent
from agent.config import AgentConfig
from agent.config.model import LogLevel
from agent.config.show import show_config
from agent.delivery import Answer, OutboundRequest, attention
from agent.errors import AgentError
from agent.recent import Wanted
from agent.version import installed_version
from agent.view.letters import LetterOrders
from agent.view.machine import Disk, disk_under, memory_of
from agent.view.parts import (
    Counted,
    Destinations,
    EventJournal,
    Insertion,
    InThread,
    Levelled,
    Listening,
    NewestRead,
    Orders,
    Refusing,
    Services,
    SpoolHealth,
)

Result = TypeVar("Result")

SPOOL_KEPT_S: Final = 1.0
"""How long counts are shown before the disk is asked anew: ten people who watch cost as much as one."""

TAIL_LOOK_S: Final = 0.2
"""How late a watcher hears of something; log lines are written to the file as late."""

SPOOL_PATIENCE_S: Final = 5.0
"""A status must come also when the disk hangs; that it does is then the first thing it says."""


def apart(work: Awaitable[Result]) -> Deferred[Result]:
    """Its end. Who gives up waiting for it does not end the work."""

    async def done() -> None:
        try:
            result = await work
        except BaseException:
            failure = Failure()  # type: ignore[no-untyped-call]
            if not given.called:
                given.errback(failure)
        else:
            if not given.called:
                given.callback(result)

    given: Deferred[Result] = Deferred(lambda _: None)
    Deferred.fromCoroutine(done())
    return given


def iso_time(at_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 in the local zone, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC).astimezone()
    return moment.isoformat(timespec="milliseconds")


def _installed_us() -> int:
    """When this version came to this machine: packages carry no date of their release."""
    return Path(agent.__file__).stat().st_mtime_ns // 1000


@attrs.frozen(kw_only=True)
class SpoolState:
    """What the disk said of the spool, or the sentence why it could not be asked; and what the workers take of memory,
    by pid."""

    counts: Mapping[str, Any] = attrs.field(factory=dict)
    oldest: Mapping[str, Any] = attrs.field(factory=dict)
    disk: Disk | None = None
    memory: Mapping[int, int] = attrs.field(factory=dict)
    trouble: str = ""


@attrs.frozen(kw_only=True)
class TlsState:
    """What the gateways say of TLS: the desk's book, the certificates in use, and those that run out as sentences."""

    strangers: Callable[[], Mapping[str, object]]
    certificates: Callable[[], Sequence[Mapping[str, object]]]
    expiring: Callable[[], Sequence[str]]


class LiveView:
    """Implements `agent.administered.AgentView`."""

    def __init__(
        self,
        *,
        config: AgentConfig,
        host: Services,
        courier: Destinations,
        gateways: Iterable[Listening],
        spool: SpoolHealth,
        orders: Orders,
        journal: EventJournal,
        counters: Counted,
        now_us: Callable[[], int],
        clock: IReactorTime,
        in_thread: InThread,
        ask_to_stop: Callable[[bool], None],
        tls: TlsState,
        reload: Callable[[str], Awaitable[Mapping[str, object]]],
        admin: Callable[[], Mapping[str, Any] | None],
        kept: Callable[[], Sequence[str]],
        offering: Refusing,
        emptying: Callable[[str], Awaitable[int]],
        insertion: Insertion,
        log: Levelled,
        newest: NewestRead,
        address: str,
    ) -> None:
        self._config = config
        self._services = host
        self._courier = courier
        self._gateways = gateways
        self._spool = spool
        self._letters = LetterOrders(orders=orders, journal=journal, feed=newest, in_thread=in_thread, now_us=now_us)
        self._folder = Path(config.home) / "var" / "spool"
        self._journal = journal
        self._counters = counters
        self._now_us = now_us
        self._clock = clock
        self._in_thread = in_thread
        self._ask_to_stop = ask_to_stop
        self._tls = tls
        self._reload = reload
        self._admin = admin
        self._kept = kept
        self._offering = offering
        self._emptying = emptying
        self._insertion = insertion
        self._log = log
        self._newest = newest
        self._address = address
        self._state = "starting"
        self._started_us = now_us()
        self._started_s = clock.seconds()
        self._spool_state = SpoolState()
        self._looked_s = -SPOOL_KEPT_S

    def show(self, config: AgentConfig) -> None:
        """Another configuration is in force."""
        self._config = config

    def began(self) -> None:
        """Everything is up."""
        self._state = "running"

    def stopping(self) -> None:
        """The end has begun."""
        self._state = "stopping"

    async def status(self) -> Mapping[str, object]:
        spool = await self._look()
        services = [{**one, "memory_bytes": spool.memory.get(one.get("pid") or 0)} for one in self._described()]
        gateways = [dict(gateway.describe()) for gateway in self._gateways]
        destinations = self._courier.describe()
        return {
            "state": self._state,
            "version": installed_version(),
            "pid": os.getpid(),
            "home": str(self._config.home),
            "released": iso_time(_installed_us()),
            "agent_id": self._config.agent_id,
            "address": self._address,
            "started": iso_time(self._started_us),
            "uptime_s": int(self._clock.seconds() - self._started_s),
            "gateways": gateways,
            "admin_gateway": self._admin(),
            "services": services,
            "destinations": destinations,
            "counters": self._counters.snapshot(),
            "spool": spool.counts,
            "oldest": spool.oldest.get("open", {}),
            "disk": None if spool.disk is None else attrs.asdict(spool.disk),
            "dead_letters": {**attention.dead_letters(spool.counts), "oldest": spool.oldest.get("dead")},
            "warnings": [*self._warnings(spool, services, gateways), *attention.paused_warnings(destinations)],
        }

    def services(self) -> Sequence[Mapping[str, object]]:
        return self._described()

    def events(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]:
        limit = int(query.get("limit", "50"))
        bodies = query.get("bodies") == "true"
        filters = {name: value for name, value in query.items() if name not in ("limit", "bodies")}
        return self._in_thread(lambda: self._journal.events(limit=limit, bodies=bodies, **filters))

    def event(self, event_id: str) -> Awaitable[Mapping[str, object] | None]:
        return self._in_thread(lambda: self._journal.event(event_id))

    def put_in(self, service: str, body: bytes, content_type: str) -> Awaitable[str]:
        return apart(self._insertion.take(service, body, content_type))

    def repeat(self, event_id: str) -> Awaitable[str]:
        return apart(self._insertion.again(event_id))

    def dead_letters(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]:
        limit = int(query.get("limit", "50"))
        bodies, roads = query.get("bodies") == "true", query.get("roads") == "true"
        filters = {name: value for name, value in query.items() if name not in ("limit", "bodies", "roads")}
        return self._in_thread(lambda: self._journal.dead_letters(limit=limit, bodies=bodies, roads=roads, **filters))

    def letter_body(self, letter_id: str) -> Awaitable[bytes | None]:
        return self._in_thread(lambda: self._journal.body(letter_id))

    async def replay(self, ids: Sequence[str]) -> int:
        return self._changed(await self._letters.replay(ids))

    async def purge(self, ids: Sequence[str]) -> int:
        return self._changed(await self._letters.purge(ids))

    async def edit(self, letter_id: str, body: bytes) -> bool:
        return self._changed(await self._letters.edit(letter_id, body))

    async def tail(self, after: str, wanted: Wanted, *, wait_s: float) -> Mapping[str, object]:
        """Looked for a few times a second, so that whoever writes need not know of readers."""
        end_s = self._clock.seconds() + wait_s
        lost = 0
        while True:
            page = self._newest.read(after, wanted)
            after, lost = page.next, lost + page.lost
            is_over = self._clock.seconds() >= end_s and not page.is_more
            if page.entries or lost or is_over or self._state == "stopping":
                return {"next": after, "lost": lost, "more": page.is_more, "entries": page.entries}
            await deferLater(self._clock, 0.0 if page.is_more else TAIL_LOOK_S)

    def strangers(self) -> Mapping[str, object]:
        return self._tls.strangers()

    def certificates(self) -> Sequence[Mapping[str, object]]:
        return self._tls.certificates()

    def destinations(self) -> Sequence[Mapping[str, object]]:
        return self._courier.describe()

    def pause(self, destination: str, *, is_paused: bool) -> bool:
        return self._courier.pause(destination, is_paused=is_paused)

    def ask(self, request: OutboundRequest, *, timeout_s: float) -> Awaitable[Answer]:
        return self._courier.ask(request, event_id="", timeout_s=timeout_s, even_paused=True)

    async def suspend(self, service: str, *, now: bool, refuse: bool) -> str:
        trouble = await apart(self._services.suspend(service, now=now))
        self._offering.refuse(service, is_refusing=refuse)
        return trouble

    async def resume(self, service: str) -> str:
        trouble = await apart(self._services.resume(service))
        self._offering.refuse(service, is_refusing=False)
        return trouble

    async def restart(self, service: str) -> str:
        return await apart(self._services.restart(service))

    async def purge_service(self, service: str) -> int:
        return self._changed(await apart(self._emptying(service)))

    def queues(self) -> Awaitable[Mapping[str, object]]:
        return self._in_thread(self._journal.queues)

    def settings(self) -> Mapping[str, object]:
        return show_config(self._config)

    def log_level(self) -> str:
        return self._log.level.value

    def set_log_level(self, level: str) -> None:
        self._log.set_level(LogLevel(level))

    def reload(self, service: str) -> Awaitable[Mapping[str, object]]:
        return apart(self._reload(service))

    def stop(self, *, now: bool) -> None:
        self._ask_to_stop(now)

    def _described(self) -> list[dict[str, Any]]:
        """The services, and whether senders are sent away from them."""
        return [
            {**one, "refusing": self._offering.is_refusing(str(one.get("service")))}
            for one in self._services.describe()
        ]

    def _changed(self, outcome: Result) -> Result:
        """After a change, the next status looks anew: what was purged must not be warned of."""
        self._looked_s = -SPOOL_KEPT_S
        return outcome

    async def _look(self) -> SpoolState:
        """Ask the disk, unless it was asked a moment ago."""
        if self._clock.seconds() - self._looked_s < SPOOL_KEPT_S:
            return self._spool_state
        pids = [int(one["pid"]) for one in self._services.describe() if one.get("pid")]
        looking = self._in_thread(lambda: self._read_spool(pids))
        if isinstance(looking, Deferred):
            looking.addTimeout(SPOOL_PATIENCE_S, self._clock)
        try:
            found = await looking
        except AgentError as error:
            found = SpoolState(trouble=error.sentence)
        except TimeoutError:
            found = SpoolState(
                trouble=f"{self._folder}: the disk did not answer within {SPOOL_PATIENCE_S:g} s, so nothing can be "
                "said of what waits; look at the kernel's log and at the disk"
            )
        self._spool_state, self._looked_s = found, self._clock.seconds()
        return found

    def _read_spool(self, pids: Sequence[int]) -> SpoolState:
        """Blocking, in a thread."""
        return SpoolState(
            counts=self._journal.counts(),
            oldest=self._journal.oldest(),
            disk=disk_under(self._folder),
            memory=memory_of(pids),
        )

    def _warnings(
        self, spool: SpoolState, services: Sequence[Mapping[str, Any]], gateways: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """The most urgent first: what refuses events, what will, what stands still, what is left to do."""
        now = datetime.datetime.fromtimestamp(self._now_us() / 1_000_000, datetime.UTC)
        destinations = self._courier.describe()
        ways = [str(one.get("destination")) for one in destinations]
        limits = self._config.spool
        own = dict(limits.own_max_events)
        active = [str(service.get("service")) for service in services if service.get("state") != "inactive"]
        return [
            *dict.fromkeys([*self._spool.troubles, *([spool.trouble] if spool.trouble else [])]),
            *self._spool.findings,
            *attention.gateway_warnings(gateways),
            *self._tls.expiring(),
            *([trouble] if (trouble := str((self._admin() or {}).get("trouble") or "")) else []),
            *attention.disk_warnings(
                str(self._folder), spool.disk.free_bytes if spool.disk else None, limits.min_free_bytes
            ),
            *attention.backlog_warnings(
                spool.counts,
                max_events=limits.max_events,
                max_of_service=lambda name: own.get(name, limits.max_service_events),
            ),
            *attention.service_warnings(services),
            *self._kept(),
            *attention.destination_warnings(destinations),
            *attention.letters_warning(spool.counts, spool.oldest.get("dead"), now),
            *attention.stranger_warnings(spool.counts, ways),
            *attention.waiting_warnings(
                spool.counts, spool.oldest.get("open", {}), now, active=active, destinations=ways
            ),
        ]

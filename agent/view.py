"""The running agent, as `iadmin` sees it: collects what the parts say of themselves. Shapes: docs/control-api.rst."""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import attrs
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from agent.config import AgentConfig
from agent.delivery import Answer, OutboundRequest, attention
from agent.errors import AgentError, SenderError

Result = TypeVar("Result")

SPOOL_KEPT_S: Final = 1.0
"""How long counts are shown before the disk is asked anew: ten people who watch cost as much as one."""

SPOOL_PATIENCE_S: Final = 5.0
"""A status must come also when the disk hangs; that it does is then the first thing it says."""


class Described(Protocol):
    """A part that can say how its members are."""

    def describe(self) -> Sequence[Mapping[str, Any]]: ...


class Destinations(Described, Protocol):
    """The way out, as the operator changes and asks it; see `agent.boundaries.AgentView`."""

    def pause(self, name: str, *, is_paused: bool) -> bool: ...

    def ask(
        self, request: OutboundRequest, *, event_id: str, timeout_s: float, even_paused: bool
    ) -> Awaitable[Answer]: ...


class Listening(Protocol):
    """A gateway: what it says of itself, once it listens."""

    def describe(self) -> Mapping[str, Any]: ...


class Counted(Protocol):
    def snapshot(self) -> Mapping[str, Mapping[str, int]]: ...


class EventJournal(Protocol):
    """What has been stored, read with a connection of its own; blocking."""

    def events(
        self, *, service: str = "", state: str = "", limit: int = 50, after: str = "", before: str = ""
    ) -> list[dict[str, Any]]: ...

    def counts(self) -> dict[str, Any]: ...

    def oldest(self) -> dict[str, Any]: ...

    def event(self, event_id: str) -> dict[str, Any] | None: ...

    def dead_letters(
        self,
        *,
        service: str = "",
        destination: str = "",
        since: str = "",
        before: str = "",
        match: str = "",
        limit: int = 50,
    ) -> list[dict[str, Any]]: ...

    def body(self, letter_id: str) -> bytes | None: ...


class Letters(Protocol):
    """The spool, as the operator changes it.

    `troubles` are why it refuses events, none where it does not; `findings` are what its start found damaged, and what
    was saved of it.
    """

    @property
    def troubles(self) -> Sequence[str]: ...

    @property
    def findings(self) -> Sequence[str]: ...

    def replay(self, ids: Sequence[str]) -> Awaitable[int]: ...

    def purge(self, ids: Sequence[str]) -> Awaitable[int]: ...

    def edit(self, letter_id: str, *, body: bytes) -> Awaitable[int]: ...


class InThread(Protocol):
    """Runs a blocking function outside the reactor thread."""

    def __call__(self, function: Callable[[], Result]) -> Awaitable[Result]: ...


def iso_time(at_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 in the local zone, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC).astimezone()
    return moment.isoformat(timespec="milliseconds")


@attrs.frozen(kw_only=True)
class SpoolState:
    """What the disk said of the spool: counts, ages and free space, or the sentence why it could not be asked."""

    counts: Mapping[str, Any] = attrs.field(factory=dict)
    oldest: Mapping[str, Any] = attrs.field(factory=dict)
    free_bytes: int | None = None
    trouble: str = ""


@attrs.frozen(kw_only=True)
class TlsState:
    """What the gateways say of TLS: the desk's book, the certificates in use, and those that run out as sentences."""

    strangers: Callable[[], Mapping[str, object]]
    certificates: Callable[[], Sequence[Mapping[str, object]]]
    expiring: Callable[[], Sequence[str]]


class LiveView:
    """Implements `agent.boundaries.AgentView`."""

    def __init__(
        self,
        *,
        config: AgentConfig,
        host: Described,
        courier: Destinations,
        gateways: Iterable[Listening],
        spool: Letters,
        journal: EventJournal,
        counters: Counted,
        now_us: Callable[[], int],
        clock: IReactorTime,
        in_thread: InThread,
        ask_to_stop: Callable[[bool], None],
        tls: TlsState,
        reload: Callable[[], Awaitable[Mapping[str, object]]],
    ) -> None:
        self._config = config
        self._host = host
        self._courier = courier
        self._gateways = gateways
        self._spool = spool
        self._folder = Path(config.home) / "var" / "spool"
        self._journal = journal
        self._counters = counters
        self._now_us = now_us
        self._clock = clock
        self._in_thread = in_thread
        self._ask_to_stop = ask_to_stop
        self._tls = tls
        self._reload = reload
        self._state = "starting"
        self._started_us = now_us()
        self._spool_state = SpoolState()
        self._looked_s = -SPOOL_KEPT_S

    def began(self) -> None:
        """Everything is up."""
        self._state = "running"

    def stopping(self) -> None:
        """The end has begun."""
        self._state = "stopping"

    async def status(self) -> Mapping[str, object]:
        spool = await self._look()
        services = self._host.describe()
        gateways = [dict(gateway.describe()) for gateway in self._gateways]
        destinations = self._courier.describe()
        return {
            "state": self._state,
            "version": version("integration-agent"),
            "pid": os.getpid(),
            "home": str(self._config.home),
            "agent_id": self._config.agent_id,
            "started": iso_time(self._started_us),
            "uptime_s": max(0, self._now_us() - self._started_us) // 1_000_000,
            "gateways": gateways,
            "services": services,
            "destinations": destinations,
            "counters": self._counters.snapshot(),
            "spool": spool.counts,
            "dead_letters": {**attention.dead_letters(spool.counts), "oldest": spool.oldest.get("dead")},
            "warnings": [*self._warnings(spool, services, gateways), *attention.paused_warnings(destinations)],
        }

    def services(self) -> Sequence[Mapping[str, object]]:
        return self._host.describe()

    def events(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]:
        limit = int(query.get("limit", "50"))
        filters = {name: value for name, value in query.items() if name != "limit"}
        return self._in_thread(lambda: self._journal.events(limit=limit, **filters))

    def event(self, event_id: str) -> Awaitable[Mapping[str, object] | None]:
        return self._in_thread(lambda: self._journal.event(event_id))

    def dead_letters(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]:
        limit = int(query.get("limit", "50"))
        filters = {name: value for name, value in query.items() if name != "limit"}
        return self._in_thread(lambda: self._journal.dead_letters(limit=limit, **filters))

    def letter_body(self, letter_id: str) -> Awaitable[bytes | None]:
        return self._in_thread(lambda: self._journal.body(letter_id))

    async def replay(self, ids: Sequence[str]) -> int:
        return self._changed(await self._spool.replay(ids))

    async def purge(self, ids: Sequence[str]) -> int:
        return self._changed(await self._spool.purge(ids))

    async def edit(self, letter_id: str, body: bytes) -> bool:
        try:
            return self._changed(await self._spool.edit(letter_id, body=body)) == 1
        except ValueError as error:
            raise SenderError("bad-letter", str(error), status=422, title="Bad body of an event") from error

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

    def reload(self) -> Awaitable[Mapping[str, object]]:
        return self._reload()

    def stop(self, *, now: bool) -> None:
        self._ask_to_stop(now)

    def _changed(self, count: int) -> int:
        """After a change, the next status looks anew: what was purged must not be warned of."""
        self._looked_s = -SPOOL_KEPT_S
        return count

    async def _look(self) -> SpoolState:
        """Ask the disk, unless it was asked a moment ago."""
        if self._clock.seconds() - self._looked_s < SPOOL_KEPT_S:
            return self._spool_state
        looking = self._in_thread(self._read_spool)
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

    def _read_spool(self) -> SpoolState:
        """Blocking, in a thread."""
        return SpoolState(
            counts=self._journal.counts(),
            oldest=self._journal.oldest(),
            free_bytes=shutil.disk_usage(self._folder).free,
        )

    def _warnings(
        self, spool: SpoolState, services: Sequence[Mapping[str, Any]], gateways: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """The most urgent first: what refuses events, what will, what stands still, what is left to do."""
        now = datetime.datetime.fromtimestamp(self._now_us() / 1_000_000, datetime.UTC)
        limits = self._config.spool
        own = dict(limits.own_max_events)
        active = [str(service.get("service")) for service in services if service.get("state") != "inactive"]
        return [
            *dict.fromkeys([*self._spool.troubles, *([spool.trouble] if spool.trouble else [])]),
            *self._spool.findings,
            *attention.gateway_warnings(gateways),
            *self._tls.expiring(),
            *attention.disk_warnings(str(self._folder), spool.free_bytes, limits.min_free_bytes),
            *attention.backlog_warnings(
                spool.counts,
                max_events=limits.max_events,
                max_of_service=lambda name: own.get(name, limits.max_service_events),
            ),
            *attention.service_warnings(services),
            *attention.destination_warnings(self._courier.describe()),
            *attention.letters_warning(spool.counts, spool.oldest.get("dead"), now),
            *attention.waiting_warnings(spool.counts, spool.oldest.get("open", {}), now, active=active),
        ]

"""All services: the part that assembly starts and stops, and that the gateway asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import Logger

from agent.boundaries import Asking, Counters, EventSettlement, HttpRequest, HttpResponse, Spool, StoredEvent
from agent.config.model import DedupFilter, ServiceConfig
from agent.delivery import Outcome
from agent.errors import ServiceError
from agent.event import Event
from agent.host.bootclock import BootClock
from agent.host.edges import Edges
from agent.host.launch import HostReactor, Launcher, ProcessLauncher
from agent.host.messages import Result, Verdict
from agent.host.service import Service

log = Logger(namespace="host")

START_PATIENCE_S: Final = 2.0
"""How long the start of the agent waits for its services. Nearly all are ready by then; a service that hangs must not
keep the others' events out."""


class WorkerHost:
    """The services of one agent; a Part and a `ServiceHost`. One service's trouble never touches another."""

    name: Final = "host"

    def __init__(
        self,
        *,
        services: Sequence[ServiceConfig],
        home: Path,
        spool: Spool,
        reactor: HostReactor,
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        counters: Counters,
        agent_id: str,
        destinations: Iterable[str] = (),
        filters: Iterable[DedupFilter] = (),
        asking: Asking | None = None,
        launcher: Launcher | None = None,
        clock: BootClock | None = None,
    ) -> None:
        """`destinations`: the names there are, so that a service that misspells one fails in its hook; empty for not
        known. `filters`: those of `deduplicator-filter.xml`. `asking` carries what services ask. `launcher` and
        `clock` are for tests; without, real processes are started, with `home` as their working directory."""
        edges = Edges(
            launcher=launcher if launcher is not None else ProcessLauncher(reactor=reactor, home=home),
            spool=spool,
            reactor=reactor,
            now_us=now_us,
            jitter=jitter,
            counters=counters,
            agent_id=agent_id,
            destinations=tuple(destinations),
            filters=tuple(filters),
            asking=asking,
            clock=clock if clock is not None else BootClock(now_us=now_us),
        )
        self._configs = tuple(services)
        self._spool = spool
        self._reactor = reactor
        self._now_us = now_us
        self._services: dict[str, Service] = {
            config.name.client_id: Service(config, edges) for config in services if config.is_active
        }

    async def start(self) -> None:
        """Start all active services; return when each is ready or has failed once, or after `START_PATIENCE_S`.

        Never raises for a service. Raises `MachineError` when the spool cannot be read.
        """
        for service in self._services.values():
            service.restore(await self._spool.remembered(service.name))
        self._spool.on_events(self._stored)
        for service in self._services.values():
            service.start()
        try:
            await self._first_verdicts()
        except CancelledError:
            for service in self._services.values():
                service.kill()
            raise
        late = [service.name for service in self._services.values() if not service.first_verdict.called]
        if late:
            log.warn(
                "still starting after {patience_s:g} s: {services}; their events are stored meanwhile",
                patience_s=START_PATIENCE_S,
                services=", ".join(late),
            )

    async def _first_verdicts(self) -> None:
        """Wait until all services are ready or have failed once, but not for those that take long."""
        enough: Deferred[None] = Deferred()
        missing = set(self._services)

        def has_verdict(_: object, name: str) -> None:
            missing.discard(name)
            if not missing and not enough.called:
                enough.callback(None)

        for name, service in self._services.items():
            service.first_verdict.addCallback(has_verdict, name)
        if not missing:
            return
        timer = self._reactor.callLater(START_PATIENCE_S, lambda: None if enough.called else enough.callback(None))
        try:
            await enough
        finally:
            if timer.active():
                timer.cancel()

    async def stop(self, patience_s: float) -> None:
        """Begin nothing more; let hooks in hand end within `patience_s`, run `on_shutdown`, end the workers."""
        await gatherResults([Deferred.fromCoroutine(service.stop(patience_s)) for service in self._services.values()])

    def answers_http(self, service: str) -> bool:
        """Whether this service answers senders itself; see `Service.answers_http`."""
        running = self._services.get(service)
        return running is not None and running.answers_http

    def ask(self, event: Event, request: HttpRequest) -> Deferred[HttpResponse | None]:
        """See `ServiceHost.ask`."""
        return Deferred.fromCoroutine(self._ask(event, request))

    def describe(self) -> list[Mapping[str, Any]]:
        """One JSON-able mapping per service, active or not, in the order of the configuration."""
        return [self._describe(config) for config in self._configs]

    def _stored(self, batch: Sequence[StoredEvent]) -> None:
        by_service: dict[str, list[StoredEvent]] = {}
        for stored in batch:
            by_service.setdefault(stored.event.service, []).append(stored)
        for name, events in by_service.items():
            service = self._services.get(name)
            if service is not None:
                service.add(events)

    async def _ask(self, event: Event, request: HttpRequest) -> HttpResponse | None:
        service = self._services.get(event.service)
        if service is None:
            raise ServiceError("service-unknown", f"{event.service} is not an active service", retryable=False)
        begun_us = self._now_us()
        result = await service.ask(event, request)
        if result.verdict is not Verdict.DONE:
            raise _error(event.service, result)
        if result.response is None and "on_event" in service.hooks:
            if result.requests:
                log.warn(
                    "{service}: on_http sent something and returned None; what it sent is dropped, on_event comes next",
                    service=event.service,
                    event_id=event.id,
                )
            return None
        await self._spool.store_answered(
            event,
            EventSettlement(
                seq=0,
                outcome=Outcome.SUCCEED,
                begun_us=begun_us,
                ended_us=self._now_us(),
                requests=result.requests,
                remembered=service.count(result.remembered),
            ),
        )
        if result.response is None:
            # What the original answers when a script returns nothing.
            return HttpResponse()
        return HttpResponse(status=result.response.status, headers=result.response.headers, body=result.response.body)

    def _describe(self, config: ServiceConfig) -> Mapping[str, Any]:
        name = config.name.client_id
        common = {"service": name, "url_name": config.name.url_name}
        service = self._services.get(name)
        if service is None:
            return {
                **common,
                "state": "inactive",
                "pid": None,
                "started": None,
                "hooks": [],
                "restarts": 0,
                "in_hand": 0,
                "waiting": 0,
                "last_error": "",
                "stderr_tail": [],
                "last_request": None,
            }
        return {
            **common,
            "state": service.state.value,
            "pid": service.pid or None,
            "started": _iso(service.started_us),
            "hooks": list(service.hooks),
            "restarts": service.restarts.count,
            "in_hand": service.in_hand,
            "waiting": service.waiting,
            "last_error": service.restarts.last_error,
            "stderr_tail": list(service.stderr_tail),
            "last_request": _iso(service.last_request_us),
        }


def _error(service: str, result: Result) -> ServiceError:
    """What is wrong, for the one who has to mend it; the sender is told less by the gateway."""
    code = {Verdict.RETRY: "service-retry", Verdict.REJECT: "event-rejected"}.get(result.verdict, "service-failed")
    return ServiceError(
        code,
        f"{service}: {result.reason}",
        retryable=result.verdict is not Verdict.REJECT,
        after_s=result.after_s,
        traceback=result.detail,
    )


def _iso(at_us: int) -> str | None:
    if not at_us:
        return None
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")

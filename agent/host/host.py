"""All services: the part that assembly starts and stops, and that the gateway asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from agent.boundaries import (
    Asking,
    Counters,
    EventSettlement,
    HttpRequest,
    HttpResponse,
    Spool,
    StoredEvent,
    WorkShare,
)
from agent.config.model import AgentConfig, DedupFilter, LogLevel, ServiceConfig
from agent.delivery import Outcome
from agent.delivery.share import Unshared
from agent.entries import Entries
from agent.errors import AgentError, OperatorError, ServiceError
from agent.event import Event
from agent.host.bootclock import BootClock
from agent.host.describing import describe
from agent.host.edges import Edges
from agent.host.firsttries import FirstTries
from agent.host.launch import HostReactor, Launcher, ProcessLauncher
from agent.host.messages import Result, Verdict
from agent.host.orders import load_order, urls_of
from agent.host.script import PLATFORM_HOOKS
from agent.host.service import Service
from agent.host.state import ServiceState
from agent.host.trial import try_service

log = Logger(namespace="host")

STOP_PATIENCE_S: Final = 5.0
"""What a restart gives `on_shutdown`, after the hooks in hand have had their own time."""


TAKING_EVENTS: Final = frozenset({"on_event", "on_input"})
"""Hooks to which `on_http` may leave what it does not answer itself."""


class Book(Protocol):
    """Names that are kept over restarts; `write` raises `MachineError`, and then nothing has changed."""

    @property
    def names(self) -> frozenset[str]: ...

    def write(self, names: frozenset[str]) -> None: ...


class WorkerHost:
    """The services of one agent, as senders and operators need them: a Part, `AnsweringServices` and a `ServiceHost`.

    One service's trouble never touches another.
    """

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
        urls: Mapping[str, str] = MappingProxyType({}),
        platform: Mapping[str, str] = MappingProxyType({}),
        is_debug: bool = False,
        asking: Asking | None = None,
        entries: Entries | None = None,
        suspended: Book | None = None,
        launcher: Launcher | None = None,
        clock: BootClock | None = None,
        share: WorkShare | None = None,
    ) -> None:
        """`destinations`: the names there are, so that a service that misspells one fails in its hook; empty for not
        known. `urls`: of those that have one. `platform`: what services may know of it. `filters`: those of
        `deduplicator-filter.xml`. `is_debug`: debug lines are written. `asking` carries what services ask. `entries`
        is told what becomes of events. `suspended` keeps which services the operator has suspended; without it that is
        forgotten at the end. `share` says when events may be begun; without, always. `launcher` and `clock` are for
        tests; without, real processes are started, with `home` as their working directory."""
        edges = Edges(
            launcher=launcher if launcher is not None else ProcessLauncher(reactor=reactor, home=home),
            spool=spool,
            reactor=reactor,
            now_us=now_us,
            jitter=jitter,
            counters=counters,
            agent_id=agent_id,
            destinations=tuple(destinations),
            urls=urls,
            platform=platform,
            is_debug=is_debug,
            filters=tuple(filters),
            asking=asking,
            entries=entries or Entries(reactor=reactor),
            share=share or Unshared(),
            clock=clock if clock is not None else BootClock(now_us=now_us),
        )
        self._configs = {config.name.client_id: config for config in services}
        self._edges = edges
        self._home = home
        self._suspended = suspended
        self._replacing: set[str] = set()
        self._is_stopping = False
        self._spool = spool
        self._now_us = now_us
        self.first_tries: Final = FirstTries(reactor)
        self._services: dict[str, Service] = {
            config.name.client_id: Service(config, edges) for config in services if config.is_active
        }

    async def start(self) -> None:
        """Launch all active services; `first_tries` tells when each is ready or has failed once.

        Never raises for a service. Raises `MachineError` when the spool cannot be read.
        """
        held = self._suspended.names if self._suspended is not None else frozenset()
        for service in self._services.values():
            service.restore(await self._spool.remembered(service.name))
            if service.name in held:
                service.suspension.is_on = True
                log.warn(
                    '{service} is suspended: its events wait until "iadmin service resume {service}"',
                    service=service.name,
                )
        self._spool.on_events(self._stored)
        for service in self._services.values():
            service.start()
        self.first_tries.begin(self._services.values())

    async def stop(self, patience_s: float) -> None:
        """Begin nothing more; let hooks in hand end within `patience_s`, run `on_shutdown`, end the workers."""
        self._is_stopping = True
        stopped = gatherResults(
            [Deferred.fromCoroutine(service.stop(patience_s)) for service in self._services.values()]
        )
        self.first_tries.end()
        await stopped
        self._edges.entries.enter()

    def answers_http(self, service: str) -> bool:
        """Whether this service answers senders itself; see `Service.likely_hooks`."""
        running = self._services.get(service)
        return running is not None and "on_http" in running.likely_hooks

    def hears_platform(self, service: str) -> bool:
        """Whether this service takes what the platform posts; see `Service.likely_hooks`."""
        running = self._services.get(service)
        return running is not None and not PLATFORM_HOOKS.isdisjoint(running.likely_hooks)

    def ask(self, event: Event, request: HttpRequest) -> Deferred[HttpResponse | None]:
        """See `AnsweringServices.ask`."""
        return Deferred.fromCoroutine(self._ask(event, request))

    def suspend(self, service: str, *, now: bool = False) -> Deferred[str]:
        """See `ServiceHost.suspend`."""
        return Deferred.fromCoroutine(self._suspend(service, now=now))

    def resume(self, service: str) -> Deferred[str]:
        """See `ServiceHost.resume`."""
        return Deferred.fromCoroutine(self._resume(service))

    def restart(self, service: str, *, config: ServiceConfig | None = None) -> Deferred[str]:
        """See `ServiceHost.restart`. `config` takes the place of the service's configuration."""
        return Deferred.fromCoroutine(self._replace(service, config))

    def trial_of(self, service: ServiceConfig, within: AgentConfig) -> Callable[[], str]:
        """What tries a service's script in a process of its own; it blocks, and returns what is wrong, or empty."""
        if service.obstacle:
            return lambda: service.obstacle
        order = load_order(service, self._edges_of(within), counted=())
        return lambda: try_service(order, home=self._home).sentence

    def change(self, config: AgentConfig, *, touched: Collection[str]) -> Deferred[tuple[str, ...]]:
        """Be the host of other services; those `touched` (agent client ids) get a new worker, the others keep theirs.

        Done when all of them are up or have failed once; gives a sentence for each. Never fails.
        """
        self._edges = self._edges_of(config)
        self._configs = {service.name.client_id: service for service in config.services}
        wanted = {name: service for name, service in self._configs.items() if service.is_active}
        works = [self._take_away(name) for name in list(self._services) if name not in wanted]
        works += [self._add(service) for name, service in wanted.items() if name not in self._services]
        works += [self._renew(wanted[name]) for name in self._services if name in wanted and name in touched]
        return gatherResults([Deferred.fromCoroutine(work) for work in works]).addCallback(tuple)

    def _edges_of(self, config: AgentConfig) -> Edges:
        """What services share under this configuration."""
        return attrs.evolve(
            self._edges,
            destinations=tuple(one.name for one in config.destinations),
            urls=urls_of(config),
            filters=config.filters,
            is_debug=config.log.level is LogLevel.DEBUG,
        )

    def describe(self) -> list[Mapping[str, Any]]:
        """One JSON-able mapping per service, active or not, in the order of the configuration."""
        return [describe(config, self._services.get(name)) for name, config in self._configs.items()]

    async def _suspend(self, name: str, *, now: bool) -> str:
        service = self._active(name)
        self._note(name, is_suspended=True)
        return await service.suspension.suspend(now=now)

    async def _resume(self, name: str) -> str:
        service = self._active(name)
        self._note(name, is_suspended=False)
        return await service.suspension.resume()

    async def _replace(self, name: str, config: ServiceConfig | None) -> str:
        """End the service and put a new one in its place, which reads from the spool what the old one left."""
        old = self._active(name)
        if name in self._replacing:
            raise OperatorError("service-stopping", f"{name} is being restarted already")
        self._replacing.add(name)
        try:
            await old.stop(old.config.hook_timeout_s + STOP_PATIENCE_S)
            remembered = await self._spool.remembered(name)
            new = Service(config or old.config, self._edges, pace=old.account.pace)
            new.restore(remembered)
            new.suspension.is_on = old.suspension.is_on
            self._configs[name] = new.config
            self._services[name] = new
        finally:
            self._replacing.discard(name)
        if self._is_stopping:
            return f"{name} is not started again: the agent is being stopped"
        new.start()
        await new.first_verdict
        return "" if new.state in (ServiceState.ACTIVE, ServiceState.SUSPENDED) else new.restarts.last_error

    async def _take_away(self, name: str) -> str:
        """End a service that is no longer wanted; what it has not done stays in the spool."""
        service = self._services.pop(name)
        await service.stop(service.config.hook_timeout_s + STOP_PATIENCE_S)
        what = "inactive now" if name in self._configs else "gone"
        return f"service {name} is {what}; events that wait for it stay stored"

    async def _add(self, config: ServiceConfig) -> str:
        """Start a service that was not there, or not active."""
        new = Service(config, self._edges)
        try:
            new.restore(await self._spool.remembered(new.name))
        except AgentError as error:
            return f"service {new.name} is not started: {error.sentence}"
        new.suspension.is_on = self._suspended is not None and new.name in self._suspended.names
        self._services[new.name] = new
        new.start()
        await new.first_verdict
        return _told(new, "is new and runs")

    async def _renew(self, config: ServiceConfig) -> str:
        name = config.name.client_id
        try:
            await self._replace(name, config)
        except AgentError as error:
            return f"service {name} is not restarted: {error.sentence}"
        return _told(self._services[name], "runs with its new code and settings")

    def _active(self, name: str) -> Service:
        """The running service of that name. Raises `OperatorError`."""
        service = self._services.get(name)
        if service is None:
            if name in self._configs:
                raise OperatorError(
                    "service-inactive",
                    f"{name} is inactive: its descriptor says so in <initial-state>, and it has no worker",
                )
            known = ", ".join(self._configs) or "none"
            raise OperatorError("service-unknown", f"there is no service {name!r}; there are {known}")
        return service

    def _note(self, name: str, *, is_suspended: bool) -> None:
        """Keep it on disk before it is done. Raises `MachineError`."""
        if self._suspended is not None:
            others = self._suspended.names - {name}
            self._suspended.write(others | {name} if is_suspended else others)

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
        if not service.hooks:
            # The agent has just been started: a second, and the sender need not come back.
            await self.first_tries.start()
        begun_us = self._now_us()
        result = await service.ask(event, request)
        if result.verdict is not Verdict.DONE:
            raise _error(event.service, result)
        if result.response is None and not TAKING_EVENTS.isdisjoint(service.hooks):
            if result.requests:
                log.warn(
                    "{service}: on_http sent something and returned None; what it sent is dropped, {next} comes next",
                    service=event.service,
                    next=" or ".join(hook for hook in service.hooks if hook in TAKING_EVENTS),
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


def _told(service: Service, what: str) -> str:
    """The sentence about a service that was started."""
    if service.state is ServiceState.SUSPENDED:
        return f"service {service.name} has new code and settings, and stays suspended"
    if service.state is ServiceState.ACTIVE:
        return f"service {service.name} {what} (process {service.pid})"
    return f"service {service.name} was started and is not up: {service.restarts.last_error or service.state.value}"


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

"""`iadmin reload`, `iadmin tls on` and SIGHUP: the running agent takes over what has changed, wholly or not at all.

1. The files are read and checked as at a start. Faults end it here, and all of them are told.
2. What is new is tried: scripts of services that are new or have changed are loaded in processes of their own, key
   material of destinations and of the admin gateway is read.
3. The gateways prepare theirs, and listen where they did not before (`agent.gateway.gateways`).
4. From here on nothing can fail. In one turn of the reactor gateways, routes, destinations, bounds and the log change.
5. Workers whose service has changed are ended in order and started anew, each by itself; events are stored meanwhile.
6. Whatever cannot be changed while the agent runs is named: it counts after a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import attrs
from twisted.internet.defer import gatherResults
from twisted.logger import Logger

from agent.awaited import as_deferred
from agent.config import AgentConfig
from agent.config.admin import AdminGatewayConfig
from agent.config.changes import same
from agent.config.model import Destination, GatewayConfig, HttpDestination, LogConfig, ServiceConfig, SpoolLimits
from agent.errors import AgentError, ExitStatus, OperatorError

log = Logger(namespace="agent")


class Gateways(Protocol):
    """`reload` raises `AgentError` when nothing was changed because something is not possible."""

    def reload(
        self, configs: Sequence[GatewayConfig], *, change_services: Callable[[], bool]
    ) -> Awaitable[tuple[str, ...]]: ...

    def warnings(self) -> Sequence[str]:
        """What the gateways have to say about the key material that they serve."""


class AdminGateway(Protocol):
    """Two steps: `prepare` may raise `AgentError`; then either `adopt` or `drop`."""

    def prepare(self, config: AdminGatewayConfig | None) -> Awaitable[Any]: ...

    def adopt(self, change: Any) -> str: ...

    def drop(self, change: Any) -> Awaitable[None]: ...


class Services(Protocol):
    """The host: tries a service, and takes over another set of them."""

    def trial_of(self, service: ServiceConfig, within: AgentConfig) -> Callable[[], str]:
        """What tries it: blocks, and returns the sentence about what is wrong, or empty."""

    def change(self, config: AgentConfig, *, touched: Collection[str]) -> Awaitable[tuple[str, ...]]:
        """Take over; done when all workers are up or have failed once. Never fails."""


class Changeable(Protocol):
    """The parts that change at once and cannot fail."""

    def offer(self, services: Sequence[ServiceConfig]) -> None: ...

    def send(self, destinations: Sequence[Destination]) -> tuple[str, ...]: ...

    def bound(self, limits: SpoolLimits) -> None: ...

    def log(self, config: LogConfig) -> None: ...

    def show(self, config: AgentConfig) -> None: ...


@attrs.frozen(kw_only=True)
class Files:
    """The disk, all of it blocking.

    `load` reads the configuration; `stamps` tells how the files of a service are, to be compared with an earlier time;
    `try_destination` reads the keys and authorities of one and raises `AgentError`.
    """

    load: Callable[[], tuple[AgentConfig, Sequence[object]]]
    stamps: Callable[[ServiceConfig], object]
    try_destination: Callable[[Destination], None]


class Reload:
    """Knows the configuration that is in force."""

    def __init__(
        self,
        *,
        config: AgentConfig,
        files: Files,
        gateways: Gateways,
        admin: AdminGateway,
        services: Services,
        parts: Changeable,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self._config = config
        self._files = files
        self._gateways = gateways
        self._admin = admin
        self._services = services
        self._parts = parts
        self._in_thread = in_thread
        self._is_busy = False
        self._stamps = {one.name.client_id: files.stamps(one) for one in config.services}

    async def __call__(self, service: str = "") -> Mapping[str, object]:
        """Reload all, or one service alone; return what has changed, what needs a restart, and the warnings that stand.

        Raises `AgentError`, `ConfigFaults` with all problems among them, and then nothing has changed.
        """
        if self._is_busy:
            raise OperatorError("busy", "the agent is reloading already; try again in a moment")
        self._is_busy = True
        try:
            config, warnings = await self._in_thread(self._files.load)
            if service:
                config = self._with_only(config, service)
            changes = await self._take_over(config, forced=[service] if service else [])
        except AgentError as error:
            for line in error.lines:
                log.error("not reloaded: {line}", line=line)
            raise
        finally:
            self._is_busy = False
        needs_restart = _needs_restart(self._config, config)
        self._config = _in_force(self._config, config)
        log.info("reloaded: {changes}", changes="; ".join(changes) or "nothing has changed")
        if needs_restart:
            log.warn("changed, and in force after a restart only: {sections}", sections=", ".join(needs_restart))
        for warning in warnings:
            log.warn("{warning}", warning=str(warning))
        # The gateways have logged their own.
        told = [*map(str, warnings), *self._gateways.warnings()]
        return {
            "changes": list(changes),
            "restart_needed": list(needs_restart),
            "warnings": told,
        }

    def _with_only(self, config: AgentConfig, service: str) -> AgentConfig:
        """The configuration that is in force, with nothing new but one service."""
        new = next((one for one in config.services if one.name.client_id == service), None)
        if new is None:
            known = ", ".join(one.name.client_id for one in config.services) or "none"
            raise OperatorError(
                "no-such-service",
                f"the configuration has no service {service!r}; it has {known}",
                exit_status=ExitStatus.USAGE,
            )
        if new.destination not in [one.name for one in self._config.destinations]:
            raise OperatorError(
                "needs-all",
                f"{service} sends to {new.destination!r}, which the running agent does not have yet; take over "
                'everything with "iadmin reload all"',
            )
        others = [one for one in self._config.services if one.name != new.name]
        place = next((i for i, one in enumerate(self._config.services) if one.name == new.name), len(others))
        return attrs.evolve(self._config, services=(*others[:place], new, *others[place:]))

    async def _take_over(self, config: AgentConfig, *, forced: Collection[str]) -> list[str]:
        old = self._config
        stamps = await self._in_thread(lambda: {one.name.client_id: self._files.stamps(one) for one in config.services})
        touched = {*forced, *self._touched(config, stamps)}
        # What could not run before keeps nobody from changing the rest.
        stuck = {one.name for one in old.services if one.obstacle}
        excused = {one.name.client_id for one in config.services if one.obstacle and one.name in stuck}
        await self._try_services(config, touched - excused.difference(forced))
        await self._try_destinations(config)
        admin = await self._admin.prepare(config.admin)
        is_other = not same(old.services, config.services)

        def change_services() -> bool:
            if is_other:
                self._parts.offer(config.services)
            return is_other

        try:
            changes = await self._gateways.reload(config.gateways, change_services=change_services)
        except BaseException:
            await self._admin.drop(admin)
            raise
        # Nothing below can fail.
        changes = (*changes, self._admin.adopt(admin))
        said = [] if forced else [*changes]
        said += [f"{one} is taken over" for one in self._parts.send(config.destinations)]
        said += self._change_rest(config)
        self._parts.show(config)
        self._stamps = stamps
        if touched or is_other:
            said += await self._services.change(config, touched=touched)
        return [sentence for sentence in said if sentence]

    def _touched(self, config: AgentConfig, stamps: Mapping[str, object]) -> set[str]:
        """The active services whose worker must be started anew, or for the first time."""
        old = self._config
        before = {one.name: one for one in old.services}
        is_other_for_all = not same(old.filters, config.filters) or _places(old) != _places(config)
        return {
            one.name.client_id
            for one in config.services
            if one.is_active
            and not (one.obstacle and one.name in before and same(before[one.name], one))
            and (
                is_other_for_all
                or one.name not in before
                or not same(before[one.name], one)
                or stamps[one.name.client_id] != self._stamps.get(one.name.client_id)
            )
        }

    async def _try_services(self, config: AgentConfig, touched: Collection[str]) -> None:
        """Raises `OperatorError` with all that is wrong."""
        tried = [one for one in config.services if one.name.client_id in touched and one.is_active]
        trials = [self._services.trial_of(one, config) for one in tried]
        found = await gatherResults([as_deferred(self._in_thread(trial)) for trial in trials], consumeErrors=True)
        faults = [f"{one.name}: {sentence}" for one, sentence in zip(tried, found, strict=True) if sentence]
        if faults:
            raise OperatorError("service-broken", "; ".join(faults))

    async def _try_destinations(self, config: AgentConfig) -> None:
        before = {one.name: one for one in self._config.destinations}
        for one in config.destinations:
            if one.name not in before or not same(before[one.name], one):
                await self._in_thread(partial(self._files.try_destination, one))

    def _change_rest(self, config: AgentConfig) -> list[str]:
        said = []
        if not same(self._config.spool, config.spool):
            self._parts.bound(config.spool)
            if not same(_of_a_start(self._config.spool, config.spool), self._config.spool):
                said.append("the bounds of the spool are taken over")
        if not same(self._config.log, config.log):
            self._parts.log(config.log)
            said.append(f"the log is written from the level {config.log.level.value} on")
        return said


def _places(config: AgentConfig) -> dict[str, str]:
    """What services are told of the destinations: names and URLs."""
    return {one.name: one.url if isinstance(one, HttpDestination) else "" for one in config.destinations}


def _of_a_start(old: SpoolLimits, new: SpoolLimits) -> SpoolLimits:
    """The new limits, with those of the old that count at a start only."""
    return attrs.evolve(new, reserve_bytes=old.reserve_bytes, check_time_s=old.check_time_s)


def _needs_restart(old: AgentConfig, new: AgentConfig) -> tuple[str, ...]:
    """What is different and cannot be changed while the agent runs, in the words of the file."""
    found = {
        "the agent's id": old.agent_id == new.agent_id,
        "the settings of the platform": same(old.platform, new.platform),
        "spool/reserve-bytes": old.spool.reserve_bytes == new.spool.reserve_bytes,
        "spool/check-time-s": old.spool.check_time_s == new.spool.check_time_s,
    }
    return tuple(name for name, is_same in found.items() if not is_same)


def _in_force(old: AgentConfig, new: AgentConfig) -> AgentConfig:
    return attrs.evolve(new, agent_id=old.agent_id, platform=old.platform, spool=_of_a_start(old.spool, new.spool))

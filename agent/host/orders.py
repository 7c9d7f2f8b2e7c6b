"""What a worker is told: what it is, and what to call its hook with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from agent.config.model import AgentConfig, DedupFilter, EncryptedConstant, HttpDestination, ServiceConfig
from agent.event import Event
from agent.host.backlog import Job
from agent.host.messages import EventCall, Filter, Load, SecretConstant
from agent.mapping import token_of


class Surroundings(Protocol):
    """What a worker is told of its agent."""

    @property
    def agent_id(self) -> str: ...

    @property
    def destinations(self) -> tuple[str, ...]: ...

    @property
    def urls(self) -> Mapping[str, str]: ...

    @property
    def platform(self) -> Mapping[str, str]: ...

    @property
    def is_debug(self) -> bool: ...

    @property
    def filters(self) -> tuple[DedupFilter, ...]: ...


@attrs.frozen(kw_only=True)
class Configured:
    """`Surroundings` where no agent runs: what a configuration says. `destinations` empty: not known, do not check."""

    agent_id: str = ""
    destinations: tuple[str, ...] = ()
    urls: Mapping[str, str] = attrs.field(factory=dict)
    platform: Mapping[str, str] = attrs.field(factory=dict)
    is_debug: bool = True
    filters: tuple[DedupFilter, ...] = ()

    @classmethod
    def by(cls, config: AgentConfig) -> Configured:
        return cls(
            agent_id=config.agent_id,
            destinations=tuple(one.name for one in config.destinations),
            urls=urls_of(config),
            platform=platform_of(config),
            filters=config.filters,
        )


def load_order(config: ServiceConfig, edges: Surroundings, *, counted: Sequence[tuple[str, str, float]]) -> Load:
    """The first frame of a worker. `counted` is what the service's filters remember."""
    return Load(
        script=str(config.script),
        service=config.name.client_id,
        agent_id=edges.agent_id,
        constants={constant.name: constant.value for constant in config.constants},
        destination=config.destination,
        destinations=edges.destinations,
        urls=dict(edges.urls),
        platform=dict(edges.platform),
        secrets=tuple(_secret(constant) for constant in config.encrypted_constants),
        is_debug=edges.is_debug,
        threads={"normal": config.normal_threads, "high": config.high_threads, "http": config.normal_threads},
        kept_threads=config.kept_threads,
        limits={
            "memory_bytes": config.limits.max_memory_bytes,
            "open_files": config.limits.max_open_files,
            "processes": config.limits.max_processes,
        },
        filters=tuple(
            Filter(
                name=each.name,
                predicates=each.predicates,
                period_s=each.suppression_period_s,
                window_size=each.window_size,
            )
            for each in edges.filters
        ),
        dedup_filter=config.dedup_filter,
        counted=tuple(counted),
    )


def _secret(constant: EncryptedConstant) -> SecretConstant:
    token = token_of(constant.name, constant.value, constant.type)
    return SecretConstant(
        name=constant.name,
        key=token.key,
        value=token.value,
        kind=token.type.value,
        is_overwriting=constant.overwrite,
    )


def event_call(number: int, job: Job) -> EventCall:
    """One call of `on_event`."""
    return call_for(number, job.stored.event, attempt=job.stored.attempt + job.interrupted + 1)


def call_for(number: int, event: Event, *, attempt: int) -> EventCall:
    """The call for an event; `attempt` counts from 1."""
    return EventCall(
        call=number,
        lane=event.priority.name.lower(),
        id=event.id,
        attempt=attempt,
        event_kind=event.kind.value,
        body=event.body,
        content_type=event.content_type,
        charset=event.charset,
        path=event.path,
        query=event.query,
        group=event.group,
        peer=event.peer,
        received_us=event.received_us,
    )


def platform_of(config: AgentConfig) -> Mapping[str, str]:
    """What services may know of the platform. Its password is none of it: a service that needs it says so."""
    platform = config.platform
    return {"user": platform.user, "company": platform.company, "url": next(iter(platform.primary_urls), "")}


def urls_of(config: AgentConfig) -> Mapping[str, str]:
    """The URLs of the destinations that have one, by name."""
    return {one.name: one.url for one in config.destinations if isinstance(one, HttpDestination)}

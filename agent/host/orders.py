"""What a worker is told: what it is, and what to call its hook with."""

from __future__ import annotations

from collections.abc import Sequence

from agent.config.model import ServiceConfig
from agent.host.backlog import Job
from agent.host.edges import Edges
from agent.host.messages import EventCall, Filter, Load


def load_order(config: ServiceConfig, edges: Edges, *, counted: Sequence[tuple[str, str, float]]) -> Load:
    """The first frame of a worker. `counted` is what the service's filters remember."""
    return Load(
        script=str(config.script),
        service=config.name.client_id,
        agent_id=edges.agent_id,
        constants={constant.name: constant.value for constant in config.constants},
        destination=config.destination,
        destinations=edges.destinations,
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


def event_call(number: int, job: Job) -> EventCall:
    """One call of `on_event`."""
    event = job.stored.event
    return EventCall(
        call=number,
        lane=event.priority.name.lower(),
        id=event.id,
        attempt=job.stored.attempt + job.interrupted + 1,
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

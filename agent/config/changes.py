"""What is different between two configurations, in the words of the file: for a reload that says what it cannot do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from agent.config.model import AgentConfig, Destination
from agent.secret import Secret

_SECTIONS: Final = {
    "agent_id": "the agent's id",
    "log": "log",
    "platform": "the settings of the platform",
    "filters": "deduplicator-filter.xml",
    "spool": "spool",
}


def changed_sections(old: AgentConfig, new: AgentConfig) -> tuple[str, ...]:
    """What differs, the gateways left out: `service applications|sample-plan`, `destination outbox`, `log`."""
    return (
        *(said for field, said in _SECTIONS.items() if not same(getattr(old, field), getattr(new, field))),
        *_named("service", old.services, new.services),
        *changed_destinations(old.destinations, new.destinations),
    )


def changed_destinations(old: Sequence[Destination], new: Sequence[Destination]) -> tuple[str, ...]:
    """`destination outbox`, `destination xm (new)`, `destination ems (gone)`."""
    return tuple(_named("destination", old, new))


def same(one: Any, other: Any) -> bool:
    """Whether two values of a configuration mean the same; secrets are compared by what they hold."""
    if isinstance(one, Secret) and isinstance(other, Secret):
        return one.reveal() == other.reveal()
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if attrs.has(type(one)):
        return all(same(getattr(one, each.name), getattr(other, each.name)) for each in attrs.fields(type(one)))
    return bool(one == other)


def _named(kind: str, old: Sequence[Any], new: Sequence[Any]) -> Iterable[str]:
    before, after = ({str(each.name): each for each in all_of} for all_of in (old, new))
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            yield f"{kind} {name} (gone)"
        elif name not in before:
            yield f"{kind} {name} (new)"
        elif not same(before[name], after[name]):
            yield f"{kind} {name}"

"""What is different between two configurations: a reload leaves alone what is the same, and names the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from agent.config.model import Destination
from agent.secret import Secret


def changed_destinations(old: Sequence[Destination], new: Sequence[Destination]) -> tuple[str, ...]:
    """`destination outbox`, `destination xm (new)`, `destination ems (gone)`."""
    before, after = ({one.name: one for one in all_of} for all_of in (old, new))
    found = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            found.append(f"destination {name} (gone)")
        elif name not in before:
            found.append(f"destination {name} (new)")
        elif not same(before[name], after[name]):
            found.append(f"destination {name}")
    return tuple(found)


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

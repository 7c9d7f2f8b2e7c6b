"""Deduplication by the service itself: `context.dedup("pump-alarms")`.

For services that decide only within the hook what counts as the same. Where the event as a whole decides, the
descriptor's `<deduplication filter="..."/>` does it without a line of code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs

from agent.delivery.dedup import combination
from agent.event import BodyKind
from agent.event.apxml import Apxml
from agent.sdk.event import Event
from agent.sdk.failures import RejectEvent

SCOPES = ("properties", "data")
"""Elements under the root in which values stand: of events for plans, and of APXML."""


class Recall(Protocol):
    """What a filter compares and what it remembers; the worker process has one for each filter."""

    @property
    def predicates(self) -> tuple[str, ...]: ...

    def knows(self, key: str) -> bool:
        """Whether this combination is a duplicate now."""


@attrs.frozen
class Told:
    """Outside a worker process, in tests: takes everything for a duplicate, or nothing."""

    are_duplicates: bool
    predicates: tuple[str, ...] = ()

    def knows(self, key: str) -> bool:
        return self.are_duplicates


@attrs.frozen(kw_only=True)
class Filter:
    """A filter of `conf/deduplicator-filter.xml`, as `context.dedup(name)` gives it.

    Both methods take the event, a message, or any mapping with the values. Without all values that the filter compares,
    an event is never a duplicate and is not counted. Upper and lower case of the names do not differ. Example:

        FILTER = context.dedup("pump-alarms")           at the top of the script: a name that does not exist fails there

        def on_event(event):
            alarm = {"pump": event.find("asset/pump"), "severity": "high"}
            if FILTER.is_duplicate(alarm):
                context.log.info("pump %s again", alarm["pump"])
                return
            context.send(json=alarm)
            FILTER.increment_count(alarm)
    """

    name: str
    _find: Callable[[str], Recall]
    """The filter of that name, as it is at the moment."""
    _count: Callable[[str, str], None]
    """Note filter and key with the call in hand."""

    def is_duplicate(self, what: Event | Apxml | Mapping[str, Any]) -> bool:
        """Whether the same was counted less than the suppression period ago. Counts nothing."""
        recall = self._find(self.name)
        key = key_of(recall.predicates, what)
        return key is not None and recall.knows(key)

    def increment_count(self, what: Event | Apxml | Mapping[str, Any]) -> None:
        """Count this, when the hook has returned without fault: what a failed attempt counted is not remembered.

        One that is remembered already keeps its time. Raises `RuntimeError` outside `on_event` and `on_http`.
        """
        key = key_of(self._find(self.name).predicates, what)
        if key is not None:
            self._count(self.name, key)


def key_of(predicates: tuple[str, ...], what: Event | Apxml | Mapping[str, Any]) -> str | None:
    """Return the key of what a filter compares; None where not all values are there."""
    places = _places(what)
    values = []
    for predicate in predicates:
        found = next((place[predicate.lower()] for place in places if predicate.lower() in place), None)
        if found is None:
            return None
        values.append(found)
    return combination(values)


def describe(predicates: tuple[str, ...], what: Event | Apxml | Mapping[str, Any]) -> str:
    """Return the values that a filter compares, for a sentence: `{pump=P-101, severity=high}`."""
    places = _places(what)
    pairs = [
        (predicate, next((place[predicate.lower()] for place in places if predicate.lower() in place), ""))
        for predicate in predicates
    ]
    return "{" + ", ".join(f"{name}={str(value)[:80]}" for name, value in pairs) + "}"


def _places(what: Event | Apxml | Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where values may stand, with the names in lower case; the first that has a name counts."""
    try:
        message = what.stored_apxml if isinstance(what, Event) and what.kind == BodyKind.APXML else what
        if isinstance(message, Apxml):
            return [{token.key.lower(): token.value for token in message}]
        whole = message.to_dict() if isinstance(message, Event) else message
    except RejectEvent:
        # JSON that is no object has no names.
        return []
    top = {str(name).lower(): value for name, value in whole.items()}
    inner = [top[scope] for scope in SCOPES if isinstance(top.get(scope), Mapping)]
    return [top, *({str(name).lower(): value for name, value in scope.items()} for scope in inner)]

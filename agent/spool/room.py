"""Whether there is room for one more event: bounds on what is still to be done, and on the space of the disk. Pure.

Counted is what is open: events and the bytes of their bodies, in all and for each service. The free space is looked at
every few seconds; what is taken in meanwhile is subtracted, so that a flood of large bodies cannot pass between two
looks. A bound of 0 is no bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import attrs

from agent.config.model import SpoolLimits
from agent.spool.ledger import BYTES_BESIDE_BODY

COPIES: Final = 2
"""An event is written to the log and then to the database."""


NO_BOUND: Final = float("inf")


@attrs.define
class Load:
    """What is open: events, and the bytes of their bodies."""

    events: int = 0
    size_bytes: int = 0
    max_events: float = NO_BOUND


@attrs.frozen(kw_only=True)
class NoRoom:
    """Why an event is refused. `code` is stable and counted; `reason` is for the sender and names no figures."""

    code: str
    reason: str


_ALL_EVENTS: Final = NoRoom(code="backlog-events", reason="too many events wait to be processed")
_ALL_BYTES: Final = NoRoom(code="backlog-bytes", reason="the events that wait to be processed are too large together")
_SERVICE_EVENTS: Final = NoRoom(code="service-backlog-events", reason="too many events wait for this service")
_SERVICE_BYTES: Final = NoRoom(
    code="service-backlog-bytes", reason="the events that wait for this service are too large together"
)
_SERVICE_AGE: Final = NoRoom(code="service-backlog-age", reason="events have waited too long for this service")
_DISK: Final = NoRoom(code="disk-low", reason="the agent's disk is nearly full")


class Room:
    """Counts what is open. `seen_free` and `seen_old` take what was last seen of the disk and of the backlog."""

    def __init__(self, limits: SpoolLimits) -> None:
        self._loads: dict[str, Load] = {}
        self._all = Load()
        self._left_bytes: float = NO_BOUND
        self._old: frozenset[str] = frozenset()
        self.bound(limits)

    def bound(self, limits: SpoolLimits) -> None:
        """Hold to other bounds from now on. What is open stays, also where it is more."""
        self._max_events = limits.max_events or NO_BOUND
        self._max_bytes = limits.max_bytes or NO_BOUND
        self._max_service_bytes = limits.max_service_bytes or NO_BOUND
        self._min_free_bytes = limits.min_free_bytes
        self._max_service_events = limits.max_service_events or NO_BOUND
        self._own = dict(limits.own_max_events)
        for service, load in self._loads.items():
            load.max_events = self._own.get(service, self._max_service_events)
        if not self._min_free_bytes:
            self._left_bytes = NO_BOUND

    @property
    def all(self) -> Load:
        """What is open in all."""
        return self._all

    @property
    def is_disk_low(self) -> bool:
        """Whether the free space is below its bound."""
        return self._left_bytes <= 0

    def take_in(self, service: str, size_bytes: int) -> NoRoom | None:
        """Count one more event; or say why there is no room for it, and count nothing.

        On the path of every event, so all in one place.
        """
        load = self._loads.get(service)
        if load is None:
            load = self._loads[service] = self._new_load(service)
        everything = self._all
        if (
            self._left_bytes <= 0
            or everything.events >= self._max_events
            or everything.size_bytes + size_bytes > self._max_bytes
            or load.events >= load.max_events
            or load.size_bytes + size_bytes > self._max_service_bytes
            or service in self._old
        ):
            return self._why_not(load, size_bytes)
        load.events += 1
        load.size_bytes += size_bytes
        everything.events += 1
        everything.size_bytes += size_bytes
        self._left_bytes -= COPIES * (size_bytes + BYTES_BESIDE_BODY)
        return None

    def change(self, service: str, events: int, size_bytes: int) -> None:
        """This much more is open, or less."""
        load = self._loads.get(service)
        if load is None:
            load = self._loads[service] = self._new_load(service)
        for each in (load, self._all):
            each.events += events
            each.size_bytes += size_bytes

    def load(self, found: Iterable[tuple[str, int, int]]) -> None:
        """What was found open at the start: service, events, bytes."""
        for service, events, size_bytes in found:
            self.change(service, events, size_bytes)

    def seen_free(self, free_bytes: int) -> None:
        """The free space of the disk."""
        if self._min_free_bytes:
            self._left_bytes = free_bytes - self._min_free_bytes

    def seen_old(self, services: Collection[str]) -> None:
        """The services whose oldest open event has waited too long."""
        self._old = frozenset(services)

    def _new_load(self, service: str) -> Load:
        # Services are those of the configuration, so these never grow many.
        return Load(max_events=self._own.get(service, self._max_service_events))

    def _why_not(self, load: Load, size_bytes: int) -> NoRoom:
        if self._left_bytes <= 0:
            return _DISK
        if self._all.events >= self._max_events:
            return _ALL_EVENTS
        if self._all.size_bytes + size_bytes > self._max_bytes:
            return _ALL_BYTES
        if load.events >= load.max_events:
            return _SERVICE_EVENTS
        if load.size_bytes + size_bytes > self._max_service_bytes:
            return _SERVICE_BYTES
        return _SERVICE_AGE

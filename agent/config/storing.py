"""`<spool>` -> `SpoolLimits`: what may wait, and how long what is over is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from agent.config.model import MIB, MIN_RESERVE_BYTES, ServiceConfig, SpoolLimits
from agent.config.section import Section
from agent.config.values import Unfit, decimal, whole

YEAR_S: Final = 366 * 24 * 3600
TIB: Final = 1024 * 1024 * MIB


def _reserve(text: str) -> int:
    size_bytes = whole(0, 1024 * MIB)(text)
    if 0 < size_bytes < MIN_RESERVE_BYTES:
        raise Unfit(
            f"{size_bytes} is too small: the store's log must fit into it; "
            f"expected 0 (none) or at least {MIN_RESERVE_BYTES}"
        )
    return size_bytes


SPOOL: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = MappingProxyType(
    {
        "max-events": ("max_events", whole(0, 10**9)),
        "max-bytes": ("max_bytes", whole(0, 100 * TIB)),
        "max-service-events": ("max_service_events", whole(0, 10**9)),
        "max-service-bytes": ("max_service_bytes", whole(0, 100 * TIB)),
        "max-wait-s": ("max_age_s", decimal(0, YEAR_S, "seconds")),
        "min-free-bytes": ("min_free_bytes", whole(0, 100 * TIB)),
        "reserve-bytes": ("reserve_bytes", _reserve),
        "keep-done-s": ("keep_done_s", decimal(0, 10 * YEAR_S, "seconds")),
        "keep-done-bytes": ("keep_done_bytes", whole(0, 100 * TIB)),
        "idempotency-window-s": ("idempotency_window_s", decimal(0, YEAR_S, "seconds")),
        "check-time-s": ("check_time_s", decimal(0, 3600, "seconds")),
    }
)
"""Element of `<spool>` -> field of `SpoolLimits` and its reader."""


def read_spool(section: Section | None, services: Iterable[ServiceConfig]) -> SpoolLimits:
    """Read the section; what a service says about its own queue is among the limits."""
    own = tuple(
        (service.name.client_id, service.max_waiting_events) for service in services if service.max_waiting_events
    )
    if section is None:
        return SpoolLimits(own_max_events=own)
    given = {field: section.value(name, read, None) for name, (field, read) in SPOOL.items()}
    limits = SpoolLimits(**{field: value for field, value in given.items() if value is not None})
    for small, large in (("max-service-events", "max-events"), ("max-service-bytes", "max-bytes")):
        least, most = (getattr(limits, SPOOL[name][0]) for name in (small, large))
        if most and least > most:
            section.warning(f"{least} is more than {large}, {most}, which ends the matter earlier", at=small)
    return attrs.evolve(limits, own_max_events=own)

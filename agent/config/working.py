"""What a descriptor says about the work of a service: threads, times, what may wait, what its worker may take.

The pool settings have the names of the Integration Runtime, whose files operators know; their meanings here:

=================  =======  ============================================================================================
`minPoolSize`      4        hook threads that are kept, also when nothing is to be done
`maxPoolSize`      10       hook threads allowed: a third each for normal events, high ones and senders (`on_http`),
                            unless `<concurrency>` says otherwise
`maxThreadLife`    10000    milliseconds that one call of a hook may take; the same as `<hook-timeout>`, in seconds
`maxQueueSize`     no limit events that may wait for this service before senders get 503
=================  =======  ============================================================================================
"""

from __future__ import annotations

from typing import Final

import attrs

from agent.config.model import MIB, KeySource, WorkerLimits
from agent.config.section import Section
from agent.config.values import boolean, decimal, header_name, milliseconds, whole, xpath

MAX_THREADS: Final = 1000
DAY_S: Final = 24 * 3600
DEFAULT_HOOK_TIMEOUT_S: Final = 10.0
LANES: Final = 3
"""Normal events, high ones, senders."""
MIN_POOL_SIZE: Final = 4
MAX_POOL_SIZE: Final = 10
"""Both as in the Runtime. A third of the ten for each lane are the 3 and 3 of the original agent's samples."""


@attrs.frozen(kw_only=True)
class Work:
    """The settings, under the names of the fields of `ServiceConfig`."""

    normal_threads: int
    high_threads: int
    kept_threads: int
    hook_timeout_s: float
    max_waiting_events: int
    later_pass: bool
    limits: WorkerLimits
    idempotency: KeySource


def read_work(section: Section) -> Work:
    """Read what the children of a descriptor say about its work."""
    pool = section.child("pool")
    normal, high, kept = _read_threads(section, pool)
    return Work(
        normal_threads=normal,
        high_threads=high,
        kept_threads=kept,
        hook_timeout_s=_read_hook_timeout(section, pool),
        max_waiting_events=0 if pool is None else pool.value("maxQueueSize", whole(1, 10**9), 0),
        later_pass=section.value("later-pass", boolean, False),
        limits=_read_limits(section),
        idempotency=read_key_source(section),
    )


def read_key_source(section: Section) -> KeySource:
    """Read the `<idempotency>` of a service or a gateway."""
    found = section.child("idempotency")
    if found is None:
        return KeySource()
    source = KeySource(header=found.attribute("header", header_name, ""), xpath=found.attribute("xpath", xpath, ""))
    if not found.element.attrib:
        found.error("needs the attribute header or xpath, or both")
    return source


def _read_threads(section: Section, pool: Section | None) -> tuple[int, int, int]:
    """Normal, high and kept threads. As many again as normal ones answer senders."""
    most = MAX_POOL_SIZE if pool is None else pool.value("maxPoolSize", whole(LANES, MAX_THREADS), MAX_POOL_SIZE)
    normal = high = most // LANES
    threads = section.child("concurrency")
    if threads is not None:
        normal = threads.value("normal-priority-thread-count", whole(1, MAX_THREADS), normal)
        high = threads.value("high-priority-thread-count", whole(1, MAX_THREADS), high)
    needed = 2 * normal + high
    if pool is None:
        return normal, high, min(MIN_POOL_SIZE, needed)
    if pool.child("maxPoolSize") is not None and needed > most:
        pool.error(
            f"{most} threads are too few for concurrency: {normal} for normal events, {high} for high ones and "
            f"{normal} for senders are {needed}; raise it, or lower concurrency",
            at="maxPoolSize",
        )
    kept = pool.value("minPoolSize", whole(0, MAX_THREADS), min(MIN_POOL_SIZE, needed))
    if kept > max(most, needed):
        pool.error(f"{kept} is more than maxPoolSize, {max(most, needed)}", at="minPoolSize")
    return normal, high, min(kept, needed)


def _read_hook_timeout(section: Section, pool: Section | None) -> float:
    given = section.value("hook-timeout", decimal(0.1, DAY_S, "seconds"), None)
    life = None if pool is None else pool.value("maxThreadLife", milliseconds(100, DAY_S * 1000), None)
    if pool is not None and given is not None and life is not None and given != life:
        pool.error(f"{life:g} s contradict hook-timeout, {given:g} s; keep one of the two", at="maxThreadLife")
    return given or life or DEFAULT_HOOK_TIMEOUT_S


def _read_limits(section: Section) -> WorkerLimits:
    limits = section.child("worker-limits")
    default = WorkerLimits()
    if limits is None:
        return default
    return WorkerLimits(
        max_memory_bytes=MIB * limits.value("max-memory-mib", whole(64, 1024 * 1024), default.max_memory_bytes // MIB),
        # Below 64 Python itself and its libraries do not start.
        max_open_files=limits.value("max-open-files", whole(64, 1_000_000), default.max_open_files),
        max_processes=limits.value("max-processes", whole(16, 1_000_000), default.max_processes),
    )

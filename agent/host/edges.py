"""What all services of one agent share: where they run and whom they talk to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs
from twisted.internet.interfaces import IReactorTime

from agent.boundaries import Asking, Counters, Spool, WorkShare
from agent.config.model import DedupFilter
from agent.delivery.share import Unshared
from agent.entries import Entries
from agent.host.bootclock import BootClock
from agent.host.launch import Launcher


@attrs.frozen(kw_only=True)
class Edges:
    """What all services share: where they run and whom they talk to. `destinations` empty: not known, do not check."""

    launcher: Launcher
    spool: Spool
    reactor: IReactorTime
    now_us: Callable[[], int]
    jitter: Callable[[], float]
    counters: Counters
    agent_id: str
    clock: BootClock
    entries: Entries
    """Who is told what becomes of events."""
    destinations: tuple[str, ...] = ()
    urls: Mapping[str, str] = MappingProxyType({})
    platform: Mapping[str, str] = MappingProxyType({})
    is_debug: bool = False
    filters: tuple[DedupFilter, ...] = ()
    asking: Asking | None = None
    """Who carries questions of services; None: nobody."""
    share: WorkShare = attrs.field(factory=Unshared)
    """Who says when an event may be begun."""

"""Looks at disk and backlog every few seconds, tells `Room`, lays the reserve by, and says when events are refused.

The look itself is taken in the reader's thread: a disk that hangs must not stop the reactor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.errors import AgentError
from agent.spool.reserve import Reserve
from agent.spool.room import NoRoom, Room
from agent.spool.watch import PERIOD_S, older_than

log = Logger(namespace="spool")


@attrs.frozen(kw_only=True)
class Sight:
    """What one look found. `free_bytes` None: the disk could not be asked."""

    free_bytes: int | None
    has_reserve: bool
    oldest: dict[str, int]
    """By service, since when its oldest open event has waited, by the clock of ages."""


@attrs.define(kw_only=True)
class Lookout:
    """`in_thread` runs a blocking function in the reader's thread. `look_back` gives the ages of the oldest open events
    (blocking); where `max_age_s` is 0 it is not asked. `age_us` is the clock of ages.
    """

    reactor: IReactorTime
    in_thread: Callable[[Callable[[], Sight]], Awaitable[Sight]]
    folder: Path
    room: Room
    reserve: Reserve
    free_bytes: Callable[[Path], int]
    look_back: Callable[[], dict[str, int]]
    age_us: Callable[[], int]
    max_age_s: float
    then: Callable[[], None] = lambda: None
    """Called after each look."""
    sight: Sight = Sight(free_bytes=None, has_reserve=True, oldest={})
    _refusing: dict[str, str] = attrs.field(factory=dict)
    _refused_since_look: set[str] = attrs.field(factory=set)
    _timer: IDelayedCall | None = None
    _is_stopped: bool = False

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why events are refused, each reason once; empty where none are."""
        return tuple(self._refusing.values())

    async def look(self) -> None:
        """Look now, and again after a while until `stop`."""
        try:
            self.sight = await self.in_thread(self._see)
            self._take(self.sight)
        except AgentError as error:
            log.warn("{reason}", reason=error.sentence)
        if not self._is_stopped:
            self._timer = self.reactor.callLater(PERIOD_S, self._look_again)

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def refused(self, why: NoRoom, service: str) -> None:
        """An event was refused for want of room; said once, until there is room again."""
        name = f"{why.code} {service}" if why.code.startswith("service") else why.code
        self._refused_since_look.add(name)
        if name not in self._refusing:
            whose = f"{service}: " if why.code.startswith("service") else f"{self.folder}: "
            self._refusing[name] = f"{whose}events are refused (503), because {why.reason}{self._figures(why)}"
            log.warn("{sentence}", sentence=self._refusing[name])

    def _look_again(self) -> None:
        Deferred.fromCoroutine(self.look()).addErrback(lambda failure: log.failure("the look at the disk", failure))

    def _see(self) -> Sight:
        try:
            free: int | None = self.free_bytes(self.folder)
        except OSError:
            free = None
        has_reserve = self.reserve.lay_by() if free is not None else False
        return Sight(free_bytes=free, has_reserve=has_reserve, oldest=self.look_back() if self.max_age_s else {})

    def _take(self, sight: Sight) -> None:
        if sight.free_bytes is not None:
            self.room.seen_free(sight.free_bytes)
        self.room.seen_old(older_than(sight.oldest, max_age_s=self.max_age_s, age_us=self.age_us()))
        for name in [name for name in self._refusing if name not in self._refused_since_look]:
            if name == "disk-low" and self.room.is_disk_low:
                continue
            del self._refusing[name]
            log.info("{folder}: there is room again ({name})", folder=str(self.folder), name=name)
        self._refused_since_look.clear()
        self.then()

    def _figures(self, why: NoRoom) -> str:
        free = self.sight.free_bytes
        if why.code == "disk-low" and free is not None:
            return f" ({free // 1024**2} MiB are free); free some space or move the home"
        load = self.room.all
        return (
            f" ({load.events:,} events with {load.size_bytes // 1024**2} MiB wait in all services); "
            'what holds them up tells "iadmin status", above all a service that is suspended or fails'
        )

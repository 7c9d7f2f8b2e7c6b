"""Writes to the spool what became of events, in order, and does not let go of what could not be written."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from operator import itemgetter
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.boundaries import EventSettlement, Spool
from agent.errors import AgentError

log = Logger(namespace="host")

AGAIN_S: Final = 1.0
"""The spool says no when the disk is full or failing; that takes somebody's hand, so there is no hurry."""

MAX_OPEN: Final = 256
"""Settlements under way at which no further event is begun. A group commit takes them all; were the disk to stop, that
many events would be processed twice after a crash."""


class Record:
    """The settlements of one service on their way to the disk.

    The next event of a group is begun before the settlement of the last is committed: the spool commits in order, so
    after a crash what is settled is the beginning of what was done, and the rest is done again in the same order.
    """

    def __init__(self, *, service: str, spool: Spool, reactor: IReactorTime, room: Callable[[], None]) -> None:
        """`room` is called when `takes_more` may have become true again."""
        self._service = service
        self._spool = spool
        self._reactor = reactor
        self._room = room
        self._open = 0
        self._refused: list[tuple[int, EventSettlement]] = []
        self._count = itertools.count()
        self._timer: IDelayedCall | None = None
        self._all_stored: list[Deferred[None]] = []

    @property
    def takes_more(self) -> bool:
        """Whether events may be begun whose settlements will come here."""
        return self._open < MAX_OPEN and not self._refused

    def store(self, settlement: EventSettlement) -> None:
        """Store it with the next commit; when that fails, again and again, in the same order."""
        place = next(self._count)
        if self._refused:
            self._refused.append((place, settlement))
        else:
            self._begin(place, settlement)

    async def all_stored(self) -> None:
        """Wait until nothing is under way. What the spool refused is not waited for: it is open on disk."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._open:
            done: Deferred[None] = Deferred()
            self._all_stored.append(done)
            await done

    def _begin(self, place: int, settlement: EventSettlement) -> None:
        self._open += 1
        stored = self._spool.settle_event(settlement)
        assert isinstance(stored, Deferred)
        stored.addErrback(self._not_stored, place, settlement).addBoth(self._over).addErrback(self._bug)

    def _not_stored(self, failure: Failure, place: int, settlement: EventSettlement) -> None:
        if isinstance(failure.value, AgentError):
            self._keep(place, settlement, failure.value)
        else:
            self._bug(failure)

    def _over(self, _: object) -> None:
        was_full = not self.takes_more
        self._open -= 1
        if not self._open:
            waiting, self._all_stored = self._all_stored, []
            for done in waiting:
                done.callback(None)
        if was_full and self.takes_more:
            self._room()

    def _keep(self, place: int, settlement: EventSettlement, error: AgentError) -> None:
        self._refused.append((place, settlement))
        if self._timer is None:
            log.error(
                "{service}: what became of its events cannot be stored, no further ones are begun: {reason}",
                service=self._service,
                reason=error.sentence,
            )
            self._timer = self._reactor.callLater(AGAIN_S, self._again)

    def _again(self) -> None:
        self._timer = None
        refused, self._refused = self._refused, []
        # What was under way when others were refused already may have joined them later.
        for place, settlement in sorted(refused, key=itemgetter(0)):
            self._begin(place, settlement)
        if self.takes_more:
            self._room()

    def _bug(self, failure: Failure) -> None:
        log.failure("{service}: a settlement was lost", failure, service=self._service)

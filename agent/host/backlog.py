"""The events of one service that wait to be begun: a line-up in memory over the spool on disk.

`agent.delivery.order` decides who is next; this keeps it filled from the spool and wakes its owner when somebody
becomes due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.boundaries import Spool, StoredEvent
from agent.delivery.order import Lineup, Refill, Ticket
from agent.errors import AgentError
from agent.event import Priority
from agent.host.record import AGAIN_S

log = Logger(namespace="host")

LINE_OF: Final = attrgetter("event.priority", "event.group")
"""Where a stored event waits; read thousands of times a second."""


@attrs.frozen
class Job:
    """An event in the line-up. `interrupted` counts the times it was begun without that being its own failure; those
    are not on disk. `born_s` is when its age was nothing, on the reactor's clock."""

    stored: StoredEvent
    interrupted: int = 0
    born_s: float = 0.0


class Backlog:
    """The waiting events of one service. Times are seconds of the reactor's clock, which never jumps.

    Nothing here follows a wall clock: the spool says how old an event is, and what is left of its pause.
    """

    def __init__(
        self,
        *,
        service: str,
        normal_threads: int,
        high_threads: int,
        spool: Spool,
        reactor: IReactorTime,
        wake: Callable[[], None],
        later_pass: bool = False,
    ) -> None:
        """`wake` is called when `next` may have something that it had not before."""
        self._service = service
        self._spool = spool
        self._reactor = reactor
        self._wake = wake
        self._lineup = Lineup[Job](
            threads={Priority.NORMAL: normal_threads, Priority.HIGH: high_threads}, later_pass=later_pass
        )
        self._alarm: IDelayedCall | None = None

    def __len__(self) -> int:
        """Events in memory; more may be on disk."""
        return len(self._lineup)

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Newly stored events, in order of `seq`."""
        # Where the first of a line is left on disk, so are all behind it: nearly always, while senders are quicker.
        first_seq = events[0].seq
        lines = set(map(LINE_OF, events))
        if all(self._lineup.leaves(priority, group, first_seq) for priority, group in lines):
            return
        for stored in events:
            if not self._lineup.leaves(stored.event.priority, stored.event.group, stored.seq):
                self._lineup.add(self._ticket(stored))

    @property
    def has_next(self) -> bool:
        """Whether `next` would begin one."""
        return self._lineup.has_next(self._reactor.seconds())

    def next(self) -> Ticket[Job] | None:
        """Begin the next event; None when all threads are busy or none may run now."""
        return self._lineup.next(self._reactor.seconds())

    def age_s(self, ticket: Ticket[Job]) -> float:
        """Seconds since the event came in, or since its last replay."""
        return self._reactor.seconds() - ticket.item.born_s

    def settled(self, ticket: Ticket[Job]) -> None:
        """The event came to an end."""
        self._lineup.settled(ticket.seq)

    def postponed(self, ticket: Ticket[Job], *, pause_s: float) -> None:
        """The event failed and is to be tried again after `pause_s`."""
        stored = ticket.item.stored._replace(attempt=ticket.item.stored.attempt + 1)
        due_s = self._reactor.seconds() + pause_s
        self._lineup.postponed(ticket.seq, due_s=due_s, item=attrs.evolve(ticket.item, stored=stored))

    def interrupted(self, ticket: Ticket[Job]) -> None:
        """The event was cut off by something that is not its fault; it is tried again at once."""
        item = attrs.evolve(ticket.item, interrupted=ticket.item.interrupted + 1)
        self._lineup.postponed(ticket.seq, due_s=self._reactor.seconds(), item=item)

    def refill(self) -> None:
        """Read from the spool what is missing here. To be called after everything else."""
        refill = self._lineup.next_refill()
        if refill is not None:
            Deferred.fromCoroutine(self._read(refill)).addErrback(
                lambda failure: log.failure("{service}: reading its events failed", failure, service=self._service)
            )

    def set_alarm(self) -> None:
        """Wake the owner when the next postponed event is due. Only for when `next` has just said None by itself:
        where the owner may not begin any, an alarm would find the same event due again and again."""
        due_s = self._lineup.next_due_s()
        if due_s is None:
            return
        left_s = max(0.0, due_s - self._reactor.seconds())
        if self._alarm is None or not self._alarm.active():
            self._alarm = self._reactor.callLater(left_s, self._wake)
        else:
            self._alarm.reset(left_s)

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()

    async def _read(self, refill: Refill) -> None:
        try:
            events = await self._spool.open_events(self._service, **attrs.asdict(refill, recurse=False))
        except AgentError as error:
            self._lineup.refill_failed()
            log.error("{service}: its events cannot be read: {reason}", service=self._service, reason=error.sentence)
            self._reactor.callLater(AGAIN_S, self._wake)
            return
        self._lineup.refill([self._ticket(stored) for stored in events])
        self._wake()

    def _ticket(self, stored: StoredEvent) -> Ticket[Job]:
        now_s = self._reactor.seconds()
        return Ticket(
            seq=stored.seq,
            priority=stored.event.priority,
            group=stored.event.group,
            item=Job(stored, born_s=now_s - stored.age_s),
            size_bytes=len(stored.event.body),
            due_s=now_s + stored.left_s if stored.left_s else 0.0,
        )

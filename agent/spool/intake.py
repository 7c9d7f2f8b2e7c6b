"""What one turn of the reactor brings, collected into batches for the writer.

On the accept path there is no Deferred and no call per event: a turn's offers are two appends to one list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime

from agent.boundaries import Counters, EventSettlement, RequestSettlement, Waiting
from agent.errors import SenderError
from agent.event import Event
from agent.spool.batch import Batch, Change
from agent.spool.changes import Answered
from agent.spool.claims import Claim
from agent.spool.faults import RETRY_BUSY_S, RETRY_FAILED_S, RETRY_FULL_S, unavailable
from agent.spool.mending import Edit, Mend, Purge, Replay
from agent.spool.retention import Retire
from agent.spool.room import NoRoom, Room
from agent.spool.telling import tell
from agent.spool.thread import MAX_BATCH_BYTES, MAX_BATCH_EVENTS

MAX_UNFLUSHED_EVENTS: Final = 16 * 1024
"""Events that wait for a commit: sixteen full transactions, some seconds on a slow disk. Beyond it the disk does not
keep up, and a sender is better told to come back than left to run into its own time-out."""

MAX_UNFLUSHED_BYTES: Final = 64 * 1024 * 1024
"""The same in bytes, which bounds memory; at least one event of the largest size fits several times."""


class Intake:
    """Collects offers and changes until the turn ends or a transaction is full, then gives them to `put`.

    Refuses everything while `is_open` is false, and what `room` has no room for; then `refused` is called.
    """

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        put: Callable[[Batch], None],
        counters: Counters,
        room: Room,
        refused: Callable[[NoRoom, str], None],
    ) -> None:
        self._room = room
        self._take_in = room.take_in
        self._refused = refused
        self.is_open = False
        self._reactor = reactor
        self._put = put
        self._counters = counters
        self._turn = Batch()
        self._is_turn_scheduled = False
        self._is_turn_prolonged = False
        self._turned_away: list[tuple[Waiting, SenderError]] = []
        self._unflushed_events = 0
        self._unflushed_bytes = 0

    def offer(self, event: Event, waiting: Waiting) -> None:
        """See `EventSink.offer`."""
        size_bytes = len(event.body)
        if not self.is_open:
            self._turn_away(waiting, unavailable("store-closed", "the agent is stopping", RETRY_FAILED_S))
            return
        if self._unflushed_events >= MAX_UNFLUSHED_EVENTS or self._unflushed_bytes + size_bytes > MAX_UNFLUSHED_BYTES:
            self._turn_away(waiting, unavailable("store-busy", "the agent's disk does not keep up", RETRY_BUSY_S))
            return
        why_not = self._take_in(event.service, size_bytes)
        if why_not is not None:
            self._refused(why_not, event.service)
            self._turn_away(waiting, unavailable(why_not.code, why_not.reason, RETRY_FULL_S))
            return
        self._unflushed_events += 1
        self._unflushed_bytes += size_bytes
        turn = self._turn
        turn.accepts.append((event, waiting))
        turn.size_bytes += size_bytes
        if len(turn.accepts) >= MAX_BATCH_EVENTS or turn.size_bytes >= MAX_BATCH_BYTES:
            self.hand_over()
        elif not self._is_turn_scheduled:
            self._schedule_turn()

    def change(self, change: Change) -> None:
        """Make this change with the next transaction."""
        turn = self._turn
        turn.changes.append(change)
        turn.size_bytes += _size_bytes(change.what)
        if len(turn.changes) >= MAX_BATCH_EVENTS or turn.size_bytes >= MAX_BATCH_BYTES:
            self.hand_over()
        elif not self._is_turn_scheduled:
            self._schedule_turn()

    def hand_over(self) -> None:
        """What was collected so far goes to the writer now."""
        turn = self._turn
        if turn.accepts or turn.changes:
            self._turn = Batch()
            self._put(turn)

    def flushed(self, stored: Sequence[Event], dropped: Sequence[Event]) -> None:
        """These offers have been committed, or were refused or repeats."""
        self._unflushed_events -= len(stored) + len(dropped)
        self._unflushed_bytes -= sum(len(event.body) for event in stored)
        for event in dropped:
            self._unflushed_bytes -= len(event.body)
            self._room.change(event.service, -1, -len(event.body))

    def _turn_away(self, waiting: Waiting, error: SenderError) -> None:
        self._turned_away.append((waiting, error))
        if not self._is_turn_scheduled:
            self._schedule_turn()

    def _schedule_turn(self) -> None:
        self._is_turn_scheduled = True
        self._reactor.callLater(0, self._end_turn)

    def _end_turn(self) -> None:
        """Everything that this turn of the reactor read from its connections is here: hand it over.

        Where several came, the rest of those who were answered together is just arriving: one more turn, which takes
        some microseconds where that is not so, spares the writer a commit, and the reactor a rival for the interpreter.
        """
        if len(self._turn.accepts) > 1 and not self._is_turn_prolonged:
            self._is_turn_prolonged = True
            self._reactor.callLater(0, self._end_turn)
            return
        self._is_turn_scheduled = self._is_turn_prolonged = False
        self.hand_over()
        turned_away, self._turned_away = self._turned_away, []
        for waiting, error in turned_away:
            self._counters.count("spool.refused", error.code)
            tell(waiting.refused, error)


def _size_bytes(what: EventSettlement | RequestSettlement | Answered | Claim | Mend | Retire) -> int:
    """The bodies that a change stores. Replays and purges bound themselves."""
    if isinstance(what, RequestSettlement):
        return 0 if what.answer is None else len(what.answer.body)
    if isinstance(what, Edit):
        return len(what.body)
    if isinstance(what, Replay | Purge | Claim | Retire):
        return 0
    event_bytes = len(what.event.body) if isinstance(what, Answered) else 0
    settlement = what.settlement if isinstance(what, Answered) else what
    return event_bytes + sum(len(request.body) for request in settlement.requests)

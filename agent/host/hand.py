"""The events in a worker's hand: what becomes of each, when its hook has returned or the worker has ended.

A worker that ends by itself takes calls with it that nobody can tell the guilty one from. So when there were several,
none is blamed: they are **suspects**, run again one at a time, and a worker that then ends has exactly one to blame.
The blamed one counts as a failed attempt, which is how an event that kills its worker every time comes to be a dead
letter, while the others only come twice.
"""

from __future__ import annotations

from typing import Final

import attrs
from twisted.logger import Logger

from agent.config.model import ServiceConfig
from agent.delivery import Outcome
from agent.delivery.order import Ticket
from agent.host.account import Account
from agent.host.backlog import Backlog, Job
from agent.host.counted import Counted
from agent.host.edges import Edges
from agent.host.messages import Call, EventCall, Result, Verdict
from agent.host.process import Gone
from agent.host.record import Record
from agent.host.verdict import settlement

log = Logger(namespace="host")

SUSPECTS_FIRST_S: Final = 5.0
"""How long after the start of a worker the event that ended the one before stands back for those that were only in hand
with it: some starts and hooks. It is no longer than the pauses of an ordinary failure."""


class Hand:
    """The events of one service that are being handled, by the number of their call."""

    def __init__(
        self,
        *,
        config: ServiceConfig,
        edges: Edges,
        backlog: Backlog,
        account: Account,
        record: Record,
        counted: Counted,
    ) -> None:
        self._config = config
        self._edges = edges
        self._backlog = backlog
        self._account = account
        self._record = record
        self._counted = counted
        self._tickets: dict[int, Ticket[Job]] = {}
        self._begun_us: dict[int, int] = {}
        self._suspects: set[int] = set()

    @property
    def has_suspects(self) -> bool:
        """Whether events are to be run one at a time, until it is known which of them ends the worker."""
        return bool(self._suspects)

    def __contains__(self, call: object) -> bool:
        return call in self._tickets

    def begun(self, call: EventCall, ticket: Ticket[Job], begun_us: int) -> None:
        """An event was handed to the worker."""
        self._tickets[call.call] = ticket
        self._begun_us[call.call] = begun_us
        self._edges.spool.began_event(ticket.seq)

    def ended(self, call: EventCall, result: Result, begun_us: int) -> None:
        """Its hook is over."""
        del self._begun_us[call.call]
        self.judge(self._tickets.pop(call.call), result, begun_us)

    def put_down(self, gone: Gone, culprit: Call | None, *, is_stopping: bool, next_start_s: float) -> None:
        """The worker has ended: blame the culprit, where it is one of these, and have the others begun again."""
        begun_us, self._begun_us = self._begun_us, {}
        for call in gone.in_hand:
            if call is culprit or not isinstance(call, EventCall):
                continue
            ticket = self._tickets.pop(call.call)
            self._backlog.interrupted(ticket)
            if gone.overran is None and not is_stopping:
                self._suspects.add(ticket.seq)
            log.info("{service} was interrupted, again at once", service=self._config.name.client_id, event_id=call.id)
        if isinstance(culprit, EventCall):
            result = Result(call=culprit.call, verdict=Verdict.ERROR, reason=gone.sentence, detail=gone.detail)
            self.judge(self._tickets.pop(culprit.call), result, begun_us[culprit.call], next_start_s=next_start_s)

    def judge(self, ticket: Ticket[Job], result: Result, begun_us: int, *, next_start_s: float = 0.0) -> None:
        """Settle an event whose call is over. `next_start_s`: in how many seconds the next worker starts."""
        stored, ended_us = ticket.item.stored, self._edges.now_us()
        settled = settlement(
            stored,
            result,
            policy=self._config.retry,
            begun_us=begun_us,
            ended_us=ended_us,
            age_s=self._backlog.age_s(ticket),
            jitter=self._edges.jitter,
        )
        if result.remembered:
            settled = attrs.evolve(settled, remembered=self._counted.count(result.remembered))
        self._suspects.discard(ticket.seq)
        if settled.outcome is Outcome.POSTPONE:
            pause_s = (settled.due_us - ended_us) / 1e6
            if self._suspects and next_start_s:
                # Its place is before theirs: due with the next start, it would take the worker down again and again
                # before any of them has had a turn.
                pause_s = max(pause_s, next_start_s + SUSPECTS_FIRST_S)
            self._backlog.postponed(ticket, pause_s=pause_s)
        else:
            self._backlog.settled(ticket)
        self._account.settled(stored.event.id, settled, next_start_s=next_start_s)
        self._record.store(settled)

"""Changes of state inside the writer's transaction: settlements, claims, events that come in already answered.

The rules are `agent.delivery.next_state`; here they meet the rows. Every change is checked before its first statement,
so that one that is impossible can be left out without disturbing the others of its transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import apsw
import attrs

from agent.boundaries import EventSettlement, RequestSettlement
from agent.delivery import LIFE, OPEN_STATES, OutboundRequest, Outcome, State, next_state
from agent.event import Event
from agent.spool import recall, rows
from agent.spool.claims import Claim
from agent.spool.ledger import Ledger

_CLAIMABLE: Final = ", ".join(str(state.value) for state, outcome in LIFE if outcome is Outcome.CLAIM)


@attrs.frozen(kw_only=True)
class Answered:
    """An event that its service has answered already, to be stored with its end."""

    event: Event
    settlement: EventSettlement


class ImpossibleChange(ValueError):
    """A settlement of something that is not open or not there: a fault of ours, told to who asked for it."""


class Changing:
    """The settlements of one transaction, written to `connection` and noted in `ledger`.

    `now_us` is the wall clock's time, `age_us` that of the clock of ages.
    """

    def __init__(self, connection: apsw.Connection, now_us: int, age_us: int, ledger: Ledger) -> None:
        self._connection = connection
        self._now_us = now_us
        self._age_us = age_us
        self._ledger = ledger

    def make(self, what: EventSettlement | RequestSettlement | Answered | Claim) -> None:
        """Write one change; raise `ImpossibleChange` before anything is written."""
        if isinstance(what, EventSettlement):
            self._settle_event(what)
        elif isinstance(what, RequestSettlement):
            self._settle_request(what)
        elif isinstance(what, Claim):
            self._claim(what)
        else:
            self._store_answered(what)

    def _claim(self, claim: Claim) -> None:
        """Count the attempt; what has been settled meanwhile, or is claimed already, is left as it is."""
        for table, seqs in (("event", claim.events), ("request", claim.requests)):
            self._connection.executemany(
                f"UPDATE {table} SET state = {State.CLAIMED.value}, attempt = attempt + 1, due_us = 0, ripe_us = 0 "
                f"WHERE seq = ? AND state IN ({_CLAIMABLE})",
                [(seq,) for seq in seqs],
            )

    def _settle_event(self, settlement: EventSettlement) -> None:
        found = self._connection.execute(
            "SELECT state, attempt, id, service, grp, size_bytes FROM event WHERE seq = ?", (settlement.seq,)
        ).fetchone()
        if found is None:
            raise ImpossibleChange(f"event {settlement.seq} is not in the spool and cannot {settlement.outcome.value}")
        before, attempt, event_id, service, group, size_bytes = found
        state, attempt = _after(State(before), attempt, settlement.outcome)
        self._connection.execute(
            "UPDATE event SET state = ?, attempt = ?, due_us = ?, ripe_us = ?, ended_us = ?, died_us = ?, reason = ? "
            "WHERE seq = ?",
            (
                state,
                attempt,
                *self._due_us(state, settlement),
                0 if state in OPEN_STATES else self._age_us,
                _died_us(state, settlement),
                settlement.reason,
                settlement.seq,
            ),
        )
        self._connection.execute(rows.INSERT_STEP, rows.step_row(settlement.seq, None, settlement))
        self._ledger.count("event", service, state)
        if state not in OPEN_STATES:
            self._ledger.open_more(service, -1, -size_bytes)
            self._ledger.end(state, size_bytes)
        if settlement.requests:
            self._insert_requests(event_id, (settlement.seq, service, group), settlement.requests)
        recall.keep(self._connection, service, settlement.remembered)

    def _settle_request(self, settlement: RequestSettlement) -> None:
        found = self._connection.execute(
            "SELECT state, attempt, event_seq, destination FROM request WHERE seq = ?", (settlement.seq,)
        ).fetchone()
        if found is None:
            raise ImpossibleChange(
                f"request {settlement.seq} is not in the spool; it cannot {settlement.outcome.value}"
            )
        before, attempt, event_seq, destination = found
        state, attempt = _after(State(before), attempt, settlement.outcome)
        answer = settlement.answer
        self._connection.execute(
            "UPDATE request SET state = ?, attempt = ?, due_us = ?, ripe_us = ?, died_us = ?, reason = ?, "
            "answer_status = ?, answer_where = ?, answer_type = ?, answer_body = ? WHERE seq = ?",
            (
                state,
                attempt,
                *self._due_us(state, settlement),
                _died_us(state, settlement),
                settlement.reason,
                None if answer is None else answer.status,
                None if answer is None else answer.where,
                None if answer is None else answer.content_type,
                None if answer is None else answer.body,
                settlement.seq,
            ),
        )
        self._connection.execute(rows.INSERT_STEP, rows.step_row(event_seq, settlement.seq, settlement))
        self._ledger.count("request", destination, state)

    def _store_answered(self, answered: Answered) -> None:
        event, settlement = answered.event, answered.settlement
        state, attempt = _after(State.RECEIVED, 0, settlement.outcome)
        seq = self._ledger.take_event_seq()
        row = rows.event_row(
            seq,
            event,
            state=state,
            attempt=attempt,
            stored_us=self._now_us,
            age_us=self._age_us,
            reason=settlement.reason,
            ended_us=self._age_us,
        )
        self._connection.execute(rows.INSERT_EVENT, row)
        if len(event.body) > rows.LARGE_BYTES:
            self._connection.execute(rows.INSERT_BODY["event"], (seq, event.body))
        self._ledger.last_event_id = max(self._ledger.last_event_id, event.id)
        self._connection.execute(rows.INSERT_STEP, rows.step_row(seq, None, settlement))
        self._ledger.count("event", event.service, state)
        self._ledger.end(state, len(event.body))
        self._insert_requests(event.id, (seq, event.service, event.group), settlement.requests)
        recall.keep(self._connection, event.service, settlement.remembered)

    def _insert_requests(self, event_id: str, event: tuple[int, str, str], requests: Sequence[OutboundRequest]) -> None:
        highest = self._connection.execute(
            "SELECT coalesce(max(number), 0) FROM request WHERE event_seq = ?", (event[0],)
        ).get
        stored = rows.new_requests(
            event_id,
            event,
            requests,
            first_seq=self._ledger.request_seq + 1,
            first_number=highest + 1,
        )
        self._connection.executemany(
            rows.INSERT_REQUEST,
            [rows.request_row(each, created_us=self._now_us, age_us=self._age_us) for each in stored],
        )
        large = [(each.seq, each.request.body) for each in stored if len(each.request.body) > rows.LARGE_BYTES]
        if large:
            self._connection.executemany(rows.INSERT_BODY["request"], large)
        self._ledger.request_seq += len(stored)
        self._ledger.requests += stored

    def _due_us(self, state: State, settlement: EventSettlement | RequestSettlement) -> tuple[int, int]:
        """When it is due: for people by the wall clock, and by the clock of ages. The pause counts from now."""
        if state is not State.WAITING:
            return 0, 0
        pause_us = settlement.due_us - settlement.ended_us
        return settlement.due_us, self._age_us + max(pause_us, 0)


def _died_us(state: State, settlement: EventSettlement | RequestSettlement) -> int:
    """When it was given up, for the list of dead letters; 0 for what was not."""
    return settlement.ended_us if state is State.DEAD else 0


def _after(before: State, attempt: int, outcome: Outcome) -> tuple[State, int]:
    """State and number of attempts after a settlement.

    Most claims are settled before they are written: what is settled while the disk says received or waiting was claimed
    since, and is begun once more than the disk knows.
    """
    try:
        if before is not State.CLAIMED:
            before, attempt = next_state(before, Outcome.CLAIM), attempt + 1
        return next_state(before, outcome), attempt
    except ValueError as error:
        raise ImpossibleChange(str(error)) from error

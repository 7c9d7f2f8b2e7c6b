"""What is over goes after a while: done and suppressed events by age or by size, forgotten keys. Never dead letters.

In small steps, one transaction each, with a pause between them, so that senders do not notice: a step looks at
`EVENTS_A_STEP` places, from the oldest on, and begins at the front again when it has come to what is too young.
"""

from __future__ import annotations

from typing import Any, Final

import apsw
import attrs

from agent.config.model import SpoolLimits
from agent.delivery import State
from agent.spool import rows
from agent.spool.ledger import BYTES_BESIDE_BODY, Ledger

EVENTS_A_STEP: Final = 100
"""Looked at in one transaction: about 2 ms when all of them go."""

BYTES_A_STEP: Final = 16 * 1024 * 1024
"""Bodies in one transaction: deleting them touches each of their pages."""

_LOOK: Final = f"""
    SELECT seq, service, state, size_bytes, born_us, ended_us,
        (SELECT count(*) FROM request WHERE event_seq = event.seq
            AND state NOT IN ({State.DONE.value}, {State.SUPPRESSED.value}))
    FROM event WHERE seq > ? ORDER BY seq LIMIT {EVENTS_A_STEP}
"""


@attrs.frozen(kw_only=True)
class Retire:
    """One step, from the place `after_seq` on."""

    after_seq: int = 0


@attrs.frozen(kw_only=True)
class Retired:
    """What a step did: `events` deleted, and where the next one begins; 0: this round is over."""

    events: int = 0
    next_seq: int = 0


def retire(connection: apsw.Connection, ledger: Ledger, what: Retire, *, limits: SpoolLimits, age_us: int) -> Retired:
    """Delete what is over from this place on. `age_us` is the time of the clock of ages, which alone decides."""
    _forget_keys(connection, age_us - round(limits.idempotency_window_s * 1e6))
    too_many_bytes = _done_bytes(connection) - (limits.keep_done_bytes or float("inf"))
    before_us = age_us - round(limits.keep_done_s * 1e6) if limits.keep_done_s else -1
    found: list[Any] = connection.execute(_LOOK, (what.after_seq,)).fetchall()
    events, size_bytes, place = 0, 0, what.after_seq
    for seq, service, state, body_bytes, born_us, ended_us, requests_left in found:
        if (born_us >= before_us and too_many_bytes <= 0) or size_bytes >= BYTES_A_STEP:
            # What comes later was born later: nothing more is old enough.
            return Retired(events=events, next_seq=place if size_bytes >= BYTES_A_STEP else 0)
        place = seq
        is_old = max(born_us, ended_us) < before_us
        if state in (State.DONE, State.SUPPRESSED) and not requests_left and (is_old or too_many_bytes > 0):
            _delete(connection, ledger, seq, service, State(state))
            ledger.done_bytes -= body_bytes + BYTES_BESIDE_BODY
            too_many_bytes -= body_bytes + BYTES_BESIDE_BODY
            size_bytes += body_bytes
            events += 1
    return Retired(events=events, next_seq=place if len(found) == EVENTS_A_STEP else 0)


def _delete(connection: apsw.Connection, ledger: Ledger, seq: int, service: str, state: State) -> None:
    for request_state, destination in connection.execute(
        "SELECT state, destination FROM request WHERE event_seq = ?", (seq,)
    ).fetchall():
        ledger.count("request", str(destination), State(request_state), -1)  # type: ignore[arg-type]
        ledger.freed_requests += 1
    ledger.count("event", service, state, -1)
    ledger.freed_events += 1
    rows.delete_event(connection, seq)


def _forget_keys(connection: apsw.Connection, before_us: int) -> None:
    connection.execute(
        "DELETE FROM idempotency WHERE (service, key) IN (SELECT service, key FROM idempotency "
        f"INDEXED BY idempotency_age WHERE stored_us < ? LIMIT {10 * EVENTS_A_STEP})",
        (before_us,),
    )


def _done_bytes(connection: apsw.Connection) -> int:
    found: int | None = connection.execute("SELECT value FROM meta WHERE name = 'done_bytes'").get
    return found or 0

"""What a writer finds when it opens the spool: where the lines end, what is open, what was in hand."""

from __future__ import annotations

import contextlib
from typing import Final

import apsw

from agent.delivery import Outcome, State, next_state
from agent.spool import layout, rows
from agent.spool.steady import SteadyClock

_IN_HAND: Final = (
    f"SELECT seq, NULL FROM event INDEXED BY event_claimed WHERE state = {State.CLAIMED.value}",
    f"SELECT event_seq, seq FROM request INDEXED BY request_claimed WHERE state = {State.CLAIMED.value}",
)


def note_start(connection: apsw.Connection, *, now_us: int, ages: SteadyClock) -> None:
    """Take back what was in hand, and leave a note of the clock of ages; nothing of that on a full disk.

    What stays claimed there is offered again all the same, and settles the same. An agent that did not come up on a
    full disk could not make room either.
    """
    with contextlib.suppress(apsw.FullError):
        take_back(connection, now_us=now_us)
        if not ages.is_noted:
            with connection:
                ages.write_note(connection)


def take_back(connection: apsw.Connection, *, now_us: int) -> None:
    """What a process had in hand when it died is interrupted: it is offered again, and its road tells of it.

    When the attempt began is not known any more, which a step says by beginning at 0.
    """
    back = next_state(State.CLAIMED, Outcome.INTERRUPT)
    with connection:
        for query in _IN_HAND:
            for event_seq, request_seq in connection.execute(query).fetchall():
                row = (event_seq, request_seq, 0, now_us, Outcome.INTERRUPT.value, "the agent ended before it did", "")
                connection.execute(rows.INSERT_STEP, row)
        for table in ("event", "request"):
            connection.execute(f"UPDATE {table} SET state = ? WHERE state = {State.CLAIMED.value}", (back,))


def last_seqs(connection: apsw.Connection) -> tuple[int, int]:
    """The newest places of events and requests. The marks count where ended rows were deleted."""
    event_seq = connection.execute("SELECT coalesce(max(seq), 0) FROM event").get
    request_seq = connection.execute("SELECT coalesce(max(seq), 0) FROM request").get
    marks = dict(connection.execute("SELECT name, value FROM meta WHERE name LIKE 'last_%_seq'"))
    return max(event_seq, marks.get("last_event_seq", 0)), max(request_seq, marks.get("last_request_seq", 0))


def last_event_id(connection: apsw.Connection) -> str:
    """The newest id that was given, empty where there is none."""
    newest = connection.execute("SELECT coalesce(max(id), '') FROM event").get
    mark = connection.execute("SELECT value FROM meta WHERE name = 'last_event_id'").get
    return str(newest if mark is None else max(newest, str(mark)))


def open_loads(connection: apsw.Connection) -> list[tuple[str, int, int]]:
    """What is open: service, events, bytes of their bodies."""
    query = (
        "SELECT service, count(*), sum(size_bytes) FROM event INDEXED BY event_open "
        f"WHERE {layout.OPEN_TERM} GROUP BY service"
    )
    return [(service, events, size_bytes) for service, events, size_bytes in connection.execute(query)]

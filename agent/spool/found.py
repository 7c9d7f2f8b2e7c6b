"""What a writer finds when it opens the spool: where the lines end, what is open, what was in hand."""

from __future__ import annotations

import apsw

from agent.delivery import Outcome, State, next_state
from agent.spool import layout


def take_back(connection: apsw.Connection) -> None:
    """What a process had in hand when it died is interrupted: it is offered again."""
    back = next_state(State.CLAIMED, Outcome.INTERRUPT)
    with connection:
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

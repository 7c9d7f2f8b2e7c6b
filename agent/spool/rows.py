"""Records into rows and back. The order of the columns is said once, here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, TypeAlias

import apsw

from agent.boundaries import EventSettlement, RequestSettlement, StoredEvent, StoredRequest
from agent.delivery import OutboundRequest, State
from agent.delivery.retry import remaining_s
from agent.event import BodyKind, Event, Priority

Row: TypeAlias = "tuple[apsw.SQLiteValue, ...]"

MAX_DETAIL_CHARS: Final = 16 * 1024
"""Of a traceback the end is kept: it names the fault. 16 Ki characters are about 200 lines."""

LARGE_BYTES: Final = 3 * 1024
"""Larger bodies lie beside their row: with the rest of the row they would not fit into a page of 4096 bytes, and each
change of state would write them anew (64 KiB: 211 instead of 13 microseconds)."""

MAX_PAUSE_S: Final = 8 * 24 * 3600.0
"""What is believed of a pause on disk: the week that a policy may have, and a day of jitter."""

EVENT_COLUMNS: Final = (
    "seq, id, service, state, priority, grp, received_us, stored_us, attempt, due_us, reason, size_bytes, "
    "kind, content_type, charset, path, query, peer, body, born_us, ended_us"
)
INSERT_EVENT: Final = f"INSERT INTO event ({EVENT_COLUMNS}) VALUES ({', '.join('?' * 21)})"
INSERT_REQUEST: Final = (
    "INSERT INTO request (seq, event_seq, number, destination, grp, state, attempt, due_us, created_us, reason, "
    f"method, path, headers, content_type, body, born_us) VALUES ({', '.join('?' * 16)})"
)
INSERT_BODY: Final = {table: f"INSERT INTO {table}_body (seq, body) VALUES (?, ?)" for table in ("event", "request")}
BODY: Final = {
    table: f"iif(length({table}.body), {table}.body, "
    f"coalesce((SELECT beside.body FROM {table}_body AS beside WHERE beside.seq = {table}.seq), {table}.body))"
    for table in ("event", "request")
}
"""The body of a row, wherever it lies."""
INSERT_STEP: Final = (
    "INSERT INTO step (event_seq, n, request_seq, begun_us, ended_us, outcome, text, detail) "
    "VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM step WHERE event_seq = ?1), ?2, ?3, ?4, ?5, ?6, ?7)"
)
SELECT_STORED_EVENT: Final = (
    f"SELECT seq, state, attempt, born_us, ripe_us, id, service, received_us, peer, kind, {BODY['event']}, "
    "content_type, charset, path, query, priority, grp FROM event"
)
SELECT_STORED_REQUEST: Final = (
    "SELECT request.seq, request.state, request.attempt, request.born_us, request.ripe_us, event_seq, "
    f"event.id || '/' || number, service, request.grp, destination, {BODY['request']}, request.content_type, headers, "
    "request.path, method FROM request JOIN event ON event.seq = event_seq"
)


def event_row(
    seq: int,
    event: Event,
    *,
    state: int,
    attempt: int,
    stored_us: int,
    age_us: int,
    reason: str = "",
    ended_us: int = 0,
) -> Row:
    """The row of a new event. `stored_us` is the wall clock's time; `age_us`, `ended_us` are the clock of ages'."""
    return (
        seq,
        event.id,
        event.service,
        state,
        event.priority,
        event.group,
        event.received_us,
        stored_us,
        attempt,
        0,
        reason,
        len(event.body),
        event.kind,
        event.content_type,
        event.charset,
        event.path,
        event.query,
        event.peer,
        event.body if len(event.body) <= LARGE_BYTES else b"",
        age_us,
        ended_us,
    )


def request_row(stored: StoredRequest, *, created_us: int, age_us: int) -> Row:
    """The row of a new request. `created_us` is the wall clock's time, `age_us` that of the clock of ages."""
    request = stored.request
    return (
        stored.seq,
        stored.event_seq,
        int(stored.id.rpartition("/")[2]),
        request.destination,
        stored.group,
        stored.state,
        0,
        0,
        created_us,
        "",
        request.method,
        request.path,
        json.dumps(request.headers),
        request.content_type,
        request.body if len(request.body) <= LARGE_BYTES else b"",
        age_us,
    )


def replace_body(connection: apsw.Connection, table: str, seq: int, body: bytes) -> None:
    """Give a row of `table` another body."""
    is_large = len(body) > LARGE_BYTES
    connection.execute(f"DELETE FROM {table}_body WHERE seq = ?", (seq,))
    connection.execute(f"UPDATE {table} SET body = ? WHERE seq = ?", (b"" if is_large else body, seq))
    if is_large:
        connection.execute(INSERT_BODY[table], (seq, body))


def delete_event(connection: apsw.Connection, seq: int) -> None:
    """Delete an event with everything that hangs on it. The ledger is the caller's."""
    of_event = "SELECT seq FROM request WHERE event_seq = ?"
    connection.execute(f"DELETE FROM request_body WHERE seq IN ({of_event})", (seq,))
    for table, column in (("step", "event_seq"), ("request", "event_seq"), ("event_body", "seq"), ("event", "seq")):
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (seq,))


def step_row(event_seq: int, request_seq: int | None, settlement: EventSettlement | RequestSettlement) -> Row:
    """The row of one attempt."""
    detail = settlement.detail[-MAX_DETAIL_CHARS:] if isinstance(settlement, EventSettlement) else ""
    return (
        event_seq,
        request_seq,
        settlement.begun_us,
        settlement.ended_us,
        settlement.outcome.value,
        settlement.reason,
        detail,
    )


def stored_event(row: tuple, age_us: int) -> StoredEvent:  # type: ignore[type-arg]
    """A row of `SELECT_STORED_EVENT`, read when the clock of ages said `age_us`."""
    seq, state, attempt, born_us, ripe_us, *rest = row
    id_, service, received_us, peer, kind, body, content_type, charset, path, query, priority, group = rest
    event = Event(
        id=id_,
        service=service,
        received_us=received_us,
        peer=peer,
        kind=BodyKind(kind),
        body=body,
        content_type=content_type,
        charset=charset,
        path=path,
        query=query,
        priority=Priority(priority),
        group=group,
    )
    return StoredEvent(
        seq=seq,
        event=event,
        state=State(state),
        attempt=attempt,
        age_s=_seconds(age_us - born_us),
        left_s=remaining_s(due_us=ripe_us, now_us=age_us, max_s=MAX_PAUSE_S),
    )


def stored_request(row: tuple, age_us: int) -> StoredRequest:  # type: ignore[type-arg]
    """A row of `SELECT_STORED_REQUEST`, read when the clock of ages said `age_us`."""
    seq, state, attempt, born_us, ripe_us, event_seq, id_, service, group, *rest = row
    destination, body, content_type, headers, path, method = rest
    request = OutboundRequest(
        destination=destination,
        body=body,
        content_type=content_type,
        headers=headers_of(headers),
        path=path,
        method=method,
    )
    return StoredRequest(
        seq=seq,
        id=id_,
        event_seq=event_seq,
        service=service,
        group=group,
        request=request,
        state=State(state),
        attempt=attempt,
        age_s=_seconds(age_us - born_us),
        left_s=remaining_s(due_us=ripe_us, now_us=age_us, max_s=MAX_PAUSE_S),
    )


def new_requests(
    event_id: str,
    event: tuple[int, str, str],
    requests: Iterable[OutboundRequest],
    *,
    first_seq: int,
    first_number: int,
) -> list[StoredRequest]:
    """The requests that an attempt at an event produced, with their places; `event` is its seq, service and group."""
    event_seq, service, group = event
    return [
        StoredRequest(
            seq=first_seq + index,
            id=f"{event_id}/{first_number + index}",
            event_seq=event_seq,
            service=service,
            group=group,
            request=request,
        )
        for index, request in enumerate(requests)
    ]


def _seconds(duration_us: int) -> float:
    """Nothing was born in the future: what was salvaged may come from another spool's clock."""
    return max(0, duration_us) / 1e6


def headers_of(text: str) -> tuple[tuple[str, str], ...]:
    """The headers of a stored request."""
    return tuple((name, value) for name, value in json.loads(text))

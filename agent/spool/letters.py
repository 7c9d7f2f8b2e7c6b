"""The list of dead letters, events and requests alike, as one query."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import apsw

from agent.delivery import State
from agent.errors import ExitStatus, OperatorError
from agent.spool import rows
from agent.spool.shapes import Shape, dictionaries, event_road, iso, request

MAX_BYTES_AT_ONCE: Final = 16 * 1024 * 1024
"""Of bodies and roads in one answer, and one letter more: an answer of the control API is in memory as a whole."""

_ORDER: Final = "ORDER BY died_us DESC, seq DESC, id DESC LIMIT :limit"
"""The last to die first. Each half of the list is read in the order of its index, and no further than the page goes:
with a hundred thousand dead letters, sorting all of them for each page would take half a second."""

_EVENTS: Final = f"""
    SELECT id, 'event' AS kind, service, '' AS destination, received_us AS born_us, attempt, size_bytes, grp, priority,
        peer, reason, died_us, seq
    FROM event INDEXED BY event_died WHERE state = {State.DEAD.value}
"""
_REQUESTS: Final = f"""
    SELECT event.id || '/' || request.number AS id, 'request' AS kind, event.service AS service,
        request.destination AS destination, request.created_us AS born_us, request.attempt AS attempt,
        length({rows.BODY["request"]}) AS size_bytes, request.grp AS grp, event.priority AS priority,
        event.peer AS peer, request.reason AS reason, request.died_us AS died_us, event.seq AS seq
    FROM request INDEXED BY request_died CROSS JOIN event ON event.seq = request.event_seq
    WHERE request.state = {State.DEAD.value}
"""


_STEPS: Final = "SELECT * FROM step WHERE event_seq = ?"
_OF_REQUEST: Final = ("content_type", "method", "path", "headers", "answer", "created", "steps")


def dead_letters(
    connection: apsw.Connection,
    *,
    service: str,
    destination: str,
    since: str,
    before: str,
    match: str,
    after: str,
    bodies: bool,
    roads: bool,
    limit: int,
) -> list[Shape]:
    """See `Journal.dead_letters`."""
    conditions = ["1"]
    bindings: dict[str, apsw.SQLiteValue] = {"limit": limit}
    for name, value in (("service", service), ("destination", destination)):
        if value:
            conditions.append(f"{name} = :{name}")
            bindings[name] = value
    if since:
        conditions.append("died_us >= :since")
        bindings["since"] = moment_us(since)
    if before:
        conditions.append("died_us < :before")
        bindings["before"] = moment_us(before)
    if match:
        conditions.append("instr(lower(reason), lower(:match)) > 0")
        bindings["match"] = match
    if after:
        # The first of these says the same as the second, in a way that the index can follow.
        conditions += ["died_us <= :after_us", "(died_us, seq, id) < (:after_us, :after_seq, :after_id)"]
        bindings["after_us"], bindings["after_seq"], bindings["after_id"] = _place(after)
    # An event has no destination: where one is asked for, only requests can answer.
    halves = (_REQUESTS,) if destination else (_EVENTS, _REQUESTS)
    pages = [f"SELECT * FROM (SELECT * FROM ({half}) WHERE {' AND '.join(conditions)} {_ORDER})" for half in halves]
    found = [_letter(row) for row in connection.execute(f"{' UNION ALL '.join(pages)} {_ORDER}", bindings)]
    return _whole(connection, found, bodies=bodies, roads=roads) if bodies or roads else found


def dead_named(connection: apsw.Connection, ids: Iterable[str]) -> list[Shape]:
    """See `Journal.dead_named`."""
    found = []
    for one in ids:
        event_id, _, number = one.partition("/")
        if number:
            query = (
                "SELECT event.service, request.destination FROM event JOIN request ON request.event_seq = event.seq "
                f"WHERE event.id = ? AND request.number = ? AND request.state = {State.DEAD.value}"
            )
            row = connection.execute(query, (event_id, number)).fetchone()
        else:
            query = f"SELECT service, '' FROM event WHERE id = ? AND state = {State.DEAD.value}"
            row = connection.execute(query, (event_id,)).fetchone()
        if row is not None:
            found.append({"id": one, "service": row[0], "destination": row[1]})
    return found


def letter_body(connection: apsw.Connection, letter_id: str) -> bytes | None:
    """The whole body of a dead letter; None where there is none."""
    event_id, _, number = letter_id.partition("/")
    if not number:
        query = f"SELECT {rows.BODY['event']} FROM event WHERE id = ? AND state = {State.DEAD.value}"
        found = connection.execute(query, (event_id,)).fetchone()
    else:
        query = (
            f"SELECT {rows.BODY['request']} FROM request WHERE event_seq = (SELECT seq FROM event WHERE id = ?) "
            f"AND number = ? AND state = {State.DEAD.value}"
        )
        found = connection.execute(query, (event_id, number)).fetchone()
    return None if found is None else bytes(found[0])


def _whole(connection: apsw.Connection, letters: Sequence[Shape], *, bodies: bool, roads: bool) -> list[Shape]:
    """As many of them as their bodies and roads allow, at least one."""
    found: list[Shape] = []
    size_bytes = 0
    for letter in letters:
        whole = dict(letter)
        if bodies:
            body = letter_body(connection, letter["id"]) or b""
            whole["body_base64"] = base64.b64encode(body).decode("ascii")
            size_bytes += len(body)
        if roads:
            whole |= _told(connection, letter)
            size_bytes += sum(len(step["text"]) for step in whole["steps"])
        found.append(whole)
        if size_bytes >= MAX_BYTES_AT_ONCE:
            break
    return found


def _told(connection: apsw.Connection, letter: Shape) -> Shape:
    """What `Journal.event` tells of this letter beyond the list, but for its body."""
    seq = int(letter["place"].split(".")[1])
    if letter["kind"] == "event":
        query = "SELECT kind, content_type, charset, path, query, peer, received_us, stored_us FROM event WHERE seq = ?"
        row = dictionaries(connection, query, (seq,))[0]
        steps = dictionaries(connection, f"{_STEPS} AND request_seq IS NULL ORDER BY n", (seq,))
        return {
            **{name: row[name] for name in ("content_type", "charset", "path", "query")},
            "steps": event_road({**row, "seq": seq, "service": letter["service"]}, steps),
        }
    number = int(letter["id"].rpartition("/")[2])
    query = "SELECT *, x'' AS whole FROM request WHERE event_seq = ? AND number = ?"
    row = dictionaries(connection, query, (seq, number))[0]
    steps = dictionaries(connection, f"{_STEPS} AND request_seq = ? ORDER BY n", (seq, row["seq"]))
    told = request(letter["id"].partition("/")[0], row, steps)
    return {name: told[name] for name in _OF_REQUEST}


def _letter(row: tuple) -> Shape:  # type: ignore[type-arg]
    id_, kind, service, destination, born_us, attempt, size_bytes, group, priority, peer, reason, died_us, seq = row
    return {
        "id": id_,
        "kind": kind,
        "service": service,
        "destination": destination,
        "received": iso(born_us),
        "died": iso(died_us),
        "attempt": attempt,
        "size_bytes": size_bytes,
        "peer": peer,
        "priority": "high" if priority else "normal",
        "group": group,
        "reason": reason,
        "place": f"{died_us}.{seq}.{id_}",
    }


def _place(text: str) -> tuple[int, int, str]:
    """Of a letter in the order of the list, as `place` tells it."""
    died_us, _, rest = text.partition(".")
    seq, _, letter_id = rest.partition(".")
    try:
        return int(died_us), int(seq), letter_id
    except ValueError:
        raise OperatorError(
            "place-unknown",
            f'{text!r} is not a place in the list; expected the "place" of a letter',
            exit_status=ExitStatus.USAGE,
        ) from None


def moment_us(moment: str) -> int:
    """ISO 8601 to microseconds; without a zone it is UTC."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        raise OperatorError(
            "time-unknown",
            f"{moment!r} is not a time; expected ISO 8601 like 2026-01-31T08:00:00+01:00",
            exit_status=ExitStatus.USAGE,
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1_000_000)

"""The list of dead letters, events and requests alike, as one query."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import apsw

from agent.delivery import Outcome, State
from agent.errors import ExitStatus, OperatorError
from agent.spool import rows
from agent.spool.shapes import Shape, iso

_DIED: Final = f"(SELECT max(ended_us) FROM step WHERE {{}} AND outcome = '{Outcome.GIVE_UP.value}')"
_EVENTS: Final = f"""
    SELECT id, 'event' AS kind, service, '' AS destination, received_us AS born_us, attempt, size_bytes, grp, priority,
        peer, reason, {_DIED.format("event_seq = seq AND request_seq IS NULL")} AS died_us, seq
    FROM event INDEXED BY event_dead WHERE state = {State.DEAD.value}
"""
_REQUESTS: Final = f"""
    SELECT event.id || '/' || request.number AS id, 'request' AS kind, event.service AS service,
        request.destination AS destination, request.created_us AS born_us, request.attempt AS attempt,
        length({rows.BODY["request"]}) AS size_bytes, request.grp AS grp, event.priority AS priority,
        event.peer AS peer, request.reason AS reason,
        {_DIED.format("event_seq = event.seq AND request_seq = request.seq")} AS died_us, event.seq AS seq
    FROM request INDEXED BY request_dead JOIN event ON event.seq = request.event_seq
    WHERE request.state = {State.DEAD.value}
"""


def dead_letters(
    connection: apsw.Connection,
    *,
    service: str,
    destination: str,
    since: str,
    before: str,
    match: str,
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
        bindings["since"] = _moment_us(since)
    if before:
        conditions.append("died_us < :before")
        bindings["before"] = _moment_us(before)
    if match:
        conditions.append("instr(lower(reason), lower(:match)) > 0")
        bindings["match"] = match
    # An event has no destination: where one is asked for, only requests can answer.
    letters = _REQUESTS if destination else f"{_EVENTS} UNION ALL {_REQUESTS}"
    query = f"SELECT * FROM ({letters}) WHERE {' AND '.join(conditions)} ORDER BY died_us DESC, seq DESC, id DESC"
    return [_letter(row) for row in connection.execute(f"{query} LIMIT :limit", bindings)]


def _letter(row: tuple) -> Shape:  # type: ignore[type-arg]
    id_, kind, service, destination, born_us, attempt, size_bytes, group, priority, peer, reason, died_us, _seq = row
    return {
        "id": id_,
        "kind": kind,
        "service": service,
        "destination": destination,
        "received": iso(born_us),
        "died": iso(died_us or born_us),
        "attempt": attempt,
        "size_bytes": size_bytes,
        "peer": peer,
        "priority": "high" if priority else "normal",
        "group": group,
        "reason": reason,
    }


def _moment_us(moment: str) -> int:
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

"""Events in a list with all that there is of each: body, road, and what the sender said of it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

import apsw

from agent.spool import rows
from agent.spool.letters import MAX_BYTES_AT_ONCE
from agent.spool.shapes import Shape, dictionaries, event_road

_EVENT: Final = (
    "SELECT seq, service, peer, received_us, stored_us, kind, content_type, charset, path, query, "
    f"{rows.BODY['event']} AS body FROM event WHERE seq = ?"
)
_STEPS: Final = "SELECT * FROM step WHERE event_seq = ? AND request_seq IS NULL ORDER BY n"
_FACTS: Final = ("kind", "content_type", "charset", "path", "query")


def with_wholes(connection: apsw.Connection, found: Iterable[tuple[int, Shape]]) -> list[Shape]:
    """The summaries of the events at these places in the spool, each with `body_base64`, `steps` and what
    `Journal.event` tells; as many of them as their bodies and roads allow, at least one."""
    whole: list[Shape] = []
    size_bytes = 0
    for seq, shape in found:
        row = dictionaries(connection, _EVENT, (seq,))[0]
        steps = event_road(row, dictionaries(connection, _STEPS, (seq,)))
        body = bytes(row["body"])
        facts = {name: row[name] for name in _FACTS}
        whole.append({**shape, **facts, "steps": steps, "body_base64": base64.b64encode(body).decode("ascii")})
        size_bytes += len(body) + sum(len(step["text"]) for step in steps)
        if size_bytes >= MAX_BYTES_AT_ONCE:
            break
    return whole

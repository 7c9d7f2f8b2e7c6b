"""How long things have stood where they stand: the first to die, and the first that is still open of each line."""

from __future__ import annotations

from typing import Final

import apsw

from agent.delivery import Outcome, State
from agent.spool.layout import OPEN_TERM
from agent.spool.shapes import Shape, iso

MAX_LOOKED_AT: Final = 1000
"""Dead letters whose time of dying is read, those with the oldest places: with a hundred thousand of them, one that was
tried for days may have died before the first of these, and nobody acts upon that difference."""

_DIED: Final = f"SELECT max(ended_us) FROM step WHERE outcome = '{Outcome.GIVE_UP.value}' AND event_seq ="
_DEAD: Final = f"""
    SELECT min(died_us) FROM (
        SELECT * FROM (
            SELECT ({_DIED} event.seq AND request_seq IS NULL) AS died_us
            FROM event INDEXED BY event_dead WHERE state = {State.DEAD.value} ORDER BY seq LIMIT {MAX_LOOKED_AT}
        ) UNION ALL SELECT * FROM (
            SELECT ({_DIED} request.event_seq AND request_seq = request.seq)
            FROM request INDEXED BY request_dead WHERE state = {State.DEAD.value} ORDER BY seq LIMIT {MAX_LOOKED_AT}
        )
    )
"""
_OPEN: Final = """
    SELECT {name}, max({begun}, replayed_us) FROM {table} WHERE seq IN (
        SELECT min(seq) FROM {table} INDEXED BY {table}_open WHERE {open} GROUP BY {name}
    )
"""


def oldest(connection: apsw.Connection) -> Shape:
    """See `Journal.oldest`."""
    died_us = connection.execute(_DEAD).get
    return {
        "dead": iso(died_us) if died_us else None,
        "open": {
            "services": _open(connection, "event", "service", "stored_us"),
            "destinations": _open(connection, "request", "destination", "created_us"),
        },
    }


def _open(connection: apsw.Connection, table: str, name: str, begun: str) -> dict[str, str]:
    query = _OPEN.format(table=table, name=name, begun=begun, open=OPEN_TERM)
    return {owner: iso(since_us) for owner, since_us in connection.execute(query)}

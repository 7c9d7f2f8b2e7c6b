"""How long things have stood where they stand: the first to die, and the first that is still open of each line."""

from __future__ import annotations

from typing import Final

import apsw

from agent.delivery import State
from agent.spool.layout import OPEN_TERM
from agent.spool.shapes import Shape, iso

_DEAD: Final = f"""
    SELECT min(died_us) FROM (
        SELECT min(died_us) AS died_us FROM event INDEXED BY event_died WHERE state = {State.DEAD.value}
        UNION ALL
        SELECT min(died_us) FROM request INDEXED BY request_died WHERE state = {State.DEAD.value}
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

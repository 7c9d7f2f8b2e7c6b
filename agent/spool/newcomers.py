"""The rows of newly accepted events, several of them with one step of SQLite.

That takes a quarter less CPU than a step for each. apsw also lets go of the interpreter for each step, and has to get
it back after it from a reactor that is busy with the next events.

There are three statements, and not one for each number of events: what SQLite keeps for a long statement is tens of
KiB, and forty of them take turns in the processor's cache for more than they save.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import apsw

from agent.delivery import State
from agent.spool import rows
from agent.spool.keys import Accept

SIZES: Final = (16, 4, 1)
"""Events of a statement."""

_OWN: Final = (
    "id",
    "service",
    "priority",
    "grp",
    "received_us",
    "size_bytes",
    "kind",
    "content_type",
    "charset",
    "path",
    "query",
    "peer",
    "body",
)
"""The columns in which the events of a commit differ, beside their `seq`."""

_COMMON: Final = f"?2, ?3, {State.RECEIVED.value}, 0, 0, '', 0"
"""Of `stored_us, born_us, state, attempt, due_us, reason, ended_us`."""


def _insert(size: int) -> str:
    """For `size` events; ?1 is the `seq` of the first."""
    places = [range(start, start + len(_OWN)) for start in range(4, 4 + size * len(_OWN), len(_OWN))]
    values = [f"(?1 + {index}, {_COMMON}, {', '.join(f'?{n}' for n in own)})" for index, own in enumerate(places)]
    columns = f"seq, stored_us, born_us, state, attempt, due_us, reason, ended_us, {', '.join(_OWN)}"
    return f"INSERT INTO event ({columns}) VALUES {', '.join(values)}"


_INSERTS: Final = tuple((size, _insert(size)) for size in SIZES)


def insert(
    connection: apsw.Connection, accepts: Sequence[Accept], *, first_seq: int, stored_us: int, age_us: int
) -> None:
    """Store the events, from place `first_seq` on, in the transaction that is open. `stored_us` is the time of the wall
    clock, `age_us` that of ages."""
    at, left = 0, len(accepts)
    for size, statement in _INSERTS:
        while left >= size:
            values: list[apsw.SQLiteValue] = [first_seq + at, stored_us, age_us]
            for event, _waiting in accepts[at : at + size]:
                body = event.body
                size_bytes = len(body)
                values += (
                    event.id,
                    event.service,
                    event.priority,
                    event.group,
                    event.received_us,
                    size_bytes,
                    event.kind,
                    event.content_type,
                    event.charset,
                    event.path,
                    event.query,
                    event.peer,
                    body if size_bytes <= rows.LARGE_BYTES else b"",
                )
            connection.execute(statement, values)
            at, left = at + size, left - size
    large = [
        (seq, event.body)
        for seq, (event, _waiting) in enumerate(accepts, start=first_seq)
        if len(event.body) > rows.LARGE_BYTES
    ]
    if large:
        connection.executemany(rows.INSERT_BODY["event"], large)

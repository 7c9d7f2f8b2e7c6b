"""The rows of newly accepted events, up to 64 of them with one step of SQLite.

apsw lets go of the interpreter for each step and has to get it back after it from a reactor that is busy with the next
events: each time one of the two threads sleeps until the other wakes it. With a step for each event they spend more
time on that than SQLite on the rows. So the usual batch is one statement, a transaction by itself, which is written
and synced beside the reactor.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import apsw

from agent.delivery import State
from agent.spool import rows
from agent.spool.keys import Accept

MOST: Final = 64
"""Events of one statement. Each number of events up to it is a statement of its own, compiled once."""

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


@functools.cache
def _insert(size: int) -> str:
    """For `size` events; ?1 is the `seq` of the first."""
    places = [range(start, start + len(_OWN)) for start in range(4, 4 + size * len(_OWN), len(_OWN))]
    values = [f"(?1 + {index}, {_COMMON}, {', '.join(f'?{n}' for n in own)})" for index, own in enumerate(places)]
    columns = f"seq, stored_us, born_us, state, attempt, due_us, reason, ended_us, {', '.join(_OWN)}"
    return f"INSERT INTO event ({columns}) VALUES {', '.join(values)}"


def are_one_step(accepts: Sequence[Accept]) -> bool:
    """Whether `insert` stores them with one statement, and nothing has to be looked up before."""
    return 0 < len(accepts) <= MOST and not any(
        event.idempotency_key or len(event.body) > rows.LARGE_BYTES for event, _waiting in accepts
    )


def insert(
    connection: apsw.Connection, accepts: Sequence[Accept], *, first_seq: int, stored_us: int, age_us: int
) -> None:
    """Store the events, from place `first_seq` on. `stored_us` is the time of the wall clock, `age_us` that of ages."""
    for start in range(0, len(accepts), MOST):
        some = accepts[start : start + MOST]
        values: list[apsw.SQLiteValue] = [first_seq + start, stored_us, age_us]
        for event, _waiting in some:
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
        connection.execute(_insert(len(some)), values)
    large = [
        (seq, event.body)
        for seq, (event, _waiting) in enumerate(accepts, start=first_seq)
        if len(event.body) > rows.LARGE_BYTES
    ]
    if large:
        connection.executemany(rows.INSERT_BODY["event"], large)

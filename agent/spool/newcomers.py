"""The rows of newly accepted events, as many as can be with one step of SQLite.

apsw lets go of the interpreter for each step, and has to get it back after it from a reactor that may be busy with the
next events: what is waited for there is more than the step takes. So there is a statement for each number of events up
to `MAX_TOGETHER`, which is a commit of its own where nothing else belongs to it. What SQLite keeps for them, 1.5 KiB an
event, comes to 5 MiB once all of them were used.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import apsw

from agent.delivery import State
from agent.spool import rows
from agent.spool.keys import Accept

MAX_TOGETHER: Final = 64
"""Events of one statement. apsw keeps no statement whose text is longer than 16 KiB; this one has 7."""

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


@cache
def _insert(size: int) -> str:
    """For `size` events; ?1 is the `seq` of the first."""
    places = [range(start, start + len(_OWN)) for start in range(4, 4 + size * len(_OWN), len(_OWN))]
    values = [f"(?1 + {index}, {_COMMON}, {', '.join(f'?{n}' for n in own)})" for index, own in enumerate(places)]
    columns = f"seq, stored_us, born_us, state, attempt, due_us, reason, ended_us, {', '.join(_OWN)}"
    return f"INSERT INTO event ({columns}) VALUES {', '.join(values)}"


def is_one_step(accepts: Sequence[Accept]) -> bool:
    """Whether `insert` stores these, and nothing else, with one statement: it needs no transaction around it."""
    return len(accepts) <= MAX_TOGETHER and not any(len(event.body) > rows.LARGE_BYTES for event, _waiting in accepts)


def insert(
    connection: apsw.Connection, accepts: Sequence[Accept], *, first_seq: int, stored_us: int, age_us: int
) -> None:
    """Store the events, from place `first_seq` on. `stored_us` is the time of the wall clock, `age_us` that of ages."""
    large = []
    for start in range(0, len(accepts), MAX_TOGETHER):
        piece = accepts[start : start + MAX_TOGETHER]
        values: list[apsw.SQLiteValue] = [first_seq + start, stored_us, age_us]
        for index, (event, _waiting) in enumerate(piece, start=first_seq + start):
            body = event.body
            size_bytes = len(body)
            if size_bytes > rows.LARGE_BYTES:
                large.append((index, body))
                body = b""
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
                body,
            )
        connection.execute(_insert(len(piece)), values)
    if large:
        connection.executemany(rows.INSERT_BODY["event"], large)

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
from agent.event import Event
from agent.spool import rows
from agent.spool.keys import Accept

MAX_TOGETHER: Final = 64
"""Events of one statement. apsw keeps no statement whose text is longer than 16 KiB; this one has 7."""

_COLUMNS: Final = {"group": "grp"}
"""Of fields whose column has another name."""

_NOT_HERE: Final = "idempotency_key"
"""Remembered in a table of its own, by `keys`."""

_COMMON_PLACES: Final = 3
_PLACES: Final = len(Event._fields) + 1
"""Of an event's own values: its fields, in their order, and the size of its body."""

_COMMON: Final = f"?2, ?3, {State.RECEIVED.value}, 0, 0, '', 0"
"""Of `stored_us, born_us, state, attempt, due_us, reason, ended_us`."""


@cache
def _insert(size: int) -> str:
    """For `size` events; ?1 is the `seq` of the first."""
    own = [
        (at, _COLUMNS.get(name, name)) for at, name in enumerate((*Event._fields, "size_bytes")) if name != _NOT_HERE
    ]
    values = []
    for index in range(size):
        first = _COMMON_PLACES + 1 + index * _PLACES
        values.append(f"(?1 + {index}, {_COMMON}, {', '.join(f'?{first + at}' for at, _ in own)})")
    columns = f"seq, stored_us, born_us, state, attempt, due_us, reason, ended_us, {', '.join(name for _, name in own)}"
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
        for seq, (event, _waiting) in enumerate(piece, start=first_seq + start):
            size_bytes = len(event.body)
            if size_bytes > rows.LARGE_BYTES:
                large.append((seq, event.body))
                event = event._replace(body=b"")
            # The whole tuple in one go: taking thirteen fields by their names is half of the Python here.
            values += event
            values.append(size_bytes)
        connection.execute(_insert(len(piece)), values)
    if large:
        connection.executemany(rows.INSERT_BODY["event"], large)

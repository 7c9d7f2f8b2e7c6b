"""What became of the requests of events, for a list: an event is done although what it produced may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw

from agent.delivery import OPEN_STATES, State

AT_ONCE: Final = 500
"""Bindings of one query; SQLite takes 32,766."""


def deliveries(connection: apsw.Connection, seqs: Sequence[int]) -> dict[int, dict[str, Any]]:
    """For each of these events: how many of its requests are open, done and dead, and why the first dead one is.

    `{"requests_open": 0, "requests_done": 1, "requests_dead": 1, "lost": "request 2 to x: connection refused"}`
    """
    found: dict[int, dict[str, Any]] = {
        seq: {"requests_open": 0, "requests_done": 0, "requests_dead": 0, "lost": ""} for seq in seqs
    }
    for begin in range(0, len(seqs), AT_ONCE):
        some = seqs[begin : begin + AT_ONCE]
        # SQLite takes the other columns from the row that has the minimum.
        query = (
            "SELECT event_seq, state, count(*), min(number), destination, reason FROM request "
            f"WHERE event_seq IN ({', '.join('?' * len(some))}) GROUP BY event_seq, state"
        )
        for seq, number, count, first, destination, reason in connection.execute(query, some):
            state = State(number)
            name = "open" if state in OPEN_STATES else state.label
            found[seq][f"requests_{name}"] = found[seq].get(f"requests_{name}", 0) + count
            if state is State.DEAD:
                found[seq]["lost"] = f"request {first} to {destination}: {reason}"
    return found

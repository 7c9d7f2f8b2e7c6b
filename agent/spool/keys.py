"""Senders' own names for their events: the same key for the same service is the same event, for a while.

The look-up is part of the transaction that stores the event, so that two senders with one key, or a sender that was cut
off before it heard the answer, get one event whatever happens in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import apsw

from agent.boundaries import Waiting
from agent.event import Event

Accept: TypeAlias = "tuple[Event, Waiting]"
Repeat: TypeAlias = "tuple[Event, Waiting, str]"

_FIND: Final = "SELECT event_id, stored_us FROM idempotency WHERE service = ? AND key = ?"
_KEEP: Final = "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?)"


def sort_out(
    connection: apsw.Connection, accepts: Sequence[Accept], *, age_us: int, window_us: int
) -> tuple[list[Accept], list[Repeat]]:
    """Part newcomers from repeats, and remember the keys of the newcomers.

    A repeat comes with the id of the event that it repeats. `age_us` is the time by which keys grow old; a key that
    seems to come from the future was stored before the clock was put back, and counts as fresh.
    """
    fresh: list[Accept] = []
    repeats: list[Repeat] = []
    for accept in accepts:
        event, waiting = accept
        if event.idempotency_key:
            name = (event.service, event.idempotency_key)
            found: tuple[str, int] | None = connection.execute(_FIND, name).fetchone()
            if found is not None and age_us - found[1] < window_us:
                repeats.append((event, waiting, found[0]))
                continue
            connection.execute(_KEEP, (*name, event.id, age_us))
        fresh.append(accept)
    return fresh, repeats

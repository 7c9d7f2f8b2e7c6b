"""What deduplication filters have counted: written in the transaction that settles the event, read at a start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import apsw

from agent.boundaries import Remembered

_KEEP: Final = "INSERT OR REPLACE INTO dedup (service, filter, key, boot_id, at_us, wall_us) VALUES (?, ?, ?, ?, ?, ?)"
_DROP: Final = "DELETE FROM dedup WHERE service = ? AND filter = ? AND key = ?"
_READ: Final = "SELECT filter, key, boot_id, at_us, wall_us FROM dedup WHERE service = ? ORDER BY n"


def keep(connection: apsw.Connection, service: str, remembered: Iterable[Remembered]) -> None:
    """Write what was counted, and delete what was forgotten for it."""
    for one in remembered:
        connection.executemany(_DROP, [(service, one.filter, key) for key in one.forgotten])
        connection.execute(_KEEP, (service, one.filter, one.key, one.boot_id, one.at_us, one.wall_us))


def read(connection: apsw.Connection, service: str) -> list[Remembered]:
    """Return what the filters of a service remember, in the order in which it was counted."""
    return [
        Remembered(filter=filter_, key=key, boot_id=boot_id, at_us=at_us, wall_us=wall_us)
        for filter_, key, boot_id, at_us, wall_us in connection.execute(_READ, (service,))
    ]

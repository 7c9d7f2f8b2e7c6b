"""Reading back open work, over a connection of its own that cannot write. Runs in the reader's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import apsw

from agent.boundaries import Remembered, StoredEvent, StoredRequest
from agent.spool import layout, recall, rows
from agent.spool.watch import oldest_open

Stored = TypeVar("Stored")

MAX_READ_BYTES: Final = 8 * 1024 * 1024
"""Bodies in one answer, at least one event. Limits on events alone would let a few hundred large ones fill memory."""


class OpenWork:
    """What is still to be done, in order of seq. The connection is opened at the first use."""

    def __init__(self, *, folder: Path, age_us: Callable[[], int]) -> None:
        """`age_us` is the clock of ages."""
        self._age_us = age_us
        self._path = folder / layout.FILE_NAME
        self._connection: apsw.Connection | None = None

    def events(
        self,
        service: str,
        *,
        after_seq: int,
        limit: int,
        priority: int | None,
        group: str | None,
        except_groups: Sequence[str],
    ) -> list[StoredEvent]:
        """See `Spool.open_events`."""
        narrowing = _Narrowing("service = ?", service)
        if priority is not None:
            narrowing.add("priority = ?", int(priority))
        narrowing.add("seq > ?", after_seq)
        narrowing.add_groups(group, except_groups)
        # The index alone says which; only those rows are looked at.
        query = f"{rows.SELECT_STORED_EVENT} WHERE seq IN ({narrowing.choose('event', limit)}) ORDER BY seq"
        return self._some(query, narrowing.bindings, rows.stored_event, lambda stored: len(stored.event.body))

    def requests(
        self, destination: str, *, after_seq: int, limit: int, group: str | None, except_groups: Sequence[str]
    ) -> list[StoredRequest]:
        """See `Spool.open_requests`."""
        narrowing = _Narrowing("destination = ?", destination)
        narrowing.add("seq > ?", after_seq)
        narrowing.add_groups(group, except_groups)
        chosen = narrowing.choose("request", limit)
        query = f"{rows.SELECT_STORED_REQUEST} WHERE request.seq IN ({chosen}) ORDER BY request.seq"
        return self._some(query, narrowing.bindings, rows.stored_request, lambda stored: len(stored.request.body))

    def destinations(self) -> dict[str, int]:
        """See `Spool.open_destinations`."""
        query = f"SELECT destination, count(*) FROM request WHERE {layout.OPEN_TERM} GROUP BY destination"
        return {str(name): int(str(count)) for name, count in self._connect().execute(query)}

    def remembered(self, service: str) -> list[Remembered]:
        """See `Spool.remembered`."""
        return recall.read(self._connect(), service)

    def oldest(self) -> dict[str, int]:
        """Since when the oldest open event of each service has waited, by the clock of ages."""
        return oldest_open(self._connect())

    def _some(
        self,
        query: str,
        bindings: Sequence[apsw.SQLiteValue],
        make: Callable[[tuple, int], Stored],  # type: ignore[type-arg]
        size_of: Callable[[Stored], int],
    ) -> list[Stored]:
        """Rows until the bytes are enough."""
        found: list[Stored] = []
        size_bytes, age_us = 0, self._age_us()
        for row in self._connect().execute(query, bindings):
            stored = make(row, age_us)
            found.append(stored)
            size_bytes += size_of(stored)
            if size_bytes >= MAX_READ_BYTES:
                break
        return found

    def close(self) -> None:
        """Close the connection; it is opened again when it is needed."""
        if self._connection is not None:
            self._connection.close(force=True)
            self._connection = None

    def _connect(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = layout.open_for_reading(self._path)
        return self._connection


class _Narrowing:
    """Conditions on open work, and their bindings, in an order that the indexes can follow."""

    def __init__(self, condition: str, binding: apsw.SQLiteValue) -> None:
        self._conditions = [layout.OPEN_TERM]
        self.bindings: list[apsw.SQLiteValue] = []
        self.add(condition, binding)

    def add(self, condition: str, *bindings: apsw.SQLiteValue) -> None:
        self._conditions.append(condition)
        self.bindings += bindings

    def add_groups(self, group: str | None, except_groups: Sequence[str]) -> None:
        if group is not None:
            self.add("grp = ?", group)
        elif except_groups:
            self.add(f"grp NOT IN ({', '.join('?' * len(except_groups))})", *except_groups)

    def choose(self, table: str, limit: int) -> str:
        return f"SELECT seq FROM {table} WHERE {' AND '.join(self._conditions)} ORDER BY seq LIMIT {int(limit)}"

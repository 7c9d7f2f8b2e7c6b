"""Reading back open work, over a connection of its own that cannot write. Runs in the reader's thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from agent.boundaries import StoredEvent, StoredRequest
from agent.spool import layout, rows

MAX_READ_BYTES: Final = 8 * 1024 * 1024
"""Bodies in one answer, at least one event. Limits on events alone would let a few hundred large ones fill memory."""


class OpenWork:
    """What is still to be done, in order of seq. The connection is opened at the first use."""

    def __init__(self, *, folder: Path) -> None:
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
        conditions = [layout.OPEN_TERM, "service = ?"]
        bindings: list[apsw.SQLiteValue] = [service]
        if priority is not None:
            conditions.append("priority = ?")
            bindings.append(int(priority))
        conditions.append("seq > ?")
        bindings.append(after_seq)
        if group is not None:
            conditions.append("grp = ?")
            bindings.append(group)
        elif except_groups:
            conditions.append(f"grp NOT IN ({', '.join('?' * len(except_groups))})")
            bindings += except_groups
        # The index alone says which; only those rows are looked at. Without a priority the two halves are merged.
        chosen = f"SELECT seq FROM event WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT {int(limit)}"
        query = f"{rows.SELECT_STORED_EVENT} WHERE seq IN ({chosen}) ORDER BY seq"
        found: list[StoredEvent] = []
        size_bytes = 0
        for row in self._connect().execute(query, bindings):
            stored = rows.stored_event(row)
            found.append(stored)
            size_bytes += len(stored.event.body)
            if size_bytes >= MAX_READ_BYTES:
                break
        return found

    def requests(self, destination: str, *, after_seq: int, limit: int) -> list[StoredRequest]:
        """See `Spool.open_requests`."""
        query = (
            f"{rows.SELECT_STORED_REQUEST} WHERE request.{layout.OPEN_TERM} AND destination = ? AND request.seq > ? "
            f"ORDER BY request.seq LIMIT {int(limit)}"
        )
        found: list[StoredRequest] = []
        size_bytes = 0
        for row in self._connect().execute(query, (destination, after_seq)):
            stored = rows.stored_request(row)
            found.append(stored)
            size_bytes += len(stored.request.body)
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

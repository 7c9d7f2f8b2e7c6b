"""What one transaction gives away and counts: places in the lines, ends, places that are free again."""

from __future__ import annotations

from collections import Counter
from typing import Final

import apsw
import attrs

from agent.boundaries import StoredEvent, StoredRequest
from agent.delivery import OPEN_STATES, State

_ADD_TALLY: Final = (
    "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (kind, name, state) DO UPDATE SET count = count + excluded.count"
)
_ADD_META: Final = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
_RAISE_META: Final = (
    "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
)


BYTES_BESIDE_BODY: Final = 1024
"""What an event takes beside its body, about: its row, its places in the indexes, its step."""


@attrs.define(kw_only=True)
class Ledger:
    """Of one transaction. `event_seq` and `request_seq` are the newest places given; `last_event_id` the newest id.

    `freed_events` and `freed_requests` count places that no row has any more, because it was deleted or was given a new
    place. With them `rows + freed = newest place` holds at any time, and where it does not, something was lost.
    """

    event_seq: int
    request_seq: int
    last_event_id: str = ""
    freed_events: int = 0
    freed_requests: int = 0
    requests: list[StoredRequest] = attrs.field(factory=list)
    """New in the line of their destination, in order."""
    replayed: list[StoredEvent] = attrs.field(factory=list)
    """New in the line of their service, in order."""
    opened: dict[str, list[int]] = attrs.field(factory=dict)
    """By service: how many events more are open than before, and how many bytes of bodies."""
    done_bytes: int = 0
    """What is kept of done and suppressed events, more or less than before; about."""
    ended: Counter[tuple[str, str, State]] = attrs.field(factory=Counter)

    def take_event_seq(self) -> int:
        """The next place in the line of events."""
        self.event_seq += 1
        return self.event_seq

    def take_request_seq(self) -> int:
        """The next place in the line of requests."""
        self.request_seq += 1
        return self.request_seq

    def count(self, kind: str, name: str, state: State, by: int = 1) -> None:
        """An event or a request came to an end, or (by -1) left it. `kind` is the table."""
        if state not in OPEN_STATES:
            self.ended[kind, name, state] += by

    def end(self, state: State, size_bytes: int) -> None:
        """An event with a body of this size came to an end."""
        if state in (State.DONE, State.SUPPRESSED):
            self.done_bytes += size_bytes + BYTES_BESIDE_BODY

    def open_more(self, service: str, events: int, size_bytes: int) -> None:
        """So many events more, or less, are open."""
        load = self.opened.setdefault(service, [0, 0])
        load[0] += events
        load[1] += size_bytes

    def write(self, connection: apsw.Connection) -> None:
        """Write the counts, to be called last in the transaction."""
        ended = [(kind, name, state, count) for (kind, name, state), count in self.ended.items() if count]
        if ended:
            connection.executemany(_ADD_TALLY, ended)
        if self.done_bytes:
            connection.execute(_ADD_META, ("done_bytes", self.done_bytes))
        if self.freed_events or self.freed_requests:
            # The newest rows may be among the freed ones: their places and ids are never given again.
            freed = {"freed_event_seqs": self.freed_events, "freed_request_seqs": self.freed_requests}
            connection.executemany(_ADD_META, freed.items())
            marks = {
                "last_event_seq": self.event_seq,
                "last_request_seq": self.request_seq,
                "last_event_id": self.last_event_id,
            }
            connection.executemany(_RAISE_META, marks.items())

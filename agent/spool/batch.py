"""What goes to the writer and what comes back: batches of offers and changes, and the report of what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import count, repeat
from typing import Final

import apsw
import attrs

from agent.boundaries import EventSettlement, RequestSettlement, StoredEvent, StoredRequest, Waiting
from agent.event import Event
from agent.spool.changes import Answered
from agent.spool.claims import Claim
from agent.spool.keys import Accept, Repeat
from agent.spool.mending import Mend, Mended
from agent.spool.retention import Retire, Retired

FAULTS_OF_ONE: Final = (
    apsw.ConstraintError,
    apsw.TooBigError,
    apsw.MismatchError,
    UnicodeError,
    TypeError,
    ValueError,
    OverflowError,
)
"""Errors that come from what is stored and not from the disk: only the order that caused it is refused."""

UNTRIED: Final = tuple(StoredEvent._field_defaults.values())
"""What `StoredEvent` says of an event that has never been begun."""
NEWLY_STORED: Final = partial(tuple.__new__, StoredEvent)
"""Made of all its fields: two thirds of what `StoredEvent(...)` costs, which is a function in Python."""


@attrs.define(kw_only=True, eq=False)
class Change:
    """A settlement, or an operator's change, on its way. `token` is the caller's, carried through untouched.

    `result` and `retired` are set when the change was made: what became of an operator's change, or of a step of
    retention.
    """

    what: EventSettlement | RequestSettlement | Answered | Claim | Mend | Retire
    token: object = None
    result: Mended | None = None
    retired: Retired = attrs.field(factory=Retired)


@attrs.define(kw_only=True, eq=False)
class Batch:
    """What is to be committed together. An event is stored before the changes of its batch are made."""

    accepts: list[Accept] = attrs.field(factory=list)
    changes: list[Change] = attrs.field(factory=list)
    size_bytes: int = 0


@attrs.define(kw_only=True)
class Report:
    """What became of a batch. `accepts` got the seqs from `first_seq` on, in order; `repeats` are known already."""

    first_seq: int = 0
    accepts: Sequence[Accept] = ()
    repeats: Sequence[Repeat] = ()
    replayed: list[StoredEvent] = attrs.field(factory=list)
    requests: list[StoredRequest] = attrs.field(factory=list)
    changes: list[Change] = attrs.field(factory=list)
    opened: dict[str, list[int]] = attrs.field(factory=dict)
    """By service: how many events more are open through changes, and how many bytes; accepts are not counted here."""
    refused: list[tuple[Event, Waiting, Exception]] = attrs.field(factory=list)
    failed: list[tuple[Change, Exception]] = attrs.field(factory=list)

    def add(self, other: Report) -> None:
        """Take over what became of the batch that followed this one."""
        self.accepts = [*self.accepts, *other.accepts]
        self.repeats = [*self.repeats, *other.repeats]
        self.requests += other.requests
        self.replayed += other.replayed
        self.changes += other.changes
        for service, (events, size_bytes) in other.opened.items():
            load = self.opened.setdefault(service, [0, 0])
            load[0] += events
            load[1] += size_bytes
        self.refused += other.refused
        self.failed += other.failed

    def refuse(self, batch: Batch, error: Exception) -> None:
        """Nothing of `batch` was stored; changes that were impossible in any case stay so."""
        self.accepts, self.repeats, self.requests, self.replayed, self.changes = (), (), [], [], []
        self.opened = {}
        self.refused = [(event, waiting, error) for event, waiting in batch.accepts]
        impossible = {change for change, _ in self.failed}
        self.failed += [(change, error) for change in batch.changes if change not in impossible]


def announced(report: Report) -> list[StoredEvent]:
    """What a report puts into the lines of the services, in order, as listeners are told it."""
    events = [event for event, _waiting in report.accepts]
    fields = zip(count(report.first_seq), events, *map(repeat, UNTRIED))
    return [*map(NEWLY_STORED, fields), *report.replayed]

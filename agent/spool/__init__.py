"""The durable queue: events and requests in one SQLite database, from the 2xx answer to their end.

* `SqliteSpool` is the part that the others see: an `EventSink` and a `Spool`, all of it in the reactor thread. `intake`
  collects what one turn of the reactor brings, `gathering` what is settled within milliseconds, and `telling` passes on
  what became of it.
* `thread` carries batches (`batch`) to the one thread that writes, and the results back.
* `writer` is that thread's work, without the thread: one transaction, its failures, the checkpoint. `newcomers` are the
  rows of accepted events, `changes` settlements, `mending` what an operator does to dead letters, `ledger` what a
  transaction gives away and counts, `keys` the senders' own names for their events, `claims` what takes longer than a
  moment. `steady` is the clock of ages.
* `room` says whether there is room for an event; `lookout` looks at the disk every few seconds (`watch`: what it sees)
  and keeps the `reserve`, a file that is given up when the disk is full.
* `layout` is what is on disk: files, tables, indexes, format version; `rows` turns records into rows and back.
* `reader` reads back open work; `journal` is the read-only look for people, from any process, `letters` its list of
  dead letters, `shapes` what it shows.
* `retention` deletes what is over, `sweep` has it do so step by step.
* `rescue` looks at the spool before it is opened, `recheck` at its pages behind the start if that may wait; `doubt`
  notes that damage was met. `quarantine` is where a damaged spool goes, `salvage` reads what can be read of it,
  `frames` what its log holds behind a fault; `mark` notes outside the database how far it has come.
* `orders` takes an operator's orders, `offline` does so while no agent runs.

docs/spool.rst says what is promised; docs/decisions/0003 and 0004 say why it is built like this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.spool.spool import SqliteSpool

__all__ = ["SqliteSpool"]


def __getattr__(name: str) -> object:
    """Import `SqliteSpool` when it is asked for: `iadmin` reads the journal and must not wait for Twisted."""
    if name == "SqliteSpool":
        from agent.spool.spool import SqliteSpool

        return SqliteSpool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

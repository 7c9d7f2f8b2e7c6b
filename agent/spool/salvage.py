"""Reads what can be read of a damaged spool into a sound one.

Every row is asked for by its place: a damaged page costs the rows on it, and not those behind it. Ranges that cannot be
read are halved until the row is found that cannot. Events keep their places, ids and states.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import attrs

from agent.spool import layout, rows
from agent.spool.ledger import BYTES_BESIDE_BODY
from agent.spool.mark import Mark

RANGE: Final = 4096
"""Places that are asked for at a time while all goes well."""

PAGE_BYTES: Final = 4096
"""SQLite's default, and what a spool has."""

_TABLES: Final = (
    ("event", "seq"),
    ("event_body", "seq"),
    ("request", "seq"),
    ("request_body", "seq"),
    ("step", "event_seq"),
)
"""With the column that says the place."""

_WHOLE: Final = ("idempotency", "dedup")
"""Taken as far as they can be read in one go: losing one of these rows costs a double at most."""

_READ_FAULTS: Final = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.SQLError)


@attrs.define(kw_only=True)
class Salvaged:
    """What was saved; `lost_events` counts the places that could not be read or had lost their body."""

    events: int = 0
    open_events: int = 0
    requests: int = 0
    lost_events: int = 0


def salvage(source: Path, target: apsw.Connection, *, newest: Mark) -> Salvaged:
    """Copy the rows of `source` into `target`, an empty spool of this format. `newest`: as far as places were given.

    Raises `apsw.Error` only for faults of `target`.
    """
    saved = Salvaged()
    last_seq = 0
    with target:
        try:
            connection = _open(source)
        except (apsw.Error, OSError):
            connection = None
        if connection is not None:
            try:
                last_seq = _copy_all(connection, target, newest)
            finally:
                connection.close(force=True)
        _tidy(target)
        newest_seq = max(newest.event_seq, last_seq)
        _keep_books(target, newest, newest_seq)
    saved.events = _number(target, "SELECT count(*) FROM event")
    saved.open_events = _number(target, f"SELECT count(*) FROM event WHERE {layout.OPEN_TERM}")
    saved.requests = _number(target, "SELECT count(*) FROM request")
    saved.lost_events = max(newest_seq - saved.events - _freed(source), 0)
    return saved


def _copy_all(source: apsw.Connection, target: apsw.Connection, newest: Mark) -> int:
    """Returns the highest place of an event that was met."""
    highest = 0
    for table, place in _TABLES:
        columns = _columns(source, target, table)
        if not columns:
            continue
        last = _last(source, table, place, newest.event_seq if table in ("event", "step") else newest.request_seq)
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        query = f"SELECT {names} FROM {table} NOT INDEXED WHERE {place} BETWEEN ? AND ?"
        insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"
        for found in _ranges(source, query, 1, last):
            for row in found:
                _put(target, insert, row)
        if table == "event":
            highest = last
    for table in _WHOLE:
        columns = _columns(source, target, table)
        if not columns:
            continue
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        try:
            for row in source.execute(f"SELECT {names} FROM {table}"):
                _put(target, f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row)
        except _READ_FAULTS:
            continue
    # The stamps of the rows are those of this clock.
    with contextlib.suppress(*_READ_FAULTS):
        for row in source.execute("SELECT name, value FROM meta WHERE name LIKE 'clock_%'"):
            target.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)
    return min(highest, _number(target, "SELECT coalesce(max(seq), 0) FROM event"))


def _ranges(source: apsw.Connection, query: str, first: int, last: int) -> Iterator[list[tuple]]:  # type: ignore[type-arg]
    """Rows of places `first` to `last`, range by range; what cannot be read is halved, and left out at last."""
    waiting = [(start, min(start + RANGE - 1, last)) for start in range(first, last + 1, RANGE)]
    waiting.reverse()
    while waiting:
        start, end = waiting.pop()
        try:
            yield source.execute(query, (start, end)).fetchall()
        except _READ_FAULTS:
            if start < end:
                middle = (start + end) // 2
                waiting += [(middle + 1, end), (start, middle)]


def _last(source: apsw.Connection, table: str, place: str, known: int) -> int:
    """The highest place, as well as it can be told."""
    for query in (f"SELECT max({place}) FROM {table}", f"SELECT {place} FROM {table} ORDER BY {place} DESC LIMIT 1"):
        try:
            return max(known, _number(source, query))
        except _READ_FAULTS:
            continue
    return known


def _columns(source: apsw.Connection, target: apsw.Connection, table: str) -> list[str]:
    """Those that both have: an older spool has fewer."""
    try:
        there = {name for _, name, *_ in source.execute(f"PRAGMA table_info({table})")}
    except _READ_FAULTS:
        return []
    return [str(name) for _, name, *_ in target.execute(f"PRAGMA table_info({table})") if name in there]


def _put(target: apsw.Connection, insert: str, row: tuple) -> None:  # type: ignore[type-arg]
    """A row that breaks a rule of the tables was hurt as well."""
    try:
        target.execute(insert, row)
    except (apsw.ConstraintError, apsw.MismatchError):
        return


def _tidy(target: apsw.Connection) -> None:
    """Nothing half: an event without its body must not be processed, a request without its event cannot be sent."""
    for statement in (
        f"DELETE FROM event WHERE size_bytes != length({rows.BODY['event']})",
        "DELETE FROM event WHERE state NOT BETWEEN 0 AND 5",
        "DELETE FROM event_body WHERE seq NOT IN (SELECT seq FROM event)",
        "DELETE FROM request WHERE event_seq NOT IN (SELECT seq FROM event) OR state NOT BETWEEN 0 AND 5",
        "DELETE FROM request_body WHERE seq NOT IN (SELECT seq FROM request)",
        "DELETE FROM step WHERE event_seq NOT IN (SELECT seq FROM event)",
        # A name whose event is gone would have the sender told that it is stored. A double harms less.
        "DELETE FROM idempotency WHERE event_id NOT IN (SELECT id FROM event)",
        layout.AGES_FROM_STAMPS,
        layout.DEATHS_FROM_STEPS,
    ):
        target.execute(statement)


def _keep_books(target: apsw.Connection, newest: Mark, newest_seq: int) -> None:
    target.execute(
        "INSERT INTO tally SELECT 'event', service, state, count(*) FROM event WHERE state > 2 GROUP BY 2, 3 "
        "UNION ALL SELECT 'request', destination, state, count(*) FROM request WHERE state > 2 GROUP BY 2, 3"
    )
    events = _number(target, "SELECT count(*) FROM event")
    requests = _number(target, "SELECT count(*) FROM request")
    last_request = max(newest.request_seq, _number(target, "SELECT max(seq) FROM request"))
    newest_id: str = target.execute("SELECT coalesce(max(id), '') FROM event").get
    last_id = max(newest.event_id, newest_id)
    marks = {
        "last_event_seq": newest_seq,
        "last_request_seq": last_request,
        "last_event_id": last_id,
        "freed_event_seqs": newest_seq - events,
        "freed_request_seqs": last_request - requests,
        "done_bytes": _number(target, f"SELECT sum(size_bytes + {BYTES_BESIDE_BODY}) FROM event WHERE state IN (3, 5)"),
    }
    target.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks.items())


def _freed(source: Path) -> int:
    """Places that were free before the damage, where that can still be read."""
    try:
        connection = _open(source)
        try:
            return _number(connection, "SELECT value FROM meta WHERE name = 'freed_event_seqs'")
        finally:
            connection.close(force=True)
    except (apsw.Error, OSError):
        return 0


def _open(source: Path) -> apsw.Connection:
    """Open a damaged database as a reader; raises `apsw.Error` and `OSError` for what is none."""
    if layout.is_empty_beside_its_log(source):
        # Page 1 is in the log, and where a first page is, even one of nothing, SQLite reads it from there.
        source.touch(0o600)
        os.truncate(source, PAGE_BYTES)
    connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    # SQLite refuses a file that is shorter than its header says, except to those who say that they repair it.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _number(connection: apsw.Connection, query: str) -> int:
    found: int | None = connection.execute(query).get
    return found or 0

"""What is on disk: the files, the tables, the format version, and how connections are opened.

The folder (0700) holds `spool.db` (0600) and, while it is open, `spool.db-wal` and `spool.db-shm`, which SQLite makes
with the permissions of the database. All three belong together: copy them together or use `iadmin`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import apsw

from agent.delivery import OPEN_STATES, Outcome, State
from agent.errors import ExitStatus, MachineError, OperatorError

FILE_NAME: Final = "spool.db"
APPLICATION_ID: Final = int.from_bytes(b"iasp")
"""In the header of the file (bytes 68 to 71): tells a spool from any other SQLite database."""

BUSY_TIMEOUT_MS: Final = 2000
"""Only a checkpoint that starts the log anew waits for readers, and their reads are short."""

STATEMENTS: Final = 200
"""That the writer keeps ready: one for each number of newcomers (`newcomers.MAX_TOGETHER`), and some forty others."""

_OPEN: Final = f"state IN ({', '.join(str(state.value) for state in sorted(OPEN_STATES))})"
OPEN_TERM: Final = _OPEN
"""The condition of the partial indexes. A query uses them only when it says the very same thing."""

EDIT: Final = "edit"
PURGE: Final = "purge"
"""Steps that change no state, beside the outcomes of `agent.delivery.life`."""

AGES_FROM_STAMPS: Final = f"""
    UPDATE event SET born_us = max(stored_us, replayed_us), ripe_us = due_us, ended_us = iif({_OPEN}, 0,
        max(stored_us, coalesce((SELECT max(step.ended_us) FROM step WHERE event_seq = event.seq), 0)))
        WHERE born_us = 0;
    UPDATE request SET born_us = max(created_us, replayed_us), ripe_us = due_us WHERE born_us = 0;
"""
"""Rows of formats before 7 have the wall clock's times only: these become the first ones of the clock of ages."""

DEATHS_FROM_STEPS: Final = f"""
    UPDATE event SET died_us = max(1, received_us, coalesce((SELECT max(step.ended_us) FROM step
        WHERE event_seq = event.seq AND request_seq IS NULL AND outcome = '{Outcome.GIVE_UP.value}'), 0))
        WHERE state = {State.DEAD.value} AND died_us = 0;
    UPDATE request SET died_us = max(1, created_us, coalesce((SELECT max(step.ended_us) FROM step
        WHERE event_seq = request.event_seq AND request_seq = request.seq AND outcome = '{Outcome.GIVE_UP.value}'), 0))
        WHERE state = {State.DEAD.value} AND died_us = 0;
"""
"""Rows of formats before 8 do not say when they were given up; their steps do."""

MIGRATIONS: Final[tuple[str, ...]] = (
    # 0 -> 1: the first format.
    #
    # event: `body` stands last, so that lists do not read over it. `seq` is given by the writer and has no gaps but
    # those that `meta` counts as freed: any other one missing is a lost one. In `event_open`, `grp` and `state` make
    # the index answer counts and refills without looking at the rows; the other indexes are for what people ask for.
    # None of them grows with what is done.
    #
    # step: one row for each attempt at an event or a request, and for each intervention: the road of an event.
    # Received and stored are columns of the event, so that accepting stays one INSERT.
    #
    # tally: how many events of a service, or requests for a destination, came to each end; counted when they end, so
    # that nobody counts a million rows. Whoever deletes ended rows subtracts here and writes the marks of `meta`.
    f"""
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        service TEXT NOT NULL,
        state INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        grp TEXT NOT NULL,
        received_us INTEGER NOT NULL,
        stored_us INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        due_us INTEGER NOT NULL,
        reason TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        kind TEXT NOT NULL,
        content_type TEXT NOT NULL,
        charset TEXT,
        path TEXT NOT NULL,
        query TEXT NOT NULL,
        peer TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX event_open ON event (service, priority, seq, grp, state) WHERE {_OPEN};
    CREATE INDEX event_claimed ON event (seq) WHERE state = {State.CLAIMED.value};
    CREATE INDEX event_dead ON event (seq, service) WHERE state = {State.DEAD.value};

    CREATE TABLE request (
        seq INTEGER PRIMARY KEY,
        event_seq INTEGER NOT NULL,
        number INTEGER NOT NULL,
        destination TEXT NOT NULL,
        grp TEXT NOT NULL,
        state INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        due_us INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        reason TEXT NOT NULL,
        answer_status INTEGER,
        answer_where TEXT,
        answer_type TEXT,
        answer_body BLOB,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        headers TEXT NOT NULL,
        content_type TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX request_event ON request (event_seq, number);
    CREATE INDEX request_open ON request (destination, seq, grp, state) WHERE {_OPEN};
    CREATE INDEX request_claimed ON request (seq) WHERE state = {State.CLAIMED.value};
    CREATE INDEX request_dead ON request (seq, destination) WHERE state = {State.DEAD.value};

    CREATE TABLE step (
        event_seq INTEGER NOT NULL,
        n INTEGER NOT NULL,
        request_seq INTEGER,
        begun_us INTEGER NOT NULL,
        ended_us INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        text TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (event_seq, n)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE tally (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        state INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (kind, name, state)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
    """,
    # 1 -> 2: when an operator offered it again, 0 for never: the age limit of a retry policy counts from there.
    """
    ALTER TABLE event ADD COLUMN replayed_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN replayed_us INTEGER NOT NULL DEFAULT 0;
    """,
    # 2 -> 3: senders' own names for their events, for as long as they are remembered. `event_id` and not the event's
    # place, because the answer is to be given again also when the event itself is no longer kept.
    """
    CREATE TABLE idempotency (
        service TEXT NOT NULL,
        key TEXT NOT NULL,
        event_id TEXT NOT NULL,
        stored_us INTEGER NOT NULL,
        PRIMARY KEY (service, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotency_age ON idempotency (stored_us);
    """,
    # 3 -> 4: bodies that would not fit into a page with their row lie beside it, under the row's `seq`, and the row's
    # own `body` is empty: SQLite writes a row anew when its state changes, and its body with it (docs/decisions/0012).
    #
    # `size_bytes` in the index lets the start add up what is open without looking at the rows.
    f"""
    CREATE TABLE event_body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
    CREATE TABLE request_body (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
    DROP INDEX event_open;
    CREATE INDEX event_open ON event (service, priority, seq, grp, state, size_bytes) WHERE {_OPEN};
    """,
    # 4 -> 5: what deduplication filters have counted; `n` keeps the order. As many rows as the windows of all filters
    # have places.
    """
    CREATE TABLE dedup (
        n INTEGER PRIMARY KEY,
        service TEXT NOT NULL,
        filter TEXT NOT NULL,
        key TEXT NOT NULL,
        boot_id TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        wall_us INTEGER NOT NULL,
        UNIQUE (service, filter, key)
    ) STRICT;
    """,
    # 5 -> 6: how much is kept of what is done, so that a bound on it need not add up all rows.
    f"""
    INSERT INTO meta SELECT 'done_bytes', coalesce(sum(size_bytes + 1024), 0) FROM event
        WHERE state IN ({State.DONE.value}, {State.SUPPRESSED.value});
    """,
    # 6 -> 7: stamps by the clock of ages (`steady`, docs/decisions/0020), which decide; the others are for people.
    # `born_us`: since when it waits, counted anew by a replay. `ripe_us`: when a waiting one is due, else 0.
    # `ended_us`: when an event came to its end, else 0. They begin with the wall clock's, which decided up to here.
    f"""
    ALTER TABLE event ADD COLUMN born_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE event ADD COLUMN ripe_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE event ADD COLUMN ended_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN born_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN ripe_us INTEGER NOT NULL DEFAULT 0;
    {AGES_FROM_STAMPS}
    """,
    # 7 -> 8: when it was given up by the wall clock, 0 for what is not dead: the list of dead letters is in this order,
    # and is read in pages. Without an index each page sorted all of them (a hundred thousand: half a second each).
    f"""
    ALTER TABLE event ADD COLUMN died_us INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN died_us INTEGER NOT NULL DEFAULT 0;
    {DEATHS_FROM_STEPS}
    CREATE INDEX event_died ON event (died_us, seq) WHERE state = {State.DEAD.value};
    DROP INDEX request_dead;
    CREATE INDEX request_died ON request (died_us, event_seq, seq) WHERE state = {State.DEAD.value};
    """,
)
FORMAT: Final = len(MIGRATIONS)


def make_files(folder: Path) -> Path:
    """Make the folder and an empty database where there is none, and see that they survive a power cut.

    Returns the path of the database. Raises `MachineError` when they cannot be made.
    """
    path = folder / FILE_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.close(handle)
        for directory in (folder, folder.parent):
            sync_folder(directory)
    except OSError as error:
        raise MachineError(
            "spool-not-writable",
            f"{error.filename or path}: the spool cannot be made or opened ({error.strerror}); "
            "the agent's user needs read and write access there",
            exit_status=ExitStatus.CANNOT_CREATE,
        ) from error
    return path


def open_for_writing(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """Open the one connection that writes. `vfs` names another way to the disk (tests inject faults there).

    Raises what `check_format` raises, before anything was written, and what apsw raises.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs, statementcachesize=STATEMENTS)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    try:
        check_format(connection, path)
    except BaseException:
        connection.close()
        raise
    # The writer checkpoints itself, after the answers have gone out and where it sees a failure.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the log at each commit. NORMAL lost 1,414 of 16,242 acknowledged events in ten simulated power cuts.
    connection.execute("PRAGMA synchronous = FULL")
    # After a burst the log file shrinks to this; below it, it is overwritten in place, which syncs faster.
    connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
    return connection


def open_for_reading(path: Path) -> apsw.Connection:
    """Open a connection that cannot write. Raises what apsw raises."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    return connection


def is_empty_beside_its_log(path: Path) -> bool:
    """Whether the database is a file of nothing, or no file, and its log is there.

    SQLite then takes the log for a leftover and deletes it, also for one who only reads; it may hold what was
    acknowledged. So look before you open.
    """
    log = path.with_name(f"{path.name}-wal")
    is_empty = not path.exists() or path.stat().st_size == 0
    return is_empty and log.exists() and log.stat().st_size > 0


def check_format(connection: apsw.Connection, path: Path) -> int:
    """Return the format version, 0 for an empty database; raise `OperatorError` for what we must not touch."""
    version = connection.pragma("user_version")
    owner = connection.pragma("application_id")
    if version == 0 and owner == 0 and connection.pragma("schema_version") == 0:
        return 0
    if owner != APPLICATION_ID:
        raise OperatorError(
            "spool-foreign",
            f"{path}: this is a database of another program (application id {owner}, expected {APPLICATION_ID}); "
            "move it away and start again",
        )
    if version > FORMAT:
        raise OperatorError(
            "spool-newer",
            f"{path}: the spool has format {version}, this version knows formats up to {FORMAT}; "
            "start the newer version that wrote it, or move the folder away to begin with an empty spool",
        )
    return int(version)


def migrate(connection: apsw.Connection, path: Path) -> int:
    """Bring the database to this format, each step in a transaction of its own; return the format it had.

    A new one is made in a single transaction: each sync costs, and there is nothing yet that could be redone in vain.
    """
    found = check_format(connection, path)
    with connection if found == 0 else contextlib.nullcontext():
        for version in range(found, FORMAT):
            with connection:
                connection.execute(MIGRATIONS[version])
                connection.pragma("application_id", APPLICATION_ID)
                connection.pragma("user_version", version + 1)
    return found


def sync_folder(directory: Path) -> None:
    """Sync a folder's entries: a new file whose name is not synced is gone after a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

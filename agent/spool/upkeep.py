"""What an operator does to the spool's files: check, count, compact, and take in what a quarantine still holds.

Everything blocks. `check` and `stats` only read, also beside a running agent; for `compact` and `salvage` the caller
holds the lock of the home, as for `OfflineSpool`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import apsw

from agent.delivery import State
from agent.errors import ExitStatus, MachineError, OperatorError
from agent.spool import doubt, layout, rows
from agent.spool.found import last_seqs
from agent.spool.journal import Journal
from agent.spool.ledger import BYTES_BESIDE_BODY
from agent.spool.mark import Mark, MarkFile
from agent.spool.reserve import free_bytes
from agent.spool.salvage import salvage
from agent.spool.shapes import Shape
from agent.spool.writer import Writer

_MISSING: Final = "the newest {missing} events that were stored are missing: the log is damaged or gone"

MAX_FAULTS: Final = 20
"""That a check lists: from one damaged page hundreds follow."""

_BOOKS: Final = {
    "events": ("event", "service", "last_event_seq", "freed_event_seqs"),
    "requests": ("request", "destination", "last_request_seq", "freed_request_seqs"),
}


class Upkeep:
    """The spool in `folder` (`var/spool`). Raises `OperatorError` and `MachineError` only."""

    def __init__(self, folder: Path, *, now_us: Callable[[], int]) -> None:
        self._folder = folder
        self._path = folder / layout.FILE_NAME
        self._now_us = now_us

    def check(self) -> Shape:
        """Let SQLite look at every page and index entry, and see that the books balance; leaves a `doubt` where not.

        `{"sound": bool, "faults": [sentences], "events": rows, "requests": rows}`.
        """
        # First the mark: what is committed while this looks is in the database by then.
        mark = MarkFile(self._folder).read()
        try:
            return self._look(mark)
        except OperatorError as error:
            # A database without tables is one that was never filled, unless the mark knows better.
            if error.code != "spool-missing" or not mark.event_seq:
                raise
            return {"sound": False, "faults": [_MISSING.format(missing=mark.event_seq)]}

    def _look(self, mark: Mark) -> Shape:
        with Journal(self._folder).reading() as connection:
            try:
                found = connection.execute(f"PRAGMA integrity_check({MAX_FAULTS})").fetchall()
                faults = [str(line) for (line,) in found if line != "ok"]
                numbers = {} if faults else _audit(connection, faults)
                missing = mark.event_seq - last_seqs(connection)[0]
                if missing > 0:
                    faults.append(_MISSING.format(missing=missing))
            except apsw.CorruptError as error:
                faults, numbers = [str(error)], {}
        if faults:
            doubt.leave(self._folder, faults[0])
        return {"sound": not faults, "faults": faults, **numbers}

    def stats(self) -> Shape:
        """Sizes and numbers: `{"format", "files": {name: bytes}, "unused_bytes", "free_bytes", "quarantines": [names],
        "services": ..., "destinations": ...}`; the last two as `Journal.counts` has them."""
        with Journal(self._folder).reading() as connection:
            unused = connection.pragma("freelist_count") * connection.pragma("page_size")
            version = connection.pragma("user_version")
        files = {path.name: path.stat().st_size for path in sorted(self._folder.iterdir()) if path.is_file()}
        return {
            "format": version,
            "files": files,
            "unused_bytes": unused,
            "free_bytes": free_bytes(self._folder),
            "quarantines": sorted(path.name for path in self._folder.glob("quarantine-*")),
            **Journal(self._folder).counts(),
        }

    def compact(self) -> Shape:
        """Write the database anew without its unused pages: `{"before_bytes", "after_bytes"}`.

        Takes the space of two more copies while it works; refuses where that is not there.
        """
        with self._alone() as connection:
            before = self._path.stat().st_size
            unused = connection.pragma("freelist_count") * connection.pragma("page_size")
            wanted = 2 * (before - unused)
            if free_bytes(self._folder) < wanted:
                raise MachineError(
                    "disk-low",
                    f"{self._folder}: compacting needs {wanted // 1024**2 + 1} MiB of free space, "
                    f"{free_bytes(self._folder) // 1024**2} MiB are there; free some first",
                    exit_status=ExitStatus.IO_ERROR,
                )
            connection.execute("VACUUM")
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return {"before_bytes": before, "after_bytes": self._path.stat().st_size}

    def copy(self, target: Path) -> Shape:
        """Write what the spool holds at this moment into the file `target`, which must not exist: `{"bytes"}`.

        One reading of the database sees one state of it, also while an agent works on it.
        """
        with Journal(self._folder).reading() as connection:
            try:
                # VACUUM has a view of its own, and works only outside of a transaction.
                connection.execute("END")
                connection.execute("VACUUM INTO ?", (str(target),))
            except apsw.Error as error:
                raise MachineError(
                    "copy-failed",
                    f"{self._path} cannot be copied to {target}: {error}; nothing was changed",
                    exit_status=ExitStatus.IO_ERROR,
                ) from error
        return {"bytes": target.stat().st_size}

    def salvage(self, source: Path) -> Shape:
        """Take in the events of another spool, a quarantine above all, whose ids are not here.

        `{"taken", "open", "known", "requests"}`: taken in, of these to be done, here already.
        They come at the end of the line, with their requests; what was in hand is open again. `source` stays as it is.
        """
        if not (source / layout.FILE_NAME).is_file():
            raise OperatorError(
                "spool-missing",
                f"{source}: there is no {layout.FILE_NAME} in it; name a folder like var/spool/quarantine-<time>",
                exit_status=ExitStatus.NO_INPUT,
            )
        import tempfile  # brings three compressors along, which an agent that starts has no use for

        with self._alone() as connection, tempfile.TemporaryDirectory(dir=self._folder, prefix="salvage-") as place:
            path = layout.make_files(Path(place))
            other = layout.open_for_writing(path)
            try:
                layout.migrate(other, path)
                salvage(source / layout.FILE_NAME, other, newest=Mark())
            finally:
                other.close()
            connection.execute("ATTACH ? AS other", (str(path),))
            try:
                with connection:
                    taken = _take_in(connection)
            finally:
                connection.execute("DETACH other")
        return taken

    @contextlib.contextmanager
    def _alone(self) -> Iterator[apsw.Connection]:
        """Through the writer's own opening, which checks, migrates and takes back; then the files are ours."""
        if not self._path.exists():
            raise OperatorError(
                "spool-missing", f"{self._path}: there is no spool here", exit_status=ExitStatus.NO_INPUT
            )
        writer = Writer(folder=self._folder, now_us=self._now_us)
        writer.open()
        writer.close()
        connection = layout.open_for_writing(self._path)
        try:
            yield connection
        except apsw.Error as error:
            raise MachineError(
                "store-failed",
                f"{self._folder}: the disk refused ({type(error).__name__}: {error}); nothing was changed",
                exit_status=ExitStatus.IO_ERROR,
            ) from error
        finally:
            connection.close(force=True)


def _audit(connection: apsw.Connection, faults: list[str]) -> dict[str, int]:
    """Rows and freed places add up to the newest place; the tally is what is there; no body is missing."""
    marks: dict[str, Any] = dict(connection.execute("SELECT name, value FROM meta"))
    numbers = {}
    for words, (table, name, last, freed) in _BOOKS.items():
        count, newest = _one(connection, f"SELECT count(*), coalesce(max(seq), 0) FROM {table}")
        numbers[words] = count
        missing = max(newest, marks.get(last, 0)) - count - marks.get(freed, 0)
        if missing:
            faults.append(f"{missing} {words} are missing: there are {count}, and the newest place is {newest}")
        (wrong,) = _one(
            connection,
            f"SELECT count(*) FROM (SELECT {name} AS name, state, count(*) AS n FROM {table} WHERE state > 2 "
            "GROUP BY 1, 2) AS real FULL JOIN (SELECT name, state, count AS n FROM tally "
            f"WHERE kind = '{table}' AND count != 0) AS told USING (name, state) WHERE real.n IS NOT told.n",
        )
        if wrong:
            faults.append(f"the counts of {wrong} kinds of ended {words} are not those of the rows")
    (bodiless,) = _one(connection, f"SELECT count(*) FROM event WHERE size_bytes != length({rows.BODY['event']})")
    if bodiless:
        faults.append(f"{bodiless} events have lost their bodies")
    return numbers


def _one(connection: apsw.Connection, query: str) -> tuple[Any, ...]:
    found: list[Any] = connection.execute(query).fetchall()
    return tuple(found[0])


def _take_in(connection: apsw.Connection) -> Shape:
    """Move the rows of the attached spool behind our own, places shifted; those that we know stay out."""
    for statement in (
        "CREATE TEMP TABLE known AS SELECT seq FROM other.event WHERE id IN (SELECT id FROM main.event)",
        "DELETE FROM other.request_body WHERE seq IN (SELECT seq FROM other.request WHERE event_seq IN known)",
        "DELETE FROM other.request WHERE event_seq IN known",
        "DELETE FROM other.step WHERE event_seq IN known",
        "DELETE FROM other.event_body WHERE seq IN known",
        "DELETE FROM other.event WHERE seq IN known",
    ):
        connection.execute(statement)
    marks: dict[str, Any] = dict(connection.execute("SELECT name, value FROM main.meta"))
    (taken, newest_id) = _one(connection, "SELECT count(*), coalesce(max(id), '') FROM other.event")
    (known,) = _one(connection, "SELECT count(*) FROM known")
    (requests,) = _one(connection, "SELECT count(*) FROM other.request")
    (still_open,) = _one(connection, f"SELECT count(*) FROM other.event WHERE {layout.OPEN_TERM}")
    last_event, last_request = marks.get("last_event_seq", 0), marks.get("last_request_seq", 0)
    number = "row_number() OVER (ORDER BY seq)"
    # Pauses end: they were counted by another spool's clock.
    anew = f"SET state = {State.RECEIVED.value}, due_us = 0, ripe_us = 0 WHERE {layout.OPEN_TERM}"
    for statement in (
        f"UPDATE other.event {anew}",
        f"UPDATE other.request {anew}",
        f"CREATE TEMP TABLE place AS SELECT seq, {last_event} + {number} AS new FROM other.event",
        f"CREATE TEMP TABLE request_place AS SELECT seq, {last_request} + {number} AS new FROM other.request",
    ):
        connection.execute(statement)
    for table, column, places in (
        ("event", "seq", "place"),
        ("event_body", "seq", "place"),
        ("request", "seq", "request_place"),
        ("request_body", "seq", "request_place"),
        ("step", "event_seq", "place"),
    ):
        columns = [str(name) for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})")]
        values = []
        for name in columns:
            if name == column:
                values.append("p.new")
            elif table == "request" and name == "event_seq":
                values.append("(SELECT new FROM place WHERE seq = t.event_seq)")
            elif table == "step" and name == "request_seq":
                values.append("(SELECT new FROM request_place WHERE seq = t.request_seq)")
            else:
                values.append(f"t.{name}")
        connection.execute(
            f"INSERT INTO main.{table} ({', '.join(columns)}) SELECT {', '.join(values)} "
            f"FROM other.{table} AS t JOIN {places} AS p ON p.seq = t.{column}"
        )
    # What its sender has named is known by that name here, too.
    connection.execute(
        "INSERT OR IGNORE INTO main.idempotency SELECT * FROM other.idempotency "
        "WHERE event_id IN (SELECT id FROM main.event)"
    )
    connection.execute(
        "INSERT INTO main.tally SELECT * FROM other.tally WHERE 0 UNION ALL "
        "SELECT 'event', service, state, count(*) FROM other.event WHERE state > 2 GROUP BY 2, 3 UNION ALL "
        "SELECT 'request', destination, state, count(*) FROM other.request WHERE state > 2 GROUP BY 2, 3 "
        "ON CONFLICT (kind, name, state) DO UPDATE SET count = count + excluded.count"
    )
    (done_bytes,) = _one(
        connection,
        f"SELECT coalesce(sum(size_bytes + {BYTES_BESIDE_BODY}), 0) FROM other.event "
        f"WHERE state IN ({State.DONE.value}, {State.SUPPRESSED.value})",
    )
    done = {
        "done_bytes": marks.get("done_bytes", 0) + done_bytes,
        "last_event_seq": last_event + taken,
        "last_request_seq": last_request + requests,
        "last_event_id": max(str(marks.get("last_event_id", "")), newest_id),
    }
    connection.executemany("INSERT OR REPLACE INTO main.meta VALUES (?, ?)", done.items())
    for table in ("known", "place", "request_place"):
        connection.execute(f"DROP TABLE temp.{table}")
    return {"taken": taken, "open": still_open, "known": known, "requests": requests}

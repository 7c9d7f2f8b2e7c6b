"""The read-only look into the spool, for people: lists, one event's whole road, counts. JSON-able shapes.

For any process, while the agent runs, after it stopped, after it was killed, and on a home that cannot be written.
Blocks; imports neither Twisted nor anything that takes long. The shapes are described in docs/spool.rst.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import apsw

from agent.delivery import OPEN_STATES, Outcome, State, next_state
from agent.errors import ExitStatus, OperatorError
from agent.event.model import Event, Priority
from agent.spool import layout, rows
from agent.spool.ages import oldest
from agent.spool.deliveries import deliveries
from agent.spool.letters import dead_letters, dead_named, letter_body, moment_us
from agent.spool.shapes import Shape, dictionaries, event_road, request, summary, text
from agent.spool.wholes import with_wholes

MAX_LIMIT: Final = 10_000

_SUMMARY: Final = (
    "event.seq AS seq, id, service, state, received_us, attempt, size_bytes, peer, priority, grp, reason, stored_us, "
    "due_us"
)
_INBOUND: Final = f"""
    SELECT service, priority, count(*) FROM event INDEXED BY event_open WHERE {layout.OPEN_TERM}
    GROUP BY service, priority
"""
_OUTBOUND: Final = f"""
    SELECT event.service, event.priority, count(*)
    FROM request INDEXED BY request_open JOIN event ON event.seq = request.event_seq
    WHERE request.{layout.OPEN_TERM} GROUP BY event.service, event.priority
"""


class Journal:
    """Looks into the spool of the folder `var/spool`. Each call opens and closes its own connection.

    `is_worked_on`: whether there is an agent. Where there is none nobody has anything in hand: what is claimed on disk
    is told as what the next start makes of it.
    """

    def __init__(self, folder: Path, *, is_worked_on: bool = True) -> None:
        self._back = None if is_worked_on else next_state(State.CLAIMED, Outcome.INTERRUPT)
        self._path = folder / layout.FILE_NAME

    def events(
        self,
        *,
        service: str = "",
        state: str = "",
        limit: int = 50,
        after: str = "",
        before: str = "",
        until: str = "",
        bodies: bool = False,
    ) -> list[Shape]:
        """Summaries, newest first, at most `limit` (1 to 10,000).

        `service` is an agent client id, `state` a state's word; empty is any. `before` and `after` are event ids: only
        older or newer ones. `until` is an ISO 8601 time: only those received before. With `bodies` each has its whole
        body (`body_base64`), its steps and what else `event` tells but its requests; the list ends when they are many
        bytes: ask on until it is empty. Raises `OperatorError` where there is no spool or no such state.
        """
        table = "event"
        conditions = ["1"]
        bindings: list[apsw.SQLiteValue] = []
        if service:
            conditions.append("service = ?")
            bindings.append(service)
        if state:
            wanted = _state(state)
            # Numbers are written out: only then does SQLite see that a partial index holds all that is asked for.
            alike = [each for each in State if self._shown(each) is wanted]
            conditions.append(f"({' OR '.join(f'state = {each.value}' for each in alike) or '0'})")
            if wanted in OPEN_STATES:
                conditions.append(layout.OPEN_TERM)
            elif wanted is State.DEAD:
                # By itself SQLite reads a million done events backwards to find none.
                table = "event INDEXED BY event_dead"
        if before:
            # Of an event that is gone by now, the next newer one: ids sort by time.
            conditions.append("seq < (SELECT seq FROM event WHERE id >= ? ORDER BY id LIMIT 1)")
            bindings.append(before)
        if after:
            conditions.append("seq > (SELECT seq FROM event WHERE id = ?)")
            bindings.append(after)
        if until:
            conditions.append("received_us < ?")
            bindings.append(moment_us(until))
        query = f"SELECT {_SUMMARY} FROM {table} WHERE {' AND '.join(conditions)} ORDER BY seq DESC LIMIT ?"
        with self.reading() as connection:
            found = dictionaries(connection, query, (*bindings, max(1, min(limit, MAX_LIMIT))))
            ways = deliveries(connection, [row["seq"] for row in found])
            shown = [{**summary(self._as_shown(row)), **ways[row["seq"]]} for row in found]
            return with_wholes(connection, zip((row["seq"] for row in found), shown, strict=True)) if bodies else shown

    def event(self, event_id: str) -> Shape | None:
        """The whole road of the event with this id, or whose id alone begins like this; None where there is none."""
        with self.reading() as connection:
            body = rows.BODY["event"]
            query = f"SELECT {_SUMMARY}, kind, content_type, charset, path, query, {body} AS body FROM event"
            # The letters of an id end before `g`, so this is the range of all ids that begin with the prefix.
            found = dictionaries(connection, f"{query} WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2", (event_id.lower(),))
            if len(found) != 1 or not event_id:
                return None
            row = found[0]
            steps = dictionaries(connection, "SELECT * FROM step WHERE event_seq = ? ORDER BY n", (row["seq"],))
            query = f"SELECT *, {rows.BODY['request']} AS whole FROM request WHERE event_seq = ? ORDER BY number"
            requests = [self._as_shown(each) for each in dictionaries(connection, query, (row["seq"],))]
        detail = summary(self._as_shown(row))
        for name in ("kind", "content_type", "charset", "path", "query"):
            detail[name] = row[name]
        detail["body"], detail["body_cut"] = text(row["body"], row["charset"])
        own = [step for step in steps if step["request_seq"] is None]
        detail["steps"] = event_road(row, own)
        detail["requests"] = [
            request(row["id"], each, [step for step in steps if step["request_seq"] == each["seq"]])
            for each in requests
        ]
        return detail

    def whole(self, event_id: str) -> tuple[Event, State] | None:
        """The event with exactly this id, as it was stored, and where it stands; None where there is none."""
        with self.reading() as connection:
            query = f"{rows.SELECT_STORED_EVENT} WHERE id = ?"
            row = connection.execute(query, (event_id,)).fetchone()
            if row is None:
                return None
            stored = rows.stored_event(row, age_us=0)
        return stored.event, self._shown(stored.state)

    def dead_letters(
        self,
        *,
        service: str = "",
        destination: str = "",
        since: str = "",
        before: str = "",
        match: str = "",
        after: str = "",
        bodies: bool = False,
        roads: bool = False,
        limit: int = 50,
    ) -> list[Shape]:
        """Events and requests that were given up, the latest to die first, at most `limit` (1 to 10,000).

        `since` and `before` are ISO 8601 times of dying (UTC where they name no zone), the first included, the second
        not. `match` is text that the reason contains, whatever its case. With a `destination` only requests are listed.
        `after` is the `place` of a letter: only those behind it in the list. With `bodies` each has its whole body
        (`body_base64`), with `roads` its steps and what else `event` tells of it; the list ends when they are many
        bytes: ask on until it is empty.
        `id` in the answer is the event's or the request's, as the operator's orders take it. Raises `OperatorError`.
        """
        with self.reading() as connection:
            return dead_letters(
                connection,
                service=service,
                destination=destination,
                since=since,
                before=before,
                match=match,
                after=after,
                bodies=bodies,
                roads=roads,
                limit=max(1, min(limit, MAX_LIMIT)),
            )

    def dead_named(self, ids: Sequence[str]) -> list[Shape]:
        """Those of `ids` that are dead letters: `id`, `service` and `destination`, which is empty for an event."""
        with self.reading() as connection:
            return dead_named(connection, ids)

    def body(self, letter_id: str) -> bytes | None:
        """The whole body of a dead event, or of a dead request (`<event id>/<number>`); None where there is none."""
        with self.reading() as connection:
            return letter_body(connection, letter_id)

    def oldest(self) -> Shape:
        """Since when the first dead letter is dead, and the first open one of each line waits.

        `{"dead": time or None, "open": {"services": {"applications|x": time}, "destinations": {...}}}`; what was
        replayed waits since then.
        """
        with self.reading() as connection:
            return oldest(connection)

    def counts(self) -> Shape:
        """How many events per service and state, and requests per destination and state.

        `{"services": {"applications|x": {"received": 1, ...}}, "destinations": {...}}`; every state is named.
        """
        with self.reading() as connection:
            return {
                "services": self._count(connection, "event", "service"),
                "destinations": self._count(connection, "request", "destination"),
            }

    def _shown(self, state: State) -> State:
        return self._back if state is State.CLAIMED and self._back is not None else state

    def _as_shown(self, row: Shape) -> Shape:
        return {**row, "state": self._shown(State(row["state"])).value}

    def _count(self, connection: apsw.Connection, table: str, name: str) -> Shape:
        """Open ones are counted in their index, ended ones were counted when they ended."""
        counts: dict[str, dict[str, int]] = {}
        ended = connection.execute("SELECT name, state, count FROM tally WHERE kind = ?", (table,))
        still_open = connection.execute(
            f"SELECT {name}, state, count(*) FROM {table} WHERE {layout.OPEN_TERM} GROUP BY {name}, state"
        )
        for owner, state, count in (*ended, *still_open):
            of_owner = counts.setdefault(str(owner), {each.label: 0 for each in State})
            of_owner[self._shown(State(state)).label] += count
        return dict(sorted(counts.items()))

    def queues(self) -> Shape:
        """How much waits by service and priority: `{"applications|x": {"inbound": {"normal": 3, "high": 0},
        "outbound": {...}}}`; services with nothing that waits are not named. Outbound are the requests that it made."""
        found: Shape = {}
        with self.reading() as connection:
            for way, statement in (("inbound", _INBOUND), ("outbound", _OUTBOUND)):
                for service, priority, count in connection.execute(statement):
                    empty = {"inbound": {"normal": 0, "high": 0}, "outbound": {"normal": 0, "high": 0}}
                    found.setdefault(service, empty)[way][Priority(priority).name.lower()] = count
        return found

    @contextlib.contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection with one unchanging view of the spool; disk and format errors become `OperatorError`."""
        try:
            self._require_files()
            connection = self._open()
            try:
                _refuse_older(layout.check_format(connection, self._path), self._path)
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.close(force=True)
        except (apsw.CantOpenError, apsw.PermissionsError, PermissionError) as error:
            raise OperatorError(
                "spool-not-readable",
                f"{self._path}: the spool cannot be read ({error}); use the account that the agent runs under",
                exit_status=ExitStatus.NO_PERMISSION,
            ) from error
        except apsw.Error as error:
            raise OperatorError(
                "spool-damaged",
                f"{self._path}: the spool cannot be read ({error}); keep a copy of the folder and check the disk",
                exit_status=ExitStatus.IO_ERROR,
            ) from error

    def _require_files(self) -> None:
        """Raise `OperatorError` where there is nothing to read, or nothing that may be opened."""
        if not self._path.exists():
            raise OperatorError(
                "spool-missing",
                f"{self._path}: there is no spool here; it is made when the agent starts for the first time",
                exit_status=ExitStatus.NO_INPUT,
            )
        if layout.is_empty_beside_its_log(self._path):
            raise OperatorError(
                "spool-damaged",
                f"{self._path}: the database is empty although its log is not; do not open it with other tools: "
                "the agent saves at its start what is in the log",
                exit_status=ExitStatus.IO_ERROR,
            )

    def _open(self) -> apsw.Connection:
        """Open as a reader beside a running agent; where nothing can be written, without the shared index."""
        connection = layout.open_for_reading(self._path)
        try:
            connection.pragma("schema_version")
        except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.IOError):
            # The shared index cannot be made in a folder that cannot be written; then no agent runs here either.
            # Without locks the index is kept in memory. (A reader of one's own, so this is not the agent's way.)
            connection.close()
            if not self._path.with_name(f"{self._path.name}-wal").exists():
                # After a clean stop there is no log, nor may one be made: the file is all there is.
                flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
                return apsw.Connection(f"{self._path.absolute().as_uri()}?immutable=1", flags=flags)
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY, vfs="unix-none")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        return connection


def _refuse_older(version: int, path: Path) -> None:
    """Only the agent changes what is on disk; until it has, the questions of this version have no answers."""
    if version == 0:
        raise OperatorError(
            "spool-missing",
            f"{path}: the spool is empty; the agent fills it when it starts for the first time",
            exit_status=ExitStatus.NO_INPUT,
        )
    if version < layout.FORMAT:
        raise OperatorError(
            "spool-older",
            f"{path}: the spool has format {version}, this version reads format {layout.FORMAT}; "
            "start the agent once, it brings the spool up to date",
            exit_status=ExitStatus.TEMPORARY,
        )


def _state(word: str) -> State:
    try:
        return State[word.upper()]
    except KeyError:
        words = ", ".join(state.label for state in State)
        raise OperatorError(
            "state-unknown", f"{word!r} is not a state; expected one of {words}", exit_status=ExitStatus.USAGE
        ) from None

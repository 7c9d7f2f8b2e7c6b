"""What an operator does to dead letters, inside the writer's transaction: replay, purge, edit.

All three touch what is dead and nothing else: what is open belongs to its service or its destination, and what is done
is done. An id is an event's, or a request's (`<event id>/<number>`); one that is not there or not dead is passed over,
because between looking and acting somebody else may have been quicker. Each leaves a step on the event's road.

A replayed event or request takes a new place at the end of its line: its old place was passed long ago, and those who
keep the lines in memory find newcomers by their places. It moves there with its whole road.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import apsw
import attrs

from agent.config.model import GatewayLimits
from agent.delivery import OPEN_STATES, Outcome, State, next_state
from agent.errors import SenderError
from agent.event import BodyKind
from agent.event.apxmltext import apxml_of
from agent.event.body import BodyReader
from agent.spool import rows
from agent.spool.changes import ImpossibleChange
from agent.spool.layout import EDIT, PURGE
from agent.spool.ledger import Ledger

MAX_AT_ONCE: Final = 100
"""Dead letters in one transaction: about 5 ms, so that a replay of a hundred thousand does not hold up the senders."""

MAX_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
"""Bodies in one transaction; those of replayed events are in memory as well, until they were announced."""

MAX_DIGITS: Final = 18
"""Of a request's number: what SQLite can hold."""


@attrs.frozen(kw_only=True)
class Replay:
    """Offer these dead letters again, from their first attempt on."""

    ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Purge:
    """Delete these dead letters: an event with its requests, or one request."""

    ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Edit:
    """Give a dead letter another body."""

    id: str
    body: bytes


Mend: TypeAlias = "Replay | Purge | Edit"


@attrs.frozen(kw_only=True)
class Mended:
    """What was done: `count` dead letters changed; `left` were not looked at, ask again for them."""

    count: int
    left: tuple[str, ...] = ()


class Mending:
    """The operator's changes of one transaction, written to `connection` and noted in `ledger`.

    `now_us` is the wall clock's time, `age_us` that of the clock of ages.
    """

    def __init__(self, connection: apsw.Connection, now_us: int, age_us: int, ledger: Ledger) -> None:
        self._connection = connection
        self._now_us = now_us
        self._age_us = age_us
        self._ledger = ledger
        self._size_bytes = 0

    def make(self, what: Mend) -> Mended:
        """Make one change. Raises `ImpossibleChange` before anything is written: for a body that cannot be read."""
        if isinstance(what, Edit):
            return Mended(count=self._edit(what))
        count = 0
        for index, letter_id in enumerate(what.ids):
            if index >= MAX_AT_ONCE or self._size_bytes >= MAX_BYTES_AT_ONCE:
                return Mended(count=count, left=what.ids[index:])
            count += self._replay(letter_id) if isinstance(what, Replay) else self._purge(letter_id)
        return Mended(count=count)

    def _replay(self, letter_id: str) -> bool:
        return self._replay_request(letter_id) if "/" in letter_id else self._replay_event(letter_id)

    def _replay_event(self, event_id: str) -> bool:
        found = self._dead_event(event_id)
        if found is None:
            return False
        seq, service, _size_bytes = found
        new_seq = self._ledger.take_event_seq()
        self._connection.execute(
            "UPDATE event SET seq = ?, state = ?, attempt = 0, due_us = 0, ripe_us = 0, ended_us = 0, died_us = 0, "
            "reason = '', replayed_us = ?, born_us = ? WHERE seq = ?",
            (new_seq, next_state(State.DEAD, Outcome.REPLAY), self._now_us, self._age_us, seq),
        )
        self._connection.execute("UPDATE event_body SET seq = ? WHERE seq = ?", (new_seq, seq))
        for table in ("step", "request"):
            self._connection.execute(f"UPDATE {table} SET event_seq = ? WHERE event_seq = ?", (new_seq, seq))
        self._leave_step(new_seq, None, Outcome.REPLAY.value, "by the operator")
        self._ledger.count("event", service, State.DEAD, -1)
        self._ledger.freed_events += 1
        stored = rows.stored_event(self._row(f"{rows.SELECT_STORED_EVENT} WHERE seq = ?", new_seq), self._age_us)
        self._ledger.replayed.append(stored)
        self._ledger.open_more(service, 1, len(stored.event.body))
        self._size_bytes += len(stored.event.body)
        return True

    def _replay_request(self, request_id: str) -> bool:
        found = self._dead_request(request_id)
        if found is None:
            return False
        seq, event_seq, destination, _size_bytes = found
        new_seq = self._ledger.take_request_seq()
        self._connection.execute(
            "UPDATE request SET seq = ?, state = ?, attempt = 0, due_us = 0, ripe_us = 0, died_us = 0, reason = '', "
            "replayed_us = ?, born_us = ? WHERE seq = ?",
            (new_seq, next_state(State.DEAD, Outcome.REPLAY), self._now_us, self._age_us, seq),
        )
        self._connection.execute("UPDATE request_body SET seq = ? WHERE seq = ?", (new_seq, seq))
        self._connection.execute(
            "UPDATE step SET request_seq = ? WHERE event_seq = ? AND request_seq = ?", (new_seq, event_seq, seq)
        )
        self._leave_step(event_seq, new_seq, Outcome.REPLAY.value, "by the operator")
        self._ledger.count("request", destination, State.DEAD, -1)
        self._ledger.freed_requests += 1
        row = self._row(f"{rows.SELECT_STORED_REQUEST} WHERE request.seq = ?", new_seq)
        stored = rows.stored_request(row, self._age_us)
        self._ledger.requests.append(stored)
        self._size_bytes += len(stored.request.body)
        return True

    def _purge(self, letter_id: str) -> bool:
        return self._purge_request(letter_id) if "/" in letter_id else self._purge_event(letter_id)

    def _purge_event(self, event_id: str) -> bool:
        found = self._dead_event(event_id)
        if found is None:
            return False
        seq, service, size_bytes = found
        query = "SELECT state, destination FROM request WHERE event_seq = ?"
        requests: list[Any] = self._connection.execute(query, (seq,)).fetchall()
        if any(state in OPEN_STATES for state, _ in requests):
            # What it produced is still to be sent, and needs the event for its id and its group.
            return False
        rows.delete_event(self._connection, seq)
        for state, destination in requests:
            self._ledger.count("request", destination, State(state), -1)
        self._ledger.count("event", service, State.DEAD, -1)
        self._ledger.freed_events += 1
        self._ledger.freed_requests += len(requests)
        self._size_bytes += size_bytes
        return True

    def _purge_request(self, request_id: str) -> bool:
        found = self._dead_request(request_id)
        if found is None:
            return False
        seq, event_seq, destination, size_bytes = found
        self._connection.execute("DELETE FROM step WHERE event_seq = ? AND request_seq = ?", (event_seq, seq))
        for table in ("request", "request_body"):
            self._connection.execute(f"DELETE FROM {table} WHERE seq = ?", (seq,))
        # On the event's own road, because the request's is gone.
        number = request_id.rpartition("/")[2]
        self._leave_step(event_seq, None, PURGE, f"request {number} for {destination}, by the operator")
        self._ledger.count("request", destination, State.DEAD, -1)
        self._ledger.freed_requests += 1
        self._size_bytes += size_bytes
        return True

    def _edit(self, edit: Edit) -> bool:
        if "/" in edit.id:
            return self._edit_request(edit)
        found = self._dead_event(edit.id)
        if found is None:
            return False
        seq, _service, size_bytes = found
        kind, charset = self._row("SELECT kind, charset FROM event WHERE seq = ?", seq)
        _check_body(edit.body, BodyKind(kind), charset)
        rows.replace_body(self._connection, "event", seq, edit.body)
        self._connection.execute("UPDATE event SET size_bytes = ? WHERE seq = ?", (len(edit.body), seq))
        self._leave_step(seq, None, EDIT, f"by the operator: {size_bytes} bytes became {len(edit.body)}")
        return True

    def _edit_request(self, edit: Edit) -> bool:
        found = self._dead_request(edit.id)
        if found is None:
            return False
        seq, event_seq, _destination, size_bytes = found
        rows.replace_body(self._connection, "request", seq, edit.body)
        self._leave_step(event_seq, seq, EDIT, f"by the operator: {size_bytes} bytes became {len(edit.body)}")
        return True

    def _dead_event(self, event_id: str) -> tuple[int, str, int] | None:
        query = "SELECT seq, service, size_bytes FROM event WHERE id = ? AND state = ?"
        return self._connection.execute(query, (event_id, State.DEAD)).fetchone()

    def _dead_request(self, request_id: str) -> tuple[int, int, str, int] | None:
        event_id, _, number = request_id.rpartition("/")
        if not (number.isascii() and number.isdigit()) or len(number) > MAX_DIGITS:
            return None
        query = (
            f"SELECT seq, event_seq, destination, length({rows.BODY['request']}) FROM request "
            "WHERE event_seq = (SELECT seq FROM event WHERE id = ?) AND number = ? AND state = ?"
        )
        return self._connection.execute(query, (event_id, int(number), State.DEAD)).fetchone()

    def _row(self, query: str, seq: int) -> tuple[Any, ...]:
        rows_found: list[tuple[Any, ...]] = self._connection.execute(query, (seq,)).fetchall()
        return rows_found[0]

    def _leave_step(self, event_seq: int, request_seq: int | None, word: str, text: str) -> None:
        row = (event_seq, request_seq, self._now_us, self._now_us, word, text, "")
        self._connection.execute(rows.INSERT_STEP, row)


def _check_body(body: bytes, kind: BodyKind, charset: str | None) -> None:
    """An event's body parses without fault, whoever wrote it: services rely on it."""
    if kind is BodyKind.OTHER:
        return
    try:
        found, root = BodyReader(max_depth=GatewayLimits().max_xml_depth).read(body, charset)
        if kind is BodyKind.APXML and root is not None:
            apxml_of(root)
            found = kind
    except SenderError as error:
        raise ImpossibleChange(f"the new body cannot be read: {error.sentence}") from error
    if found is not kind:
        raise ImpossibleChange(f"the new body is {found.value}, the event is {kind.value}; it must stay what it is")

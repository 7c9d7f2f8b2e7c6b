"""Dead letters, from the running agent where there is one, else from the files of its spool; and orders about them."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final, Protocol

import attrs

from agent.errors import AgentError, ExitStatus, OperatorError
from iadmin.commands.edges import LetterChanges
from iadmin.commands.records import Records, open_records
from iadmin.commands.tools import Tools

PAGE: Final = 1000
"""Letters in one answer of the control API, and in one look at the files."""
BATCH: Final = 100
"""Letters in one order: what the spool changes in one transaction, so that a progress bar moves and Ctrl-C is heard."""

Letter = Mapping[str, Any]


class Mending(Protocol):
    """The spool of a home without an agent; `agent.spool.offline.OfflineSpool` is the real one."""

    def replay(self, ids: Sequence[str]) -> int: ...

    def purge(self, ids: Sequence[str]) -> int: ...

    def edit(self, letter_id: str, *, body: bytes) -> int: ...


@attrs.frozen
class OfflineChanges:
    """`LetterChanges` on the files of a spool; the lock of the home is held."""

    spool: Mending

    def replay(self, ids: Sequence[str]) -> int:
        return self.spool.replay(ids)

    def purge(self, ids: Sequence[str]) -> int:
        return self.spool.purge(ids)

    def edit(self, letter_id: str, body: bytes) -> bool:
        try:
            return self.spool.edit(letter_id, body=body) == 1
        except ValueError as error:
            raise OperatorError("bad-letter", str(error), exit_status=ExitStatus.DATA) from error


@attrs.frozen(kw_only=True)
class Filters:
    """Which dead letters are meant. `since` is the first moment of dying that counts, `before` the first that does not.

    Empty and None are any.
    """

    service: str = ""
    destination: str = ""
    since: datetime | None = None
    before: datetime | None = None

    def query(self) -> dict[str, str]:
        """As the control API and the journal take them."""
        return {
            "service": self.service,
            "destination": self.destination,
            "since": self.since.isoformat() if self.since else "",
            "before": self.before.isoformat() if self.before else "",
        }


@attrs.frozen(kw_only=True)
class Letters:
    """The dead letters of one home."""

    tools: Tools
    records: Records

    @property
    def notes(self) -> tuple[str, ...]:
        """For standard error: that these are the files of an agent that is down."""
        return self.records.notes

    def every(self, filters: Filters) -> Iterator[Letter]:
        """All that fit, the last to die first, page by page; letters that die meanwhile do not disturb it."""
        after = ""
        while True:
            page = self._page(filters, after=after)
            yield from map(_facts, page)
            if len(page) < PAGE:
                return
            after = str(page[-1]["place"])

    def every_with_body(self, filters: Filters, *, roads: bool = False) -> Iterator[tuple[Letter, bytes]]:
        """The same with their whole bodies, some at a time: a page ends where its bodies are enough.

        With `roads` each also has its steps and what else its event's road tells of it.
        """
        after = ""
        while page := self._page(filters, after=after, bodies=True, roads=roads):
            for letter in page:
                yield _facts(letter), base64.b64decode(str(letter["body_base64"]))
            after = str(page[-1]["place"])

    def body(self, letter_id: str) -> bytes | None:
        """The whole body; None when it is dead no more."""
        return self.records.ask(lambda link: link.letter_body(letter_id), lambda files: files.body(letter_id), None)

    def event(self, event_id: str) -> Mapping[str, Any] | None:
        """The event of a letter, by its id or the beginning of it."""
        return self.records.event(event_id)

    def changes(self) -> AbstractContextManager[LetterChanges]:
        """Orders to the agent, or to the files while its lock is held so that none can start."""
        if self.records.link is not None:
            return contextlib.nullcontext(self.records.link)
        return self.tools.open_changes(self.tools.home)

    def _page(self, filters: Filters, *, after: str, bodies: bool = False, roads: bool = False) -> Sequence[Letter]:
        query: dict[str, Any] = {name: value for name, value in filters.query().items() if value}
        if after:
            query["after"] = after
        more = {name: "true" for name, is_wanted in (("bodies", bodies), ("roads", roads)) if is_wanted}
        return self.records.ask(
            lambda link: link.dead_letters({**query, "limit": str(PAGE), **more}),
            lambda files: files.dead_letters(**query, limit=PAGE, bodies=bodies, roads=roads),
            [],
        )


def _facts(letter: Letter) -> Letter:
    """What people are shown of a letter, without what is for reading on."""
    return {name: value for name, value in letter.items() if name not in ("place", "body_base64")}


def open_letters(tools: Tools) -> Letters:
    """Choose the source, as `open_records` does."""
    return Letters(tools=tools, records=open_records(tools))


@attrs.define
class Work:
    """What an order has come to: of `asked` letters `done` were changed; `failure` ended it early."""

    asked: int
    done: int = 0
    failure: AgentError | None = None
    looked_at: int = 0


def in_batches(
    work: Work, ids: Sequence[str], order: Callable[[Sequence[str]], int], tell: Callable[[int], object]
) -> None:
    """Order in batches, counting in `work`; `tell` is called with the number of letters behind it.

    A failure ends it. What raises through it, Ctrl-C above all, leaves the count of the batches that are done.
    """
    # Requests first: one that is purged with its event would else be counted as gone already.
    in_turn = sorted(ids, key=lambda letter_id: "/" not in letter_id)
    try:
        for begin in range(0, len(in_turn), BATCH):
            batch = in_turn[begin : begin + BATCH]
            work.done += order(batch)
            work.looked_at += len(batch)
            tell(work.looked_at)
    except AgentError as error:
        work.failure = error

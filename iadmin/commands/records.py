"""Events, from the running agent where there is one, else from the files of its spool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from agent.errors import AgentError, MachineError
from iadmin.commands.edges import AgentLink
from iadmin.commands.tools import Tools

if TYPE_CHECKING:
    from agent.administered import StoredEvents

NOT_RUNNING: Final = "not-running"
"""The link's code for a control socket on which nobody listens."""

BETWEEN: Final = "starting-or-stopping"
BETWEEN_WORDS: Final = "starting or stopping"
"""An agent holds the home and has no control socket: it is opened when the gateways listen, and closed first."""

NO_SPOOL: Final = "spool-missing"
"""The journal's code for a home on which the agent has never run: it has no events, which is not a failure."""


PAGE: Final = 1000
"""Events in one answer of the control API, and in one look at the files."""

Found = TypeVar("Found")


@attrs.define(kw_only=True)
class Records:
    """One of the two sources; `notes` tells the operator when it is the files.

    An agent that holds the home and does not answer is starting or stopping: then the files are read from there on.
    """

    tools: Tools
    link: AgentLink | None = None
    _pid: int | None = None
    _files: StoredEvents | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """To be asked when everything has been read."""
        if self.link is not None:
            return ()
        if self._pid is None:
            return (f"the agent on {self.tools.where} is not running; this is read from its files",)
        return (f"the agent on {self.tools.where} is {BETWEEN_WORDS}; this is read from its files",)

    def events(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Summaries, newest first; filters as in `/v1/events`, empty ones do not count."""
        chosen: dict[str, Any] = {name: value for name, value in filters.items() if value}
        if "limit" not in chosen:
            return self.ask(lambda link: link.events(chosen), lambda files: files.events(**chosen), [])
        limit = int(chosen["limit"])
        return self.ask(lambda link: link.events(chosen), lambda files: files.events(**{**chosen, "limit": limit}), [])

    def pages(self, filters: Mapping[str, str], *, bodies: bool = False) -> Iterator[list[dict[str, Any]]]:
        """All that fit, newest first, some at a time; with `bodies` whole, as `bodies` of `/v1/events` has them."""
        before = ""
        while True:
            chosen: dict[str, Any] = {name: value for name, value in {**filters, "before": before}.items() if value}
            flag = {"bodies": "true"} if bodies else {}
            query = {**chosen, "limit": str(PAGE), **flag}
            page: list[dict[str, Any]] = self.ask(
                lambda link, query=query: link.events(query),  # type: ignore[misc]
                lambda files, chosen=chosen: files.events(**chosen, limit=PAGE, bodies=bodies),  # type: ignore[misc]
                [],
            )
            if page:
                yield page
            if not page or (not bodies and len(page) < PAGE):
                return
            before = str(page[-1]["id"])

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One event by its id or the unique beginning of it."""
        return self.ask(lambda link: link.event(event_id), lambda files: files.event(event_id), None)

    def ask(self, agent: Callable[[AgentLink], Found], files: Callable[[StoredEvents], Found], empty: Found) -> Found:
        """Ask the agent, or read the files; `empty` is the answer of a home on which no agent has ever run."""
        if self.link is not None:
            try:
                return agent(self.link)
            except MachineError as error:
                if error.code != NOT_RUNNING:
                    raise
                self.link = None
        if self._files is None:
            self._files = self.tools.open_journal(self.tools.home / "var" / "spool")
        with _no_spool_is_empty():
            return files(self._files)
        return empty


def open_records(tools: Tools) -> Records:
    """Choose the source: the lock on the home says whether an agent runs; a socket file would say so of a dead one."""
    pid = tools.agent_pid()
    return Records(tools=tools, link=None if pid is None else tools.link(), pid=pid)


def spool_counts(tools: Tools) -> dict[str, Any]:
    """Events and requests per state, from the files; empty where the agent has never run."""
    with _no_spool_is_empty():
        return tools.open_journal(tools.home / "var" / "spool").counts()
    return {}


def spool_ages(tools: Tools) -> dict[str, Any]:
    """Since when the first dead letter is dead and open work waits, from the files; empty as `spool_counts`."""
    with _no_spool_is_empty():
        return tools.open_journal(tools.home / "var" / "spool").oldest()
    return {}


@contextmanager
def _no_spool_is_empty() -> Iterator[None]:
    try:
        yield
    except AgentError as error:
        if error.code != NO_SPOOL:
            raise

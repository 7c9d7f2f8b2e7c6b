"""Events, from the running agent where there is one, else from the files of its spool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs

from agent.errors import AgentError
from iadmin.commands.tools import AgentLink, EventJournal, Tools

NO_SPOOL: Final = "spool-missing"
"""The journal's code for a home on which the agent has never run: it has no events, which is not a failure."""


@attrs.frozen(kw_only=True)
class Records:
    """One of the two sources; `notes` tells the operator when it is the files."""

    link: AgentLink | None = None
    journal: EventJournal | None = None
    notes: tuple[str, ...] = ()

    def events(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Summaries, newest first; filters as in `/v1/events`, empty ones do not count."""
        chosen: dict[str, Any] = {name: value for name, value in filters.items() if value}
        if self.link is not None:
            return self.link.events(chosen)
        if "limit" in chosen:
            chosen["limit"] = int(chosen["limit"])
        with _no_spool_is_empty():
            return self.journal.events(**chosen) if self.journal else []
        return []

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One event by its id or the unique beginning of it."""
        if self.link is not None:
            return self.link.event(event_id)
        with _no_spool_is_empty():
            return self.journal.event(event_id) if self.journal else None
        return None


def open_records(tools: Tools) -> Records:
    """Choose the source: the lock on the home says whether an agent runs; a socket file would say so of a dead one."""
    if tools.agent_pid() is not None:
        return Records(link=tools.open_link(tools.home))
    note = f"the agent on {tools.home} is not running; this is read from its files"
    return Records(journal=tools.open_journal(tools.home / "var" / "spool"), notes=(note,))


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

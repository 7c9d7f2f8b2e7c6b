"""Events, from the running agent where there is one, else from the files of its spool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from iadmin.commands.tools import AgentLink, EventJournal, Tools


@attrs.frozen(kw_only=True)
class Records:
    """One of the two sources; `notes` tells the operator when it is the files."""

    link: AgentLink | None = None
    journal: EventJournal | None = None
    notes: tuple[str, ...] = ()

    def events(self, filters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Summaries, newest first; filters as in `/v1/events`, empty ones do not count."""
        if self.link is not None:
            return self.link.events(filters)
        if self.journal is None:
            return []
        chosen: dict[str, Any] = {name: value for name, value in filters.items() if value}
        if "limit" in chosen:
            chosen["limit"] = int(chosen["limit"])
        return self.journal.events(**chosen)

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One event by its id or the unique beginning of it."""
        if self.link is not None:
            return self.link.event(event_id)
        return None if self.journal is None else self.journal.event(event_id)


def open_records(tools: Tools) -> Records:
    """Choose the source: the lock on the home says whether an agent runs, not the socket, which may lie about."""
    if tools.agent_pid() is not None:
        return Records(link=tools.open_link(tools.home))
    spool = tools.home / "var" / "spool"
    note = f"the agent on {tools.home} is not running; this is read from its files"
    return Records(journal=tools.open_journal(spool) if spool.is_dir() else None, notes=(note,))

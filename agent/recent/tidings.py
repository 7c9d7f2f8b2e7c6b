"""What there is to tell of a running agent: log lines, and what happens to events and requests; and who wants which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import attrs

LEVELS: Final = ("debug", "info", "warn", "error")
KINDS: Final = ("log", "event")
PURGED: Final = "purged"
"""What a happening says instead of a state where the operator has deleted an event or a request."""

LINE: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\S+) (DEBUG|INFO |WARN |ERROR) (.*?) +([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|-) (.*)",
    re.ASCII | re.DOTALL,
)
"""As `agent.observe.line` writes them: time, level, room, event id, text. Rooms may hold blanks."""


LEVEL_PLACE: Final = slice(30, 35)
"""Of the level in a line: the time before it has always 29 characters."""
RANKS: Final = {level.upper().ljust(5): rank for rank, level in enumerate(LEVELS)}


class Happening(NamedTuple):
    """An event or a request has come to another state. A tuple, because thousands a second are made: attrs' frozen
    objects cost three times as much. `destination` is empty where it is the event's own."""

    at_us: int
    event_id: str
    service: str
    destination: str
    state: str
    text: str


Tiding = Happening | str
"""A happening, or a log line with its line end (and its traceback)."""

HAPPENING_CHARS: Final = 200
"""What a happening takes of memory, beside its text."""


def chars_of(tiding: Tiding) -> int:
    """About what it takes of memory."""
    return len(tiding) if isinstance(tiding, str) else HAPPENING_CHARS + len(tiding.text)


def shown(tiding: Tiding) -> dict[str, Any]:
    """As the control API tells it; `kind` is `log` or `event`."""
    if isinstance(tiding, str):
        return line_shown(tiding)
    at = datetime.fromtimestamp(tiding.at_us / 1e6, UTC).isoformat(timespec="milliseconds")
    return {
        "kind": "event",
        "at": at,
        "event_id": tiding.event_id,
        "service": tiding.service,
        "destination": tiding.destination,
        "state": tiding.state,
        "text": tiding.text,
    }


def line_shown(line: str) -> dict[str, Any]:
    """A log line in its parts; what is none (the rest of a torn one) is all text."""
    found = LINE.fullmatch(line.rstrip("\n"))
    if found is None:
        return {"kind": "log", "at": None, "level": "info", "room": "", "event_id": "", "text": line.rstrip("\n")}
    at, level, room, event_id, text = found.groups()
    event_id = "" if event_id == "-" else event_id
    return {"kind": "log", "at": at, "level": level.strip().lower(), "room": room, "event_id": event_id, "text": text}


@attrs.frozen(kw_only=True)
class Wanted:
    """What a reader wants. Empty: no matter which. `service` is `domain|name`, `since` an aware time."""

    kinds: frozenset[str] = frozenset(KINDS)
    service: str = ""
    state: str = ""
    level: str = "debug"
    match: str = ""
    """Text, whatever its case."""
    since: datetime | None = None

    def refuses(self, tiding: Tiding) -> bool:
        """Whether it is surely not for this reader: at a tenth of the cost of looking closer."""
        if isinstance(tiding, str):
            rank = RANKS.get(tiding[LEVEL_PLACE], len(LEVELS))
            is_of_others = bool(self.service) and self.service not in tiding
            return "log" not in self.kinds or rank < LEVELS.index(self.level) or is_of_others
        is_of_others = self.service not in ("", tiding.service) or self.state not in ("", tiding.state)
        return "event" not in self.kinds or is_of_others

    def takes(self, told: Mapping[str, Any]) -> bool:
        """Whether it is for this reader; `told` is what `shown` gives.

        A log line is of a service that wrote it or that it names.
        """
        if told["kind"] not in self.kinds:
            return False
        if told["kind"] == "log":
            if LEVELS.index(told["level"]) < LEVELS.index(self.level):
                return False
            if self.service and self.service != told["room"] and self.service not in told["text"]:
                return False
            words = f"{told['room']} {told['event_id']} {told['text']}"
        else:
            if self.service not in ("", told["service"]) or self.state not in ("", told["state"]):
                return False
            words = f"{told['service']} {told['destination']} {told['event_id']} {told['text']}"
        if self.match and self.match.lower() not in words.lower():
            return False
        return self.since is None or _is_since(told["at"], self.since)


def _is_since(at: str | None, since: datetime) -> bool:
    try:
        return at is not None and datetime.fromisoformat(at) >= since
    except (ValueError, TypeError):
        return False

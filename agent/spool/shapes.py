"""Rows as people and programs are shown them: JSON-able shapes, described in docs/control-api.rst."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import apsw

from agent.delivery import Outcome, State
from agent.spool.layout import EDIT, PURGE

MAX_BODY_BYTES: Final = 64 * 1024
"""Of a body that is shown; `body_cut` says that there is more."""

_WORDS: Final[Mapping[str, str]] = {
    Outcome.CLAIM.value: "begun",
    Outcome.SUCCEED.value: "done",
    Outcome.SUPPRESS.value: "suppressed",
    Outcome.POSTPONE.value: "postponed",
    Outcome.GIVE_UP.value: "given up",
    Outcome.INTERRUPT.value: "interrupted",
    Outcome.REPLAY.value: "replayed",
    EDIT: "edited",
    PURGE: "purged",
}

_INTERVENTIONS: Final = frozenset({Outcome.REPLAY.value, EDIT, PURGE})

Shape = dict[str, Any]


def dictionaries(connection: apsw.Connection, query: str, bindings: Sequence[apsw.SQLiteValue]) -> list[Shape]:
    """Rows with the names of their columns."""
    cursor = connection.execute(query, bindings)
    found = []
    for row in cursor:
        names = [name for name, _ in cursor.get_description()]
        found.append(dict(zip(names, row, strict=True)))
    return found


def summary(row: Shape) -> Shape:
    """An event in a list."""
    return {
        "id": row["id"],
        "service": row["service"],
        "state": State(row["state"]).label,
        "received": iso(row["received_us"]),
        "attempt": row["attempt"],
        "size_bytes": row["size_bytes"],
        "peer": row["peer"],
        "priority": "high" if row["priority"] else "normal",
        "group": row["grp"],
        "reason": row["reason"],
        "due": due(row),
    }


def due(row: Shape) -> str | None:
    """When it is tried again, None for what does not wait. By the wall clock at the time of the failure."""
    return iso(row["due_us"]) if row["state"] == State.WAITING.value and row["due_us"] else None


def request(event_id: str, row: Shape, steps: Sequence[Shape]) -> Shape:
    """A request of an event, with its road."""
    body, is_cut = text(row["whole"], None)
    answer = None
    if row["answer_status"] is not None:
        answer_body, _ = text(row["answer_body"], None)
        answer = {
            "status": row["answer_status"],
            "where": row["answer_where"],
            "body": answer_body,
            "content_type": row["answer_type"],
        }
    return {
        "id": f"{event_id}/{row['number']}",
        "destination": row["destination"],
        "state": State(row["state"]).label,
        "attempt": row["attempt"],
        "method": row["method"],
        "path": row["path"],
        "content_type": row["content_type"],
        "body": body,
        "body_cut": is_cut,
        "headers": json.loads(row["headers"]),
        "created": iso(row["created_us"]),
        "answer": answer,
        "reason": row["reason"],
        "due": due(row),
        "steps": [
            {"at": iso(row["created_us"]), "step": "stored", "text": f"for {row['destination']}"},
            *road(steps, f"sending to {row['destination']}"),
        ],
    }


def event_road(row: Shape, steps: Sequence[Shape]) -> list[Shape]:
    """The road of an event, of whose requests' steps none are among `steps`."""
    return [
        {"at": iso(row["received_us"]), "step": "received", "text": f"from {row['peer']}"},
        {"at": iso(row["stored_us"]), "step": "stored", "text": f"place {row['seq']}"},
        *road(steps, f"handed to {row['service']}"),
    ]


def road(steps: Sequence[Shape], begun: str) -> list[Shape]:
    """Two lines for each attempt, when it began and what came of it; one for what an operator did.

    Attempts are counted from the last replay on.
    """
    lines = []
    attempt = 0
    for step in steps:
        if step["outcome"] not in _INTERVENTIONS:
            attempt += 1
            # When an attempt began that went down with the agent is not known.
            at_us = step["begun_us"] or step["ended_us"]
            when = "" if step["begun_us"] else ", some time before"
            lines.append({"at": iso(at_us), "step": "begun", "text": f"{begun}, attempt {attempt}{when}"})
        elif step["outcome"] == Outcome.REPLAY.value:
            attempt = 0
        said = "\n".join(part for part in (step["text"], step["detail"]) if part)
        lines.append({"at": iso(step["ended_us"]), "step": _WORDS[step["outcome"]], "text": said})
    return lines


def iso(time_us: int) -> str:
    """ISO 8601 with milliseconds and zone (UTC). Whole seconds and the rest are kept apart: floats would round."""
    seconds, rest_us = divmod(time_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_us // 1000:03}+00:00"


def text(body: bytes, charset: str | None) -> tuple[str, bool]:
    """A body to look at, and whether it was cut. What cannot be decoded is shown as replacement characters."""
    shown = body[:MAX_BODY_BYTES]
    try:
        return shown.decode(charset or "utf-8", "replace"), len(body) > MAX_BODY_BYTES
    except LookupError:
        return shown.decode("utf-8", "replace"), len(body) > MAX_BODY_BYTES

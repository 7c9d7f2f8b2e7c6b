"""The road of one event, as `iadmin event show` tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from iadmin.model import Block
from iadmin.render import Body, Cell, Column, Facts, Line, Table, state_cell
from iadmin.text import duration, exact, moment, size


def road_blocks(event: Mapping[str, Any], now: datetime) -> tuple[Block, ...]:
    """Facts about the event, one time line of it and of its requests, then bodies: its own, those sent, the answers."""
    requests = event.get("requests") or ()
    return (
        _facts(event, now),
        _time_line(event, now),
        *_details(event),
        *_body("What came in", event),
        *(block for request in requests for block in _request(request, now)),
    )


def _facts(event: Mapping[str, Any], now: datetime) -> Facts:
    path = str(event.get("path") or "") + (f"?{event['query']}" if event.get("query") else "")
    kind = " ".join(str(event[name]) for name in ("kind", "content_type", "charset") if event.get(name))
    return Facts(
        pairs=(
            ("event", Cell(str(event.get("id", "")), "bold")),
            ("state", state_cell(event.get("state", ""))),
            ("reason", Cell(str(event.get("reason") or ""), "warn")),
            ("service", str(event.get("service", ""))),
            ("received", exact(event.get("received"), now.tzinfo)),
            ("from", str(event.get("peer") or "")),
            ("path", path),
            ("body", f"{size(int(event.get('size_bytes') or 0))} {kind}"),
            ("priority", str(event.get("priority", ""))),
            ("group", str(event.get("group") or "")),
            ("tries", str(event.get("attempt", ""))),
            ("next try", _next_try(event, now)),
        )
    )


def _next_try(holder: Mapping[str, Any], now: datetime) -> str:
    due = moment(holder.get("due"))
    if due is None:
        return ""
    left_s = (due - now).total_seconds()
    return f"{exact(holder.get('due'), now.tzinfo)}, {f'in {duration(left_s)}' if left_s > 0 else 'as soon as it may'}"


def _steps(event: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """All steps in order of time; those of the same millisecond stay in the order in which they are told."""
    steps = [("event", step) for step in event.get("steps") or ()]
    for request in event.get("requests") or ():
        # By its own number: one before it may have been purged.
        number = str(request.get("id", "")).rpartition("/")[2]
        steps += [(f"request {number}", step) for step in request.get("steps") or ()]
    return sorted(steps, key=lambda step: str(step[1].get("at", "")))


def _attempts(steps: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
    """For each step which attempt of its event or request it belongs to, 0 before the first; replays begin anew."""
    latest: dict[str, int] = {}
    numbers = []
    for whose, step in steps:
        if step.get("step") in ("begun", "replayed"):
            latest[whose] = latest.get(whose, 0) + 1 if step["step"] == "begun" else 0
        numbers.append(latest.get(whose, 0))
    return numbers


def _details(event: Mapping[str, Any]) -> list[Block]:
    """The newest text of several lines, a traceback above all, of the event and of each request: the time line has room
    for the first line only, and those of ten attempts are a wall."""
    steps = _steps(event)
    found: dict[str, list[tuple[int, str]]] = {}
    for (whose, step), attempt in zip(steps, _attempts(steps), strict=True):
        rest = str(step.get("text", "")).partition("\n")[2].strip("\n")
        if rest:
            found.setdefault(whose, []).append((attempt, rest))
    blocks: list[Block] = []
    for whose, texts in found.items():
        attempt, newest = texts[-1]
        others = [text for _, text in texts[:-1]]
        blocks.append(Body(title=f"Details of {whose}, attempt {attempt}", text=newest))
        if others:
            alike = "the same" if set(others) == {newest} else "in part others"
            blocks.append(Line(f"Those of {len(others)} earlier ones are {alike}: --json has them.", "dim"))
    return blocks


LONG: Final = 20
"""Characters of a reason from which on "the same as before" is the quicker reading."""

SHOWN_ENDS: Final = 6
"""Steps at the beginning and at the end of a road that are shown of a long one: a destination that is away for three
days is tried nine hundred times."""


def _time_line(event: Mapping[str, Any], now: datetime) -> Table:
    steps = _steps(event)
    begin = moment(steps[0][1].get("at")) if steps else None
    rows: list[tuple[str | Cell, ...]] = []
    said: dict[str, str] = {}
    left_out = range(SHOWN_ENDS, len(steps) - SHOWN_ENDS) if len(steps) > 4 * SHOWN_ENDS else range(0)
    for index, (whose, step) in enumerate(steps):
        if index in left_out:
            if index == left_out.start:
                rows.append(("...", "", "", Cell(f"{len(left_out)} steps", "dim"), "--json has them"))
            continue
        at = moment(step.get("at"))
        after = duration((at - begin).total_seconds()) if at and begin else ""
        clock_time = at.astimezone(now.tzinfo).strftime("%H:%M:%S.%f")[:-3] if at else str(step.get("at", ""))
        text = str(step.get("text", "")).partition("\n")[0]
        is_repeated = len(text) > LONG and said.get(whose) == text
        if step.get("step") != "begun":
            said[whose] = text
        rows.append(
            (
                clock_time,
                "+" + after,
                whose,
                Cell(str(step.get("step", "")), "bold"),
                "the same as before" if is_repeated else text,
            )
        )
    return Table(
        title="Road",
        columns=(
            Column("TIME"),
            Column("AFTER", "right"),
            Column("OF"),
            Column("STEP"),
            Column("", flexible=True, wraps=True),
        ),
        rows=rows,
        empty="nothing is known of it",
    )


def _request(request: Mapping[str, Any], now: datetime) -> list[Block]:
    number = str(request.get("id", "")).rpartition("/")[2]
    blocks: list[Block] = [
        Facts(
            title=f"Request {number} to {request.get('destination', '')}",
            pairs=(
                ("state", state_cell(request.get("state", ""))),
                ("reason", Cell(str(request.get("reason") or ""), "warn")),
                ("sent", " ".join(str(request[n]) for n in ("method", "path", "content_type") if request.get(n))),
                ("tries", str(request.get("attempt", ""))),
                ("next try", _next_try(request, now)),
                *(("header", f"{name}: {value}") for name, value in _headers(request.get("headers"))),
            ),
        ),
        *_body("What was sent", request),
    ]
    answer = request.get("answer")
    if answer is None:
        blocks.append(Line("No answer yet." if request.get("state") != "dead" else "No answer.", "dim"))
        return blocks
    said = f"status {answer['status']}" if answer.get("status") else "written"
    blocks.append(Facts(pairs=(("answer", f"{said}, {answer.get('where', '')}"),)))
    return [*blocks, *_body("What was answered", answer)]


def _headers(headers: Any) -> list[tuple[str, str]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return [(str(name), str(value)) for name, value in pairs]


def _body(title: str, holder: Mapping[str, Any]) -> list[Block]:
    text = str(holder.get("body") or "")
    if not text:
        return []
    return [Body(title=title + (" (cut)" if holder.get("body_cut") else ""), text=text.rstrip("\r\n"))]

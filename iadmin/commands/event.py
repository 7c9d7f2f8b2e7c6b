"""`iadmin event`: events that came in, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agent.delivery import State
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.arguments import find_moment, find_service
from iadmin.commands.lazy import Command, Group
from iadmin.commands.naming import id_cells, service_filter, short_names
from iadmin.commands.records import open_records
from iadmin.commands.road import road_blocks
from iadmin.commands.sending import (
    PASSWORD_VARIABLE,
    answer_outcome,
    content_type_of,
    credentials,
    entrance,
    read_file,
)
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Cell, Column, Table, clock, moment, size, state_cell

MAX_LISTED = 1000
"""The control API's own limit for one answer."""


@click.group(cls=Group)
def event() -> None:
    """Look at events, and send one."""


@event.command("list", cls=Command)
@click.option("--service", metavar="NAME", default="", help="Only events of this service.")
@click.option("--state", type=click.Choice([state.label for state in State]), help="Only events that stand there.")
@click.option("--since", metavar="TIME", default="", help="Only events received since: 15m, 2h, 3d, today, or a time.")
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=50, show_default=True, help="How many at most.")
@pass_tools
def list_events(tools: Tools, service: str, state: str | None, since: str, limit: int) -> Outcome:
    """List events, newest first."""
    filters = {
        "service": service_filter(tools, service),
        "state": state or "",
        "limit": str(limit),
    }
    now = tools.now()
    oldest = find_moment(since, now) if since else None
    records = open_records(tools)
    # The newest come first and are limited first, so leaving out the old ones here is the same as never reading them.
    events = [one for one in records.events(filters) if oldest is None or _is_since(one, oldest)]
    named = short_names([str(one.get("service", "")) for one in events])
    ids = id_cells([str(one.get("id", "")) for one in events])
    table = Table(
        columns=(
            Column("RECEIVED"),
            Column("STATE"),
            Column("SERVICE", flexible=True),
            Column("ID", brief=True),
            Column("SENT"),
            Column("TRIES", "right", spare=True),
            Column("SIZE", "right", spare=True),
            Column("FROM", spare=True),
            Column("REASON", flexible=True),
        ),
        rows=[
            (
                clock(one.get("received"), now),
                state_cell(one.get("state", "")),
                named[str(one.get("service", ""))],
                ids[str(one.get("id", ""))],
                sent_cell(one),
                str(one.get("attempt", "")),
                size(int(one.get("size_bytes") or 0)),
                str(one.get("peer") or ""),
                str(one.get("reason") or one.get("lost") or "").partition("\n")[0],
            )
            for one in events
        ],
        empty="There are no such events." if any((service, state, since)) else "There are no events yet.",
    )
    return Outcome(data={"events": events}, blocks=(table,), notes=records.notes)


@event.command(cls=Command)
@click.argument("event_id", metavar="[ID]", default="")
@pass_tools
def show(tools: Tools, event_id: str) -> Outcome:
    """Tell the whole road of one event, with times.

    Received, stored, handed to the service, what it sent where, and the answer. ID may be the beginning of an id;
    without it, the newest event is shown.
    """
    records = open_records(tools)
    wanted = event_id.strip().lower()
    if not wanted:
        newest = records.events({"limit": "1"})
        if not newest:
            raise OperatorError(
                "no-events",
                f'there are no events yet on {tools.home}; send one with "iadmin event send SERVICE FILE"',
                exit_status=ExitStatus.FAILED,
            )
        wanted = str(newest[0]["id"])
    found = records.event(wanted)
    if found is None:
        raise OperatorError(
            "no-such-event",
            f'no event, or more than one, has an id that begins with {event_id!r}; "iadmin event list" shows the ids',
            exit_status=ExitStatus.FAILED,
        )
    return Outcome(data=found, blocks=road_blocks(found, tools.now()), notes=records.notes)


@event.command(cls=Command)
@click.argument("service", metavar="SERVICE")
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--content-type", metavar="TYPE", help="Content-Type to send (default: from the first characters).")
@click.option("--user", metavar="NAME", help="User for HTTP Basic, where the gateway asks for one.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File whose first line is the user's password (else ${PASSWORD_VARIABLE}, else it is asked for).",
)
@pass_tools
def send(
    tools: Tools, service: str, file: str, content_type: str | None, user: str | None, password_file: Path | None
) -> Outcome:
    """Post FILE (- for standard input) to SERVICE through the service gateway.

    SERVICE is domain|name, domain_name, or a bare name that is unambiguous. Over HTTPS the gateway's own certificate
    is trusted. Exit status 0 when the event was accepted, 65 when the gateway refused the event, 77 when it asks for
    other credentials, 75 when it asks to come back later, 69 when it cannot be reached.
    """
    settings, _ = tools.load_config(tools.home)
    name = find_service([one.name for one in settings.services], service)
    body = read_file(tools, file)
    headers = credentials(tools, user, password_file)
    where = entrance(tools, settings)
    url = f"{where.url}/http/{name.url_name}"
    with tools.working(f"sending to {url}"):
        answer = tools.post(url, content_type or content_type_of(body), body, headers=headers, trusted=where.trusted)
    return answer_outcome(answer, url=url, service=name)


def sent_cell(event: Mapping[str, Any]) -> Cell:
    """What became of the requests of an event, the worst first: its own state does not tell of them."""
    parts = [(name, int(event.get(f"requests_{name}") or 0)) for name in ("dead", "open", "done")]
    text = ", ".join(f"{number} {name}" for name, number in parts if number)
    return Cell(text, "bad" if parts[0][1] else "warn" if parts[1][1] else "")


def _is_since(event: Mapping[str, Any], oldest: datetime) -> bool:
    received = moment(event.get("received"))
    return received is None or received >= oldest

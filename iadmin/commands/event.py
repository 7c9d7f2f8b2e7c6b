"""`iadmin event`: events that came in, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import attrs
import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.arguments import find_service
from iadmin.commands.completing import service_names
from iadmin.commands.eventchoice import EventChoice, event_filters
from iadmin.commands.identifying import Given, client_files, header_fields, identifying_options
from iadmin.commands.lazy import Command, Group
from iadmin.commands.naming import id_cells, short_names
from iadmin.commands.records import open_records
from iadmin.commands.road import road_blocks
from iadmin.commands.sending import answer_outcome, content_type_of, entrance, read_file
from iadmin.commands.tools import Tools, pass_tools
from iadmin.commands.writingout import write_out
from iadmin.model import Outcome
from iadmin.render import Cell, Column, Table, state_cell
from iadmin.text import clock, size

MAX_LISTED = 1000
"""The control API's own limit for one answer."""
FOLDER: Final = click.Path(file_okay=False)
WHOLE: Final = frozenset({"kind", "content_type", "charset", "path", "query", "steps"})
"""What `bodies` of `/v1/events` adds to a summary."""


@click.group(cls=Group)
def event() -> None:
    """Look at events, and send one."""


@event.command("list", cls=Command)
@event_filters
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=50, show_default=True, help="How many at most.")
@pass_tools
def list_events(tools: Tools, /, limit: int, **said: str | None) -> Outcome:
    """List events, newest first."""
    choice = EventChoice.read(tools, said)
    now = tools.now()
    records = open_records(tools)
    if choice.match is None and choice.since is None:
        events = records.events({**choice.filters, "limit": str(limit)})
    else:
        with tools.working("looking for events"):
            events = [_summary(one) for one, _ in islice(choice.fitting(records), limit)]
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
        empty="There are no such events." if choice.is_narrow else "There are no events yet.",
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
                f'there are no events yet on {tools.where}; send one with "iadmin event send SERVICE FILE"',
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
@event_filters
@click.option("--all", "is_all", is_flag=True, help="All events.")
@click.option("--to", "target", metavar="DIR", type=FOLDER, help="A new folder: a file for each body.")
@pass_tools
def export(tools: Tools, /, is_all: bool, target: str | None, **said: str | None) -> Outcome:
    """Write events out, with their bodies: JSON lines on standard output, or files in a new folder.

    They stay where they are. A body is posted again with "iadmin event send SERVICE FILE", here or elsewhere.
    """
    choice = EventChoice.read(tools, said)
    if not is_all and not choice.is_narrow:
        raise OperatorError(
            "which-events",
            "say which ones: filters (--service, --since, --match, ...), or --all",
            exit_status=ExitStatus.USAGE,
        )
    records = open_records(tools)
    with tools.working("looking for events"):
        wanted = {str(one["id"]) for one, _ in choice.fitting(records)}
    everything = attrs.evolve(choice, match=None)
    whole = (pair for pair in everything.fitting(records, bodies=True) if pair[0]["id"] in wanted)
    return write_out(tools, whole, len(wanted), target=target, what="event", notes=lambda: records.notes)


@event.command(cls=Command)
@click.argument("service", metavar="SERVICE", shell_complete=service_names)
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--content-type", metavar="TYPE", help="Content-Type to send (default: from the first characters).")
@click.option("--gateway", type=click.IntRange(1, 65535), metavar="PORT", help="Of several service gateways, this one.")
@pass_tools
@identifying_options
def send(
    tools: Tools, service: str, file: str, content_type: str | None, gateway: int | None, identity: Given
) -> Outcome:
    """Post FILE (- for standard input) to SERVICE through the service gateway.

    SERVICE is domain|name, domain_name, or a bare name that is unambiguous. Over HTTPS the gateway's own certificate
    is trusted. Exit status 0 when the event was accepted, 65 when the gateway refused the event, 77 when it asks for
    other credentials, 75 when it asks to come back later, 69 when it cannot be reached.
    """
    settings, _ = tools.load_config(tools.home)
    name = find_service([one.name for one in settings.services], service)
    body = read_file(tools, file)
    target = name.path
    headers = header_fields(tools, identity, target=target, body=body)
    client = client_files(tools, identity)
    where = entrance(tools, settings, gateway)
    url = where.url + target
    kind = content_type or content_type_of(body)
    with tools.working(f"sending to {url}"):
        answer = tools.post(url, kind, body, headers=headers, trusted=where.trusted, client=client)
    return answer_outcome(answer, url=url, service=name)


def sent_cell(event: Mapping[str, Any]) -> Cell:
    """What became of the requests of an event, the worst first: its own state does not tell of them."""
    parts = [(name, int(event.get(f"requests_{name}") or 0)) for name in ("dead", "open", "done")]
    text = ", ".join(f"{number} {name}" for name, number in parts if number)
    return Cell(text, "bad" if parts[0][1] else "warn" if parts[1][1] else "")


def _summary(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as it stands in a list, whatever was read of it to find it."""
    return {name: value for name, value in event.items() if name not in WHOLE}

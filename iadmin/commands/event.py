"""`iadmin event`: events that came in, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import attrs
import click

from agent.errors import AgentError, ExitStatus, OperatorError
from iadmin.commands.arguments import find_service, running_service
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
from iadmin.render import Cell, Column, Line, Table, state_cell
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
    found = _found(records.event(wanted), event_id)
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
    is trusted. With --connect the agent takes it in over its admin gateway: leave out --gateway and credentials.

    Exit status 0 when the event was accepted, 65 when the gateway refused the event, 77 when it asks for
    other credentials, 75 when it asks to come back later, 69 when it cannot be reached.
    """
    if tools.is_remote:
        return _put_in(tools, service, file, content_type, is_plain=gateway is None and identity == Given())
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


def _put_in(tools: Tools, service: str, file: str, content_type: str | None, *, is_plain: bool) -> Outcome:
    if not is_plain:
        raise OperatorError(
            "not-from-afar",
            "with --connect the event goes over the admin gateway; leave out --gateway and the credentials",
            exit_status=ExitStatus.USAGE,
        )
    link = tools.link()
    name = running_service(link, service)
    body = read_file(tools, file)
    with tools.working(f"sending to {tools.where}"):
        event_id = link.put_in(name, body, content_type or content_type_of(body))
    return Outcome(
        data={"service": name, "request_id": event_id},
        blocks=(Line(event_id),),
        notes=(f'accepted for {name}; "iadmin event show {event_id}" tells what became of it',),
    )


@event.command(cls=Command)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_tools
def replay(tools: Tools, ids: tuple[str, ...], yes: bool) -> Outcome:
    """Take in events that are done once more, as new events.

    ID is an event's id or its beginning. What they did is done a second time: receivers do not know the new ones for
    doubles. Filters against repeated events count them as repetitions. What is dead is for "iadmin deadletter replay".
    """
    link = tools.running("the agent takes the events in")
    found = {str(_found(link.event(one.strip().lower()), one)["id"]): None for one in ids}
    what = "1 event" if len(found) == 1 else f"{len(found)} events"
    if not yes:
        answer = tools.ask(f"Take in {what} once more? What was sent for them is sent a second time.")
        if answer is None:
            raise OperatorError(
                "not-sure",
                f"this would take in {what} once more, and nobody is here to be asked; say --yes if that is meant",
                exit_status=ExitStatus.USAGE,
            )
        if not answer:
            return Outcome(data={"replayed": []}, blocks=(Line("Nothing was done."),), exit_status=ExitStatus.FAILED)
    made: list[dict[str, str]] = []
    for one in found:
        try:
            made.append({"of": one, "id": link.repeat(one)})
        except AgentError as error:
            before = f"; taken in before it: {', '.join(one['of'] for one in made)}" if made else ""
            raise OperatorError(error.code, error.sentence + before, exit_status=error.exit_status) from error
    return Outcome(
        data={"replayed": made},
        blocks=tuple(Line(one["id"]) for one in made),
        notes=tuple(f"{one['of']} is taken in again, as {one['id']}" for one in made),
    )


def _found(event: Mapping[str, Any] | None, asked: str) -> Mapping[str, Any]:
    if event is None:
        raise OperatorError(
            "no-such-event",
            f'no event, or more than one, has an id that begins with {asked!r}; "iadmin event list" shows the ids',
            exit_status=ExitStatus.FAILED,
        )
    return event


def sent_cell(event: Mapping[str, Any]) -> Cell:
    """What became of the requests of an event, the worst first: its own state does not tell of them."""
    parts = [(name, int(event.get(f"requests_{name}") or 0)) for name in ("dead", "open", "done")]
    text = ", ".join(f"{number} {name}" for name, number in parts if number)
    return Cell(text, "bad" if parts[0][1] else "warn" if parts[1][1] else "")


def _summary(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as it stands in a list, whatever was read of it to find it."""
    return {name: value for name, value in event.items() if name not in WHOLE}

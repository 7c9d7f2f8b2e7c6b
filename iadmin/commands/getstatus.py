"""`iadmin get-status`: the layout that the original prints, line for line, for scripts that parse it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Any, Final
from urllib.parse import quote

import click

from agent.hosts import ON_THIS_MACHINE, in_url
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Script
from iadmin.text import moment

STATES: Final[Mapping[str, str]] = {
    "active": "ACTIVE",
    "inactive": "INACTIVE",
    "failing": "ERROR",
    "crash-loop": "ERROR",
}
"""Others are their own names in capitals: STARTING, SUSPENDING, SUSPENDED, STOPPING."""
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""The original's, whatever the locale of the machine."""


@click.command("get-status", cls=Command)
@pass_tools
def get_status(tools: Tools) -> Outcome:
    """Print the status in the layout of the original, for scripts that search it.

    People read "iadmin status". The HTTP destinations take the place of the servers.
    """
    link = tools.running('start it with "iadmin start"')
    found = link.status()
    queues = link.queues()
    zone = tools.now().tzinfo
    assert zone is not None
    text = "\n".join(_lines(found, queues, zone))
    return Outcome(data={"status": found, "queues": queues}, blocks=(Script(text),))


def _lines(found: Mapping[str, Any], queues: Mapping[str, Any], zone: tzinfo) -> Iterator[str]:
    released = java_date(found.get("released"), zone).split(", ")
    yield f"Version: {found.get('version', '')}"
    yield f"Release date: {released[0]}, {released[-1].split(' ')[0]}"
    yield f"Agent started: {java_date(found.get('started'), zone)}"
    yield f"Agent ID: {found.get('agent_id', '')}"
    yield ""
    yield "Integration Services:"
    base = _base_url(found)
    services: Sequence[Mapping[str, Any]] = found.get("services", ())
    ordered = sorted(services, key=lambda one: _domain(one))
    for domain, members in groupby(ordered, key=_domain):
        yield f"\tEvent domain: {domain}"
        for one in members:
            yield from _service(one, queues.get(str(one.get("service")), {}), base, zone)
    yield ""
    yield ""
    yield "xMatters Servers:"
    for one in found.get("destinations", ()):
        if one.get("kind") == "http":
            yield f"\tURL: {one.get('target', '')}"
            yield f"\tConnectivity status: {_connectivity(one)}"
            yield f"\tLast heartbeat attempt: {java_date(one.get('last_success'), zone)}"


def _service(one: Mapping[str, Any], queues: Mapping[str, Any], base: str, zone: tzinfo) -> Iterator[str]:
    yield f"\t\tName: {str(one.get('service', '')).partition('|')[2]}"
    yield "\t\tClients: [MG, APCLIENT]"
    yield f"\t\tURL: {base}/{quote(str(one.get('url_name', '')))}"
    yield f"\t\tStarted: {java_date(one.get('started'), zone)}"
    yield f"\t\tLast request: {java_date(one.get('last_request'), zone)}"
    state = str(one.get("state", ""))
    yield f"\t\tStatus: {STATES.get(state, state.upper())}"
    yield f"\t\tPending request count: {one.get('in_hand', 0)}"
    for way in ("inbound", "outbound"):
        for priority in ("normal", "high"):
            count = queues.get(way, {}).get(priority, 0)
            yield f"\t\t{priority.capitalize()} priority {way} APXML queue size: {count}"


def _domain(one: Mapping[str, Any]) -> str:
    return str(one.get("service", "")).partition("|")[0]


def _base_url(found: Mapping[str, Any]) -> str:
    """Of the first gateway; where it listens everywhere, with the address that the machine uses towards the outside."""
    gateway: Mapping[str, Any] = next(iter(found.get("gateways", ())), {})
    host = str(gateway.get("host", ""))
    if host in ON_THIS_MACHINE:
        host = str(found.get("address", ""))
    return f"{'https' if gateway.get('ssl') else 'http'}://{in_url(host)}:{gateway.get('port', '')}"


def _connectivity(one: Mapping[str, Any]) -> str:
    """In the words that monitoring looks for: what is known of the far end, from what was sent there."""
    if one.get("circuit") == "open":
        return "UNREACHABLE"
    return "REJECTED" if one.get("last_error") else "PRIMARY_ACCEPTED"


def java_date(value: object, zone: tzinfo) -> str:
    """`Oct 14, 2018 9:38:19 PM`, as Java writes it for the US; `none` for a time that has not been."""
    found: datetime | None = moment(value)
    if found is None:
        return "none"
    there = found.astimezone(zone)
    half = "AM" if there.hour < 12 else "PM"
    clock = f"{there.hour % 12 or 12}:{there:%M:%S} {half}"
    return f"{MONTHS[there.month - 1]} {there.day}, {there.year} {clock}"

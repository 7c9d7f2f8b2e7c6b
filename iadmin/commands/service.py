"""`iadmin service`: integration services and their workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from agent.config.model import ServiceConfig
from agent.errors import MachineError
from iadmin.commands.lazy import Command, LazyGroup
from iadmin.commands.records import BETWEEN_WORDS, NOT_RUNNING
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Body, Cell, Column, Facts, Table, state_cell
from iadmin.text import clock

COMMANDS: Final = {
    "list": ("iadmin.commands.service:list_services", "List the services with their state, backlog and last error."),
    "new": ("iadmin.commands.service_new:new", "Begin a service: descriptor, Python file, test, example event."),
    "logs": (
        "iadmin.commands.service_logs:logs",
        "Show what a service logs and prints, and what the agent says of it.",
    ),
    "test": ("iadmin.commands.service_try:try_event", "Give a service an event and show what it would send."),
    "check": ("iadmin.commands.service_check:check", "Say what of a site's files works as it is."),
}
"""Verb -> where it is, and what help says of it (the first sentence of the command's own help; a test compares)."""


@click.group(cls=LazyGroup, lazy=COMMANDS)
def service() -> None:
    """Look at integration services, begin one, try one."""


@click.command("list", cls=Command)
@pass_tools
def list_services(tools: Tools) -> Outcome:
    """List the services with their state, backlog and last error."""
    pid = tools.agent_pid()
    found: list[dict[str, Any]] | None = None
    if pid is not None:
        try:
            found = tools.link().services()
        except MachineError as error:
            if error.code != NOT_RUNNING:
                raise
    notes: tuple[str, ...] = ()
    if found is None:
        settings, _ = tools.load_config(tools.home)
        found = [_from_config(one) for one in settings.services]
        state = "not running" if pid is None else BETWEEN_WORDS
        notes = (f"the agent on {tools.where} is {state}; this is what its configuration says",)
    services = found
    errors = [(str(one["service"]), Cell(str(one["last_error"]), "bad")) for one in services if one.get("last_error")]
    return Outcome(
        data={"services": services},
        blocks=(
            service_table(services, tools.now()),
            *((Facts(title="Last errors", pairs=errors),) if errors else ()),
            *last_words(services),
        ),
        notes=notes,
    )


def last_words(services: Sequence[Mapping[str, Any]]) -> list[Block]:
    """What the workers of services that do not stay up wrote to stderr at last."""
    return [
        Body(title=f"Last words of {one.get('service', '')}", text="\n".join(map(str, one["stderr_tail"])))
        for one in services
        if one.get("state") in ("failing", "crash-loop") and one.get("stderr_tail")
    ]


def service_table(services: Sequence[Mapping[str, Any]], now: datetime, *, title: str = "") -> Table:
    """The table of services, as `service list` and `status` show it."""
    return Table(
        title=title,
        columns=(
            Column("SERVICE", flexible=True),
            Column("STATE"),
            Column("WAITING", "right"),
            Column("IN HAND", "right"),
            Column("RESTARTS", "right"),
            Column("LAST REQUEST"),
            Column("PID", "right", spare=True),
            Column("HOOKS", spare=True),
        ),
        rows=[
            (
                str(one.get("service", "")),
                state_cell(one.get("state", "")),
                str(one.get("waiting", 0)),
                str(one.get("in_hand", 0)),
                str(one.get("restarts", 0)),
                clock(one.get("last_request"), now) or "none",
                str(one.get("pid") or ""),
                ", ".join(map(str, one.get("hooks") or ())),
            )
            for one in services
        ],
        empty="none",
    )


def _from_config(one: ServiceConfig) -> dict[str, Any]:
    """The keys of a running service, for one of which only the configuration is known."""
    return {
        "service": one.name.client_id,
        "state": "inactive" if not one.is_active else "failing" if one.obstacle else "stopped",
        "runnable": not one.obstacle,
        "url_name": one.name.url_name,
        "pid": None,
        "started": None,
        "hooks": [],
        "restarts": 0,
        "in_hand": 0,
        "waiting": 0,
        "last_error": one.obstacle,
        "last_request": None,
    }

"""`iadmin status` and `iadmin stop`: the agent as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from shlex import quote
from typing import Any, Final

import click

from agent.delivery import attention
from agent.errors import ExitStatus, MachineError
from iadmin.commands.lazy import Command
from iadmin.commands.records import BETWEEN, BETWEEN_WORDS, NOT_RUNNING, spool_ages, spool_counts
from iadmin.commands.service import service_table
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Cell, Column, Facts, Line, Table, clock, duration, exact, moment, state_cell

STOP_PATIENCE_S: Final = 60.0
"""The agent itself gives hooks and deliveries 30 s at most before it ends; twice that means that it hangs."""
STATUS_EXITS: Final = {"starting": ExitStatus.TEMPORARY, "stopping": ExitStatus.TEMPORARY}
"""A script that waits for the agent tries again on 75, and does something about 69."""


@click.command(cls=Command)
@click.option("--counters", is_flag=True, help="Also show what has been counted since the agent's start.")
@pass_tools
def status(tools: Tools, counters: bool) -> Outcome:
    """Show the agent's state on one page.

    Exit status 0 when the agent runs, 75 while it starts or stops, 69 when it does not run.
    """
    pid = tools.agent_pid()
    if pid is None:
        return _stopped(tools)
    try:
        found = tools.open_link(tools.home).status()
    except MachineError as error:
        if error.code != NOT_RUNNING:
            raise
        # It may have ended since it was looked for.
        return _stopped(tools, pid=tools.agent_pid())
    return Outcome(
        data=found,
        blocks=(*_page(found, tools.now()), *(_counters(found.get("counters", {})) if counters else ())),
        exit_status=STATUS_EXITS.get(str(found.get("state")), ExitStatus.OK),
    )


@click.command(cls=Command)
@click.option("--now", is_flag=True, help="Do not wait for hooks and deliveries in hand; they are repeated later.")
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(0, 3600),
    default=STOP_PATIENCE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the end of the process.",
)
@pass_tools
def stop(tools: Tools, now: bool, patience_s: float) -> Outcome:
    """Stop the agent and wait until it is gone.

    Nothing that was acknowledged is lost. Exit status 0 when no agent runs (any more), 75 when it still runs after the
    patience has ended.
    """
    home = tools.home
    pid = tools.agent_pid()
    if pid is None:
        return _was_not_running(home)
    # Hold on to the process before it is told to go: afterwards its pid may belong to somebody else.
    process = tools.watch(pid) if pid else None
    try:
        tools.open_link(home).stop(now=now)
    except MachineError as error:
        if error.code != NOT_RUNNING:
            raise
        if tools.agent_pid() is None:
            return _was_not_running(home)
        raise MachineError(
            "no-control-socket",
            f"the agent on {home} (pid {pid}) is still starting, or its control socket is gone; "
            f'try again, or end it with "kill {pid}"',
            exit_status=ExitStatus.TEMPORARY,
        ) from None
    if process is not None:
        with tools.working(f"waiting for the agent (pid {pid}) to stop"):
            gone = process.is_gone(within_s=patience_s)
        if not gone:
            raise MachineError(
                "still-running",
                f"the agent (pid {pid}) on {home} still runs after {duration(patience_s)}; "
                f'hurry it with "iadmin --home {quote(str(home))} stop --now", or end it with "kill -9 {pid}": nothing '
                "acknowledged is lost",
                exit_status=ExitStatus.TEMPORARY,
            )
    return Outcome(
        data={"home": str(home), "was_running": True, "pid": pid},
        blocks=(Line(f"The agent (pid {pid}) on {home} has stopped.", "good"),),
    )


def _was_not_running(home: object) -> Outcome:
    return Outcome(
        data={"home": str(home), "was_running": False, "pid": None},
        blocks=(Line(f"No agent runs on {home}; there is nothing to stop."),),
    )


def _stopped(tools: Tools, *, pid: int | None = None) -> Outcome:
    """What can be said without the agent: that it is down, or (with its `pid`) between, and what waits for it."""
    home = tools.home
    counts, ages = spool_counts(tools), spool_ages(tools)
    warnings = attention.letters_warning(counts, ages.get("dead"), tools.now())
    return Outcome(
        data={
            "state": "stopped" if pid is None else BETWEEN,
            "home": str(home),
            "spool": counts,
            "dead_letters": {**attention.dead_letters(counts), "oldest": ages.get("dead")},
            "warnings": warnings,
        },
        blocks=(
            *_warnings(warnings),
            Facts(
                pairs=(
                    ("state", state_cell("stopped") if pid is None else Cell(BETWEEN_WORDS, "warn")),
                    ("pid", str(pid or "")),
                    ("home", str(home)),
                )
            ),
            *_spool(counts),
            *(() if pid is not None else (Line(f'Start it with "integration-agent --home {quote(str(home))}".'),)),
        ),
        exit_status=ExitStatus.UNAVAILABLE if pid is None else ExitStatus.TEMPORARY,
    )


def _page(found: Mapping[str, Any], now: datetime) -> list[Block]:
    """One page: warnings first, then the agent, its gateways, services and destinations."""
    started = moment(found.get("started"))
    uptime = f" (up {duration((now - started).total_seconds())})" if started else ""
    facts = Facts(
        pairs=(
            ("state", state_cell(found.get("state", ""))),
            ("agent", str(found.get("agent_id", ""))),
            ("version", str(found.get("version", ""))),
            ("pid", str(found.get("pid", ""))),
            ("started", (exact(found["started"], now.tzinfo) + uptime) if started else ""),
            ("home", str(found.get("home", ""))),
            *(("gateway", _gateway(gateway)) for gateway in found.get("gateways", ())),
        )
    )
    return [
        *_warnings(found.get("warnings", ())),
        facts,
        *_spool(found.get("spool", {})),
        service_table(found.get("services", ()), now, title="Services"),
        _destinations(found.get("destinations", ()), now),
        *_last_errors(found),
    ]


def _warnings(warnings: Iterable[str]) -> list[Block]:
    return [Line(f"warning: {warning}", "warn") for warning in warnings]


def _counters(counters: Mapping[str, Mapping[str, int]]) -> list[Block]:
    """One line for each counter and label."""
    rows = [(name, label, f"{count:,}") for name, labels in counters.items() for label, count in labels.items()]
    columns = (Column("COUNTER"), Column("OF", flexible=True), Column("SINCE THE START", "right"))
    return [Table(title="Counters", columns=columns, rows=rows, empty="nothing has been counted yet")]


def _last_errors(found: Mapping[str, Any]) -> list[Block]:
    """Whole and below the tables, where a narrow terminal has no room for them."""
    named = [(one.get("service"), one.get("last_error")) for one in found.get("services", ())]
    named += [(one.get("destination"), one.get("last_error")) for one in found.get("destinations", ())]
    pairs = [(str(name), Cell(str(error), "bad")) for name, error in named if error]
    return [Facts(title="Last errors", pairs=pairs)] if pairs else []


def _gateway(gateway: Mapping[str, Any]) -> str:
    host = str(gateway.get("host") or "*")
    scheme = "https" if gateway.get("ssl") else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{gateway.get('port', '')}"
    presented = next(iter(dict(gateway.get("tls") or {}).get("certificates", ())), None)
    if presented is None:
        return url
    days_left = presented.get("days_left")
    left = "" if days_left is None else " (EXPIRED)" if days_left < 0 else f" ({days_left} days left)"
    return f"{url} presents {presented.get('alias', '')}{left}"


def _spool(counts: Mapping[str, Any]) -> list[Block]:
    """Backlog and dead letters: the counts that ask for somebody's attention, per service and destination."""
    rows = []
    for kind in ("services", "destinations"):
        states: Mapping[str, int]
        for name, states in sorted(dict(counts.get(kind, {})).items()):
            open_ones = sum(states.get(state, 0) for state in ("received", "claimed", "waiting"))
            dead = states.get("dead", 0)
            rows.append(
                (
                    kind.removesuffix("s"),
                    name,
                    Cell(str(open_ones), "warn" if states.get("waiting") else ""),
                    Cell(str(dead), "bad" if dead else ""),
                    str(states.get("done", 0)),
                )
            )
    if not rows:
        return []
    columns = (
        Column("FOR"),
        Column("NAME", flexible=True),
        Column("OPEN", "right"),
        Column("DEAD", "right"),
        Column("DONE", "right"),
    )
    return [Table(title="Spool", columns=columns, rows=rows)]


def _destinations(destinations: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    return Table(
        title="Destinations",
        columns=(
            Column("DESTINATION"),
            Column("BACKLOG", "right"),
            Column("LAST SUCCESS"),
            Column("TARGET", flexible=True),
        ),
        rows=[
            (
                str(destination.get("destination", "")),
                str(destination.get("backlog", 0)),
                clock(destination.get("last_success"), now) or "none",
                str(destination.get("target", "")),
            )
            for destination in destinations
        ],
        empty="none",
    )

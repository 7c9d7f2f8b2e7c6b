"""`iadmin status`: the agent as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any, Final

import click

from agent.delivery import attention
from agent.errors import ExitStatus, MachineError
from iadmin.commands.dashboard import page, warning_lines
from iadmin.commands.lazy import Command
from iadmin.commands.records import BETWEEN, BETWEEN_WORDS, NOT_RUNNING, spool_ages, spool_counts
from iadmin.commands.tools import Tools, pass_tools
from iadmin.commands.watching import watch, watch_option
from iadmin.model import Block, Outcome
from iadmin.render import Cell, Column, Facts, Line, Table, state_cell

STATUS_EXITS: Final = {"starting": ExitStatus.TEMPORARY, "stopping": ExitStatus.TEMPORARY}
"""A script that waits for the agent tries again on 75, and does something about 69."""


@click.command(cls=Command)
@click.option("--counters", is_flag=True, help="Also show what has been counted since the agent's start.")
@watch_option
@pass_tools
def status(tools: Tools, counters: bool, every_s: float | None) -> Outcome:
    """Show the agent's state on one page.

    Exit status 0 when the agent runs, 75 while it starts or stops, 69 when it does not run.
    """
    if every_s is None:
        return _look(tools, counters=counters)
    return watch(tools, lambda: _look(tools, counters=counters), every_s)


def _look(tools: Tools, *, counters: bool) -> Outcome:
    pid = tools.agent_pid()
    if pid is None:
        return _stopped(tools)
    try:
        found = tools.link().status()
    except MachineError as error:
        if error.code != NOT_RUNNING:
            raise
        # It may have ended since it was looked for.
        return _stopped(tools, pid=tools.agent_pid())
    return Outcome(
        data=found,
        blocks=(*page(found, tools.now()), *(_counters(found.get("counters", {})) if counters else ())),
        exit_status=STATUS_EXITS.get(str(found.get("state")), ExitStatus.OK),
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
            *warning_lines(warnings),
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


def _counters(counters: Mapping[str, Mapping[str, int]]) -> list[Block]:
    """One line for each counter and label."""
    rows = [(name, label, f"{count:,}") for name, labels in counters.items() for label, count in labels.items()]
    columns = (Column("COUNTER"), Column("OF", flexible=True), Column("SINCE THE START", "right"))
    return [Table(title="Counters", columns=columns, rows=rows, empty="nothing has been counted yet")]


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

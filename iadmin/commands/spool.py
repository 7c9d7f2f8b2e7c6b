"""`iadmin spool`: the store of events on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from agent.errors import ExitStatus, MachineError
from iadmin.commands.lazy import Command, Group
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Body, Cell, Column, Facts, Table
from iadmin.text import size


@click.group(cls=Group)
def spool() -> None:
    """Check, count, compact and mend the store of events."""


@spool.command(cls=Command)
@pass_tools
def check(tools: Tools) -> Outcome:
    """Look at every page of the spool, and see that nothing is missing.

    Only reads, also beside a running agent; a large spool takes minutes. Exit status 0 when it is sound, 74 when not.
    """
    with tools.open_upkeep(tools.home, alone=False) as upkeep, tools.working("looking at every page"):
        found = upkeep.check()
    if found["sound"]:
        text = f"The spool is sound: {found['events']} events, {found['requests']} requests."
        return Outcome(data=found, blocks=(Body(text=text),))
    advice = "start the agent anew: it moves a damaged spool aside, saves what is readable, and says what that was"
    return Outcome(
        data=found,
        blocks=(Body(title="What is wrong", text="\n".join(map(str, found["faults"]))),),
        notes=(advice,),
        exit_status=ExitStatus.IO_ERROR,
    )


@spool.command(cls=Command)
@pass_tools
def stats(tools: Tools) -> Outcome:
    """Show what the spool holds and what takes its space."""
    with tools.open_upkeep(tools.home, alone=False) as upkeep:
        found = upkeep.stats()
    facts = Facts(
        pairs=[
            ("Format", str(found["format"])),
            *((name, size(int(taken))) for name, taken in found["files"].items()),
            ("Unused inside", size(int(found["unused_bytes"]))),
            ("Free on the disk", size(int(found["free_bytes"]))),
            *((f"Quarantine {number}", Cell(str(name), "warn")) for number, name in enumerate(found["quarantines"], 1)),
        ]
    )
    tables = [_counts("SERVICE", found["services"]), _counts("DESTINATION", found["destinations"])]
    return Outcome(data=found, blocks=(facts, *tables))


@spool.command(cls=Command)
@pass_tools
def compact(tools: Tools) -> Outcome:
    """Write the spool anew without its unused space; the agent must not run."""
    _refuse_while_running(tools, "compact")
    with tools.open_upkeep(tools.home, alone=True) as upkeep, tools.working("writing the spool anew"):
        found = upkeep.compact()
    before, after = size(int(found["before_bytes"])), size(int(found["after_bytes"]))
    return Outcome(data=found, blocks=(Body(text=f"The spool took {before} and takes {after} now."),))


@spool.command(cls=Command)
@click.argument("folder", metavar="FOLDER", type=click.Path(file_okay=False))
@pass_tools
def salvage(tools: Tools, folder: str) -> Outcome:
    """Take in what FOLDER, a quarantine, still holds and this spool does not; the agent must not run.

    FOLDER is a path, or the name of a quarantine in var/spool. Events come at the end of the line; those whose ids are
    here already stay out. FOLDER is left as it is.
    """
    _refuse_while_running(tools, "salvage")
    named = tools.home / "var" / "spool" / folder
    source = named if named.is_dir() else tools.cwd / Path(folder)
    with tools.open_upkeep(tools.home, alone=True) as upkeep, tools.working("reading what can be read"):
        found = upkeep.salvage(source)
    text = (
        f"{found['taken']} events were taken in, {found['open']} of them still to be done; "
        f"{found['known']} that could be read were here already."
    )
    return Outcome(data=found, blocks=(Body(text=text),))


def _refuse_while_running(tools: Tools, verb: str) -> None:
    pid = tools.agent_pid()
    if pid is not None:
        raise MachineError(
            "already-running",
            f"an agent (pid {pid}) runs on {tools.where}; stop it before you {verb} its spool: "
            f'"iadmin --home {tools.home} stop"',
        )


def _counts(title: str, counts: Mapping[str, Mapping[str, Any]]) -> Block:
    states = ("received", "claimed", "waiting", "done", "dead", "suppressed")
    return Table(
        columns=(Column(title, flexible=True), *(Column(state.upper(), "right") for state in states)),
        rows=[(name, *(str(of.get(state, 0)) for state in states)) for name, of in counts.items()],
        empty=f"No {title.lower()} has had any.",
    )

"""`iadmin tls strangers`: who failed to connect, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from agent.errors import OperatorError
from agent.wire.misuse import Cause
from agent.wire.strangerbook import read_book
from iadmin.commands.arguments import find_moment
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Block, Outcome
from iadmin.render import Cell, Column, Line, Table
from iadmin.text import clock, moment

HARMLESS: Final = frozenset({Cause.LEFT.value})
"""Health checks and port scanners: shown with --all only, or nobody would see the others."""
MOST_SENTENCES: Final = 20


@click.command(cls=Command)
@click.option("--cause", type=click.Choice([cause.value for cause in Cause]), metavar="CAUSE", help="Only this cause.")
@click.option("--peer", metavar="ADDRESS", help="Only this address.")
@click.option("--since", metavar="TIME", help="Only what happened since then: 15m, 2h, 3d, today, or a time.")
@click.option("--all", "everything", is_flag=True, help="Also those who only connect and leave (health checks).")
@pass_tools
def strangers(tools: Tools, cause: str | None, peer: str | None, since: str | None, everything: bool) -> Outcome:
    """Show who failed to connect, why, and the remedy.

    Every failed or misused connection of the last two weeks, by peer and cause, the latest first. Works also while the
    agent does not run.
    """
    found, notes = stranger_book(tools)
    begin = find_moment(since, tools.now()) if since else None
    hidden = 0
    chosen = []
    for one in found["strangers"]:
        at = moment(one.get("last"))
        if (cause and one.get("cause") != cause) or (peer and one.get("peer") != peer):
            continue
        if begin is not None and (at is None or at < begin):
            continue
        if not everything and cause is None and peer is None and one.get("cause") in HARMLESS:
            hidden += 1
            continue
        chosen.append(one)
    more = f"{hidden} more only connected and left, as health checks do; add --all to see them" if hidden else ""
    return Outcome(
        data={"strangers": chosen, "forgotten": found.get("forgotten", {}), "hidden": hidden},
        blocks=tuple(_page(tools, chosen, more)),
        notes=notes,
    )


def stranger_book(tools: Tools) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if tools.agent_pid() is not None:
        return tools.link().strangers(), ()
    path = tools.home / "var" / "strangers.json"
    note = f"the agent on {tools.where} is not running; this is read from its files"
    try:
        return read_book(path.read_bytes()).document(), (note,)
    except FileNotFoundError:
        return {"strangers": [], "forgotten": {}}, (note,)
    except ValueError as error:
        raise OperatorError("strangers-damaged", f"{path}: {error}; move it away, the list begins anew") from error


def _page(tools: Tools, chosen: Sequence[Mapping[str, Any]], more: str) -> list[Block]:
    now = tools.now()
    table = Table(
        columns=(
            Column("LAST"),
            Column("PEER"),
            Column("PORT", "right"),
            Column("CAUSE"),
            Column("TIMES", "right"),
            Column("FIRST", spare=True),
        ),
        rows=[
            (
                clock(one.get("last"), now),
                str(one.get("peer")),
                str(one.get("port")),
                Cell(str(one.get("cause")), "dim" if one.get("cause") in HARMLESS else "warn"),
                str(one.get("count")),
                clock(one.get("first"), now),
            )
            for one in chosen
        ],
        empty="Nobody has failed to connect.",
    )
    sentences = [Line(str(one.get("sentence"))) for one in chosen[:MOST_SENTENCES]]
    if len(chosen) > MOST_SENTENCES:
        sentences.append(Line(f"({len(chosen) - MOST_SENTENCES} more: narrow it down with --peer or --cause)", "dim"))
    return [table, *sentences, *([Line(more, "dim")] if more else [])]

"""`iadmin top`: who has most to do, services and destinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import click

from agent.errors import ExitStatus
from iadmin.commands.dashboard import Found, age_cell, failed_cell, last_minute, name_cells, name_of, open_ones
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.commands.watching import EVERY_S, MAX_EVERY_S, MIN_EVERY_S, watch
from iadmin.model import Outcome
from iadmin.render import Column, Line, Table
from iadmin.text import number, per_second, size, took

FIGURES: Final = ("came_per_s", "done_per_s", "failed", "mean_ms", "slowest_ms")

KEYS: Final[Mapping[str, Callable[[Found], float]]] = {
    "rate": lambda one: max(one["came_per_s"] or 0.0, one["done_per_s"] or 0.0),
    "time": lambda one: one["mean_ms"] or 0.0,
    "backlog": lambda one: float(one["open"]),
}
"""What is sorted by, the most first."""


@click.command(cls=Command)
@click.option(
    "--sort", "key", type=click.Choice(list(KEYS)), default="rate", show_default=True, help="What comes first."
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(MIN_EVERY_S, MAX_EVERY_S),
    default=EVERY_S,
    show_default=True,
    metavar="SECONDS",
    help="How often it is shown again.",
)
@click.option("--once", is_flag=True, help="Show it once.")
@pass_tools
def top(tools: Tools, key: str, every_s: float, once: bool) -> Outcome:
    """Show who has most to do: services and destinations by rate, time and backlog.

    Redrawn until Ctrl-C; with --json one document per line. All figures are of the last minute.
    """
    if once:
        return _look(tools, key)
    return watch(tools, lambda: _look(tools, key), every_s)


def _look(tools: Tools, key: str) -> Outcome:
    found = tools.running('start it with "iadmin start"').status()
    now = tools.now()
    services = _ranked(found, "services", key)
    destinations = _ranked(found, "destinations", key)
    return Outcome(
        data={
            "at": now.isoformat(timespec="milliseconds"),
            "state": found.get("state"),
            "services": services,
            "destinations": destinations,
        },
        blocks=(
            Line(_sum(found, services, destinations)),
            _table("Services", "SERVICE", services, now, spare=("MEMORY", _memory), verb="DONE/S", time="HOOK"),
            _table(
                "Destinations", "DESTINATION", destinations, now, spare=("TARGET", _target), verb="SENT/S", time="TIME"
            ),
        ),
        exit_status=ExitStatus.OK,
    )


def _ranked(found: Found, kind: str, key: str) -> list[dict[str, Any]]:
    """What is shown of each, the one with most first, equals in the order of the configuration."""
    oldest = dict(dict(found.get("oldest") or {}).get(kind) or {})
    word = kind.removesuffix("s")
    ones = [
        {
            word: name_of(one),
            "state": one.get("state") or ("paused" if one.get("paused") else f"circuit {one.get('circuit')}"),
            **{figure: last_minute(one, figure) for figure in FIGURES},
            "open": open_ones(found, kind, one),
            "oldest": oldest.get(name_of(one)),
            "in_hand": int(one.get("in_hand") or 0),
            **{extra: one[extra] for extra in ("memory_bytes", "target") if extra in one},
        }
        for one in found.get(kind, ())
    ]
    return sorted(ones, key=KEYS[key], reverse=True)


def _sum(found: Found, services: Sequence[Found], destinations: Sequence[Found]) -> str:
    came, done = (sum(one[what] or 0.0 for one in services) for what in ("came_per_s", "done_per_s"))
    sent = sum(one["done_per_s"] or 0.0 for one in destinations)
    waiting = sum(one["open"] for one in (*services, *destinations))
    return (
        f"{found.get('agent_id', '')} {found.get('state', '')}: each second {per_second(came)} come, "
        f"{per_second(done)} done, {per_second(sent)} sent; {number(waiting)} open"
    )


def _table(
    title: str,
    heading: str,
    ones: Sequence[Found],
    now: datetime,
    *,
    spare: tuple[str, Callable[[Found], str]],
    verb: str,
    time: str,
) -> Table:
    names = name_cells([name_of(one) for one in ones])
    last, tell = spare
    return Table(
        title=title,
        columns=(
            Column(heading, flexible=True, brief=True),
            Column("IN/S", "right"),
            Column(verb, "right"),
            Column(time, "right"),
            Column("SLOWEST", "right"),
            Column("OPEN", "right"),
            Column("OLDEST", "right"),
            Column("IN HAND", "right"),
            Column("FAILED", "right"),
            Column(last, "right" if last == "MEMORY" else "left", spare=True),
        ),
        rows=[
            (
                names[name_of(one)],
                per_second(one["came_per_s"]),
                per_second(one["done_per_s"]),
                took(one["mean_ms"]),
                took(one["slowest_ms"]),
                number(one["open"]),
                age_cell(one["oldest"], now),
                number(one["in_hand"]),
                failed_cell({"last_minute": one}),
                tell(one),
            )
            for one in ones
        ],
        empty="none",
    )


def _memory(one: Found) -> str:
    return size(one["memory_bytes"]) if one.get("memory_bytes") else ""


def _target(one: Found) -> str:
    return str(one.get("target", ""))

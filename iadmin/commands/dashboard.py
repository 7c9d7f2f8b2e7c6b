"""The page of `iadmin status`: the running agent at a glance, fitted to 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.delivery import OPEN_STATES, State, attention
from agent.hosts import in_url
from iadmin.model import Block
from iadmin.render import Cell, Column, Facts, Line, Table, destination_state, state_cell
from iadmin.text import clock, duration, exact, moment, number, per_second, size, took

Found = Mapping[str, Any]
"""What `/v1/status` answers, or a part of it; an older agent leaves fields out."""


def page(found: Found, now: datetime) -> list[Block]:
    """Warnings first, then the agent, its gateways, services and destinations, and their errors as they are."""
    return [
        *warning_lines(found.get("warnings", ())),
        _facts(found, now),
        _gateways(found),
        service_table(found, now),
        destination_table(found, now),
        *_last_errors(found),
    ]


def warning_lines(warnings: Iterable[str]) -> list[Block]:
    """One sentence each."""
    return [Line(f"warning: {warning}", "warn") for warning in warnings]


def open_ones(found: Found, kind: str, one: Found) -> int:
    """How many events or requests are not at their end; `kind` is `services` or `destinations`.

    From the disk; where that could not be asked, what is in memory.
    """
    counts = dict(found.get("spool") or {}).get(kind)
    if counts is None:
        return int(one.get("waiting") or one.get("backlog") or 0) + int(one.get("in_hand") or 0)
    states = dict(counts.get(name_of(one), {}))
    return sum(int(states.get(state.label, 0)) for state in OPEN_STATES)


def name_of(one: Found) -> str:
    """Of a service or a destination."""
    return str(one.get("service") or one.get("destination") or "")


def name_cells(names: Sequence[str]) -> dict[str, Cell]:
    """Services by name; where there is little room, without the domain where nobody else has that name."""
    bare = Counter(name.rpartition("|")[2] for name in names)
    return {name: Cell(name, brief=short if bare[short := name.rpartition("|")[2]] == 1 else name) for name in names}


def last_minute(one: Found, what: str) -> Any:
    """A figure of the last minute; None where the agent is too old to tell it, or nothing has happened."""
    return dict(one.get("last_minute") or {}).get(what)


def failed_cell(one: Found) -> Cell:
    """How many attempts failed in the last minute."""
    failed = int(last_minute(one, "failed") or 0)
    return Cell(number(failed), "bad" if failed else "")


def age_cell(since: object, now: datetime) -> Cell:
    """For how long something waits."""
    at = moment(since)
    if at is None:
        return Cell("")
    age_s = (now - at).total_seconds()
    return Cell(attention.duration(age_s), "warn" if age_s >= attention.WAITING_LONG_S else "")


def service_table(found: Found, now: datetime) -> Table:
    """One line for each service, and for each other one that the spool has events of."""
    services = _with_strangers(found, "services", "service")
    names = name_cells([name_of(one) for one in services])
    return Table(
        title="Services",
        columns=(
            Column("SERVICE", flexible=True, brief=True),
            Column("STATE", brief=True),
            Column("RATE/S", "right"),
            Column("OPEN", "right"),
            Column("OLDEST", "right"),
            Column("FAILED", "right"),
            Column("DEAD", "right"),
            Column("PID", "right"),
            Column("MEMORY", "right"),
            Column("HOOK", "right", spare=True),
            Column("RESTARTS", "right", spare=True),
            Column("LAST REQUEST", spare=True),
        ),
        rows=[
            (
                names[name_of(one)],
                _service_state(one),
                per_second(last_minute(one, "done_per_s")),
                *_waiting(found, "services", one, now),
                str(one.get("pid") or ""),
                size(one["memory_bytes"]) if one.get("memory_bytes") else "",
                took(last_minute(one, "mean_ms")),
                str(one.get("restarts", "")),
                clock(one.get("last_request"), now) or "none",
            )
            for one in services
        ],
        empty="none",
    )


def destination_table(found: Found, now: datetime) -> Table:
    """One line for each destination, and for each other one that the spool has requests for."""
    destinations = _with_strangers(found, "destinations", "destination")
    return Table(
        title="Destinations",
        columns=(
            Column("DESTINATION", flexible=True),
            Column("STATE"),
            Column("RATE/S", "right"),
            Column("OPEN", "right"),
            Column("OLDEST", "right"),
            Column("FAILED", "right"),
            Column("DEAD", "right"),
            Column("LAST ERROR", flexible=True, least=12),
            Column("LAST SUCCESS", spare=True),
            Column("TIME", "right", spare=True),
            Column("TARGET", spare=True),
        ),
        rows=[
            (
                name_of(one),
                Cell("not configured", "bad") if one.get("is_stranger") else destination_state(one),
                per_second(last_minute(one, "done_per_s")),
                *_waiting(found, "destinations", one, now),
                Cell(str(one.get("last_error") or ""), "bad"),
                clock(one.get("last_success"), now) or "none",
                took(last_minute(one, "mean_ms")),
                str(one.get("target", "")),
            )
            for one in destinations
        ],
        empty="none",
    )


def _facts(found: Found, now: datetime) -> Facts:
    started = moment(found.get("started"))
    since = f" (since {exact(found['started'], now.tzinfo)})" if started else ""
    # By the agent's own clock: the wall clock may have been set since.
    up = f", up {duration(float(found.get('uptime_s', 0)))}{since}" if started else ""
    state = state_cell(found.get("state", ""))
    agent = [str(found.get("agent_id", "")), f"version {found.get('version', '')}", f"pid {found.get('pid', '')}"]
    return Facts(
        pairs=(
            ("state", Cell(state.text + up, state.tone)),
            ("agent", ", ".join(agent)),
            ("home", str(found.get("home", ""))),
            ("disk", _disk(found.get("disk"))),
        )
    )


def _disk(disk: Found | None) -> str:
    if not disk:
        return ""
    free, total, spool = (int(disk.get(what) or 0) for what in ("free_bytes", "total_bytes", "spool_bytes"))
    return f"{size(free)} free of {size(total)}; the spool takes {size(spool)}"


def _gateways(found: Found) -> Table:
    return Table(
        title="Gateways",
        columns=(
            Column("GATEWAY", flexible=True),
            Column("TLS", flexible=True),
            Column("CERTIFICATE", "right"),
            Column("OPEN", "right"),
            Column("MISUSE TODAY", flexible=True),
        ),
        rows=[*map(_gateway, found.get("gateways", ())), *_admin(found.get("admin_gateway"))],
        empty="none",
    )


def _gateway(gateway: Found) -> tuple[str | Cell, ...]:
    tls = dict(gateway.get("tls") or {})
    presented: Found = next(iter(tls.get("certificates", ())), {})
    misuses = dict(gateway.get("misuses_today") or {})
    worst = sorted(misuses.items(), key=lambda pair: -int(pair[1]))
    return (
        _url("https" if gateway.get("ssl") else "http", gateway),
        _tls(gateway, presented, tls),
        _days_left(presented.get("days_left")),
        number(int(gateway.get("connections") or 0)),
        Cell(", ".join(f"{number(int(count))} {cause}" for cause, count in worst) or "none", "warn" if misuses else ""),
    )


def _tls(gateway: Found, presented: Found, tls: Found) -> Cell:
    if not gateway.get("ssl"):
        return Cell("no")
    return Cell(str(presented.get("alias") or "yes"), "bad" if tls.get("trouble") else "")


def _days_left(days: int | None) -> Cell:
    if days is None:
        return Cell("")
    if days < 0:
        return Cell("EXPIRED", "bad")
    return Cell(f"{days} day{'' if days == 1 else 's'} left", "warn" if days < 30 else "")


def _admin(admin: Found | None) -> Iterator[tuple[str | Cell, ...]]:
    if not admin:
        return
    refused = sum(int(count) for count in dict(admin.get("refused") or {}).values())
    state = Cell("not open", "bad") if admin.get("trouble") else Cell("mutual")
    turned_away = Cell(f"{number(refused)} refused since the start" if refused else "none", "warn" if refused else "")
    yield _url("admin https", admin), state, "", number(int(admin.get("connections") or 0)), turned_away


def _url(scheme: str, gateway: Found) -> str:
    host = str(gateway.get("host") or "*")
    return f"{scheme}://{in_url(host)}:{gateway.get('port', '')}"


def _service_state(one: Found) -> Cell:
    if one.get("is_stranger"):
        return Cell("not configured", "bad", brief="unknown")
    state = state_cell(one.get("state", ""))
    return Cell(f"{state.text}, refusing", "warn", brief="refusing") if one.get("refusing") else state


def _waiting(found: Found, kind: str, one: Found, now: datetime) -> tuple[Cell, ...]:
    """OPEN, OLDEST, FAILED and DEAD."""
    states = dict(dict(dict(found.get("spool") or {}).get(kind) or {}).get(name_of(one), {}))
    since = dict(dict(found.get("oldest") or {}).get(kind) or {}).get(name_of(one))
    dead = int(states.get(State.DEAD.label, 0))
    return (
        Cell(number(open_ones(found, kind, one)), "warn" if states.get(State.WAITING.label) else ""),
        age_cell(since, now),
        failed_cell(one),
        Cell(number(dead), "bad" if dead else ""),
    )


def _with_strangers(found: Found, kind: str, key: str) -> list[Found]:
    """Those of the configuration, and behind them what only the spool knows and still has open or dead."""
    known: list[Found] = list(found.get(kind, ()))
    names = {name_of(one) for one in known}
    counts = dict(dict(found.get("spool") or {}).get(kind) or {})
    left = (State.DEAD, *OPEN_STATES)
    strangers = [
        {key: name, "is_stranger": True}
        for name, states in sorted(counts.items())
        if name not in names and any(states.get(state.label) for state in left)
    ]
    return [*known, *strangers]


def _last_errors(found: Found) -> list[Block]:
    """Whole and below the tables, where a narrow terminal has no room for them."""
    every = [*found.get("services", ()), *found.get("destinations", ())]
    pairs = [(name_of(one), Cell(str(one["last_error"]), "bad")) for one in every if one.get("last_error")]
    return [Facts(title="Last errors", pairs=pairs)] if pairs else []

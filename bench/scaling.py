"""How the cost of an event changes with the load: `python -m bench.scaling` (or `make bench-curves`).

Four curves: connections, sizes of bodies, events that are over in the spool, services. Written as JSON beside this file
and drawn into `docs/performance.svg`. Cost is CPU time of the agent for each accepted event; for the history it is also
how long a start takes, and the question of `iadmin` for the newest events.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs

from bench.home import Home, command
from bench.load import Load, send
from bench.peers import ROOT
from bench.plot import Curve, draw
from bench.report import machine

CONNECTIONS: Final = (1, 4, 16, 64, 256, 512)
SIZES: Final = (250, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576)
HISTORY: Final = (0, 10_000, 100_000, 1_000_000)
SERVICES: Final = (1, 5, 20, 50)

FILL: Final = """
WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?1)
INSERT INTO event (seq, id, service, state, priority, grp, received_us, stored_us, attempt, due_us, reason, size_bytes,
                   kind, content_type, charset, path, query, peer, body)
SELECT seq, printf('01900000-0000-7000-8000-%012x', seq), 'applications|bench', 3, 0, '', ?2 + seq, ?2 + seq, 1, 0, '',
       250, 'xml', 'application/xml', NULL, '', '', '127.0.0.1', zeroblob(250) FROM n
"""
"""Events that are done (state 3, `agent.delivery.State`), as an agent would have left them."""


def by_connections(folder: Path, seconds: int, counts: Sequence[int]) -> list[tuple[float, float]]:
    """CPU microseconds for each event, by connections."""
    home = Home(folder)
    with home.program() as program:
        program.until("it is ready", home.is_ready)
        return [
            (count, send(program, Load(seconds=seconds, connections=count), authorization=home.authorization).cpu_us)
            for count in counts
        ]


def by_size(folder: Path, seconds: int, sizes: Sequence[int]) -> list[tuple[float, float]]:
    """CPU microseconds for each event, by the bytes of its body."""
    home = Home(folder)
    found = []
    with home.program() as program:
        program.until("it is ready", home.is_ready)
        for size in sizes:
            # So many that the gateway's budget for bodies is not what is measured.
            load = Load(seconds=seconds, connections=16 if size < 100_000 else 4, size_bytes=size)
            found.append((float(size), send(program, load, authorization=home.authorization).cpu_us))
    return found


def by_history(folder: Path, seconds: int, counts: Sequence[int]) -> dict[str, list[tuple[float, float]]]:
    """Cost of an event, of a start and of a question, by events in the spool that are over."""
    found: dict[str, list[tuple[float, float]]] = {"accept": [], "start": [], "list": []}
    for count in counts:
        home = Home(folder / f"history{count}")
        with home.program() as program:
            program.until("it is ready", home.is_ready)
        fill(home, count)
        begun = time.monotonic()
        with home.program() as program:
            program.until("it is ready", lambda home=home: home.times_ready() == 2)  # type: ignore[misc]
            found["start"].append((count, (time.monotonic() - begun) * 1e3))
            found["list"].append((count, asked_ms(home)))
            taken = send(program, Load(seconds=seconds), authorization=home.authorization)
            found["accept"].append((count, taken.cpu_us))
    return found


def by_services(folder: Path, seconds: int, counts: Sequence[int]) -> list[tuple[float, float]]:
    """CPU microseconds for each event, by configured services."""
    found = []
    for count in counts:
        home = Home(folder / f"services{count}", services=count)
        with home.program() as program:
            program.until("it is ready", home.is_ready)
            time.sleep(1.0 + 0.1 * count)  # until the workers are up
            taken = send(program, Load(seconds=seconds), authorization=home.authorization)
            found.append((float(count), taken.cpu_us))
    return found


def fill(home: Home, count: int) -> None:
    """Put so many done events into the spool of an agent that is not running."""
    path = home.folder / "var" / "spool" / "spool.db"
    if count:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(FILL, (count, time.time_ns() // 1000 - 10**9))
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('last_event_seq', ?)", (count,))
    (home.folder / "var" / "spool" / "newest").unlink(missing_ok=True)


def asked_ms(home: Home) -> float:
    """The newest events, as the operator asks for them; median of three."""
    taken = []
    for _ in range(3):
        begun = time.monotonic()
        subprocess.run([command("iadmin"), "--home", home.folder, "event", "list"], check=True, capture_output=True)
        taken.append((time.monotonic() - begun) * 1e3)
    return sorted(taken)[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3, help="of load at each point (default 3)")
    parser.add_argument("--quick", action="store_true", help="two points of each curve, one second each")
    parser.add_argument("--json", type=Path, default=ROOT / "bench" / "scaling.json")
    parser.add_argument("--svg", type=Path, default=ROOT / "docs" / "performance.svg")
    given = parser.parse_args()
    seconds = 1 if given.quick else given.seconds

    def some(points: Sequence[int]) -> Sequence[int]:
        return points[:2] if given.quick else points

    with tempfile.TemporaryDirectory(prefix="bench.") as name:
        folder = Path(name)
        history = _told("history", lambda: by_history(folder, seconds, some(HISTORY)))
        curves = (
            Curve(
                "connections", "us CPU", _told("c", lambda: by_connections(folder / "c", seconds, some(CONNECTIONS)))
            ),
            Curve("bytes of the body", "us CPU", _told("s", lambda: by_size(folder / "s", seconds, some(SIZES)))),
            Curve("services", "us CPU", _told("v", lambda: by_services(folder, seconds, some(SERVICES)))),
            Curve("events that are over: accepting", "us CPU", history["accept"]),
            Curve("events that are over: start to ready", "ms", history["start"]),
            Curve("events that are over: iadmin event list", "ms", history["list"]),
        )
    document = {"about": machine(), "curves": [attrs.asdict(curve) for curve in curves]}
    given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    given.svg.write_text(draw(curves), encoding="utf-8")
    print(f"written to {given.json} and {given.svg}")
    return 0


def _told(what: str, measure: Callable[[], Any]) -> Any:
    found = measure()
    print(what, found, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())

"""The table: on the terminal, as JSON, and in the README between two markers."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import ssl
import statistics
import subprocess
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.peers import INSTALLED
from bench.rounds import Row

BEGIN: Final = ".. begin of the table of make bench"
END: Final = ".. end of the table of make bench"


def machine() -> dict[str, Any]:
    """What it was measured on, and with what."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    versions = {"Python": platform.python_version(), "OpenSSL": ssl.OPENSSL_VERSION.split()[1]}
    for name in ("Twisted", "apsw", "httptools", "pyOpenSSL"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    asked = {
        "nginx": [shutil.which("nginx") or "/usr/sbin/nginx", "-v"],
        "node": ["node", "--version"],
        "uvicorn": [str(INSTALLED / "venv" / "bin" / "uvicorn"), "--version"],
    }
    for name, argv in asked.items():
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if found := re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr):
            versions[name] = found[0]
    package = INSTALLED / "node" / "node_modules" / "node-red" / "package.json"
    if package.exists():
        versions["Node-RED"] = json.loads(package.read_text())["version"]
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011 -- the day where it was measured
        "cpu": f"{os.cpu_count()} x {model}",
        "load": list(os.getloadavg()),
        "versions": versions,
    }


def print_table(rows: Sequence[Row], about: dict[str, Any], console: Console) -> None:
    """For a person at a terminal."""
    table = Table("what", "against", "ratio", "of the rounds", "aimed at", "ours", "theirs")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    for row in rows:
        if row.facts:
            console.print(f"{row.key}: " + ", ".join(f"{name} {value:,.1f}" for name, value in row.facts.items()))
    load = ", ".join(f"{value:.1f}" for value in about["load"])
    console.print(f"{about['cpu']}; load {load}; " + ", ".join(f"{n} {v}" for n, v in about["versions"].items()))


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table as texts."""
    aim = f"{'at most' if row.at_most else 'at least'} {row.target:g}"
    if not row.ratios:
        return row.what, row.against, "left out", row.left_out, aim, "", ""
    spread = f"{min(row.ratios):.2f} to {max(row.ratios):.2f}"
    verdict = f"{row.ratio:.2f}" + ("" if row.is_met else " (missed)")
    return row.what, row.against, verdict, spread, aim, _amount(row.ours, row.unit), _amount(row.theirs, row.unit)


def _amount(figures: Sequence[float], unit: str) -> str:
    value = statistics.median(figures)
    shown = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{shown}{unit}" if unit.startswith("/") else f"{shown} {unit}"


def write_json(rows: Sequence[Row], about: dict[str, Any], path: Path) -> None:
    """For programs, with the figures of each round."""
    found = [
        {
            "key": row.key,
            "what": row.what,
            "against": row.against,
            "target": row.target,
            "at_most": row.at_most,
            "unit": row.unit,
            "ours": list(row.ours),
            "theirs": list(row.theirs),
            "ratios": list(row.ratios),
            "is_met": row.is_met,
            "left_out": row.left_out,
            "facts": dict(row.facts),
        }
        for row in rows
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "rows": found}, indent=1) + "\n", encoding="utf-8")


def write_readme(document: dict[str, Any], readme: Path) -> None:
    """Put the table of a JSON document into the README."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{readme} has not both lines {BEGIN!r} and {END!r}")
    readme.write_text(f"{before}{BEGIN}\n\n{as_rst(document)}\n{END}{after}", encoding="utf-8")


def as_rst(document: dict[str, Any]) -> str:
    """The table as reStructuredText, with the day, the machine and the versions."""
    names = ("key", "what", "against", "target", "at_most", "unit", "ours", "theirs", "ratios", "left_out")
    rows = [Row(**{name: row[name] for name in names}) for row in document["rows"]]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [("what", "against", "ratio", "of the rounds", "aimed at", "ours", "theirs"), *map(cells, rows)]:
        lines += [f"   {'*' if not number else ' '} - {cell}".rstrip() for number, cell in enumerate(row)]
    about = document["about"]
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    load = ", ".join(f"{value:.1f}" for value in about["load"])
    lines += ["", f"Measured on {about['date']} with ``make bench``, {about['cpu']}, load before it {load};"]
    lines += [f"{versions}."]
    return "\n".join(lines) + "\n"

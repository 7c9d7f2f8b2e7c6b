"""`python -m bench`: the table of `docs/performance.rst`, measured on this machine."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import report
from bench.load import NotMeasured
from bench.peers import ROOT
from bench.rounds import Bench, Plan, Row
from bench.rows import ROWS

RESULT = ROOT / "bench" / "result.json"


def main() -> int:
    keys = " ".join(ROWS).split()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each: does it run? Judges nothing")
    parser.add_argument("--only", metavar="ROW", action="append", choices=keys, help=f"one of: {', '.join(keys)}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each row (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="of each contender in each round (default 3)")
    parser.add_argument("--json", metavar="FILE", type=Path, help=f"where to write the figures (default {RESULT})")
    parser.add_argument("--readme", action="store_true", help="put the figures of FILE into the README")
    given = parser.parse_args()
    console = Console(highlight=False)
    path = given.json or RESULT
    if given.readme:
        report.write_readme(json.loads(path.read_text(encoding="utf-8")), ROOT / "README.rst")
        return 0
    if shutil.which("wrk") is None:
        console.print("wrk is not installed; on Debian: apt install wrk", style="red")
        return 69
    plan = Plan(rounds=given.rounds, seconds=given.seconds)
    if given.quick:
        plan = Plan(rounds=1, seconds=1, idle_connections=50)
    about = report.machine()
    rows: list[Row] = []
    failed = False
    with console.status("measuring") as status, tempfile.TemporaryDirectory(prefix="bench.") as folder:

        def say(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(text)

        bench = Bench(folder=Path(folder), plan=plan, say=say)
        for measure in ROWS.values():
            try:
                rows += measure(bench, lambda key: not given.only or key in given.only)
            except (NotMeasured, RuntimeError) as error:
                console.print(str(error), style="red")
                failed = True
    report.print_table(rows, about, console)
    report.write_json(rows, about, path)
    console.print(f"written to {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The benchmark runs: one short round, whose figures are not judged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report
from bench.rounds import Row

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


def test_a_row_is_measured_and_written(tmp_path: Path) -> None:
    """Agent and peer are started, sent to, held against the spool, and ended; the figures are in the file."""
    written = tmp_path / "result.json"
    argv = [sys.executable, "-m", "bench", "--quick", "--only", "twisted-web", "--json", str(written)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    (row,) = json.loads(written.read_text(encoding="utf-8"))["rows"]
    assert "twisted-web" == row["key"]
    assert 1 == len(row["ratios"]) and row["ratios"][0] > 0
    assert row["facts"]["our CPU us"] > 0


@pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin") is None, reason="nginx is not installed")
def test_sending_is_measured() -> None:
    """Over http and https; each request is answered, or there is no figure."""
    argv = [sys.executable, "-m", "bench.sending", "--count", "100"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert ["http", "https"] == [line.split()[0] for line in done.stdout.splitlines()]
    assert all(float(line.split()[1]) > 0 for line in done.stdout.splitlines())


def test_the_readme_gets_the_table_between_its_markers(tmp_path: Path) -> None:
    """Ratio, spread, aim and medians of each row, the day and the versions; what stands around it stays."""
    row = Row(
        key="k", what="a", against="b", target=2.0, unit="/s", ours=(10.0, 30.0), theirs=(5.0, 10.0), ratios=(2, 3)
    )
    missing = Row(key="m", what="c", against="d", target=1.0, left_out="nginx is not installed")
    about = {"date": "2026-11-20", "cpu": "2 x Chip", "load": [0.5, 0.1, 0.0], "versions": {"Python": "3.11.7"}}
    figures, readme = tmp_path / "result.json", tmp_path / "README.rst"
    report.write_json([row, missing], about, figures)
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        report.write_readme(json.loads(figures.read_text(encoding="utf-8")), readme)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert (
        "   * - a\n     - b\n     - 2.50\n     - 2.00 to 3.00\n     - at least 2\n     - 20.0/s\n     - 7.50/s\n"
        in text
    )
    assert "left out" in text and "nginx is not installed" in text and "2026-11-20" in text and "Python 3.11.7" in text

"""apclient.streams: programs that are started with closed streams."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import os, sys
from apclient.streams import fill_streams
fill_streams()
first = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(first, f"{first} {sys.stdin.read()!r} {sys.stdin.buffer.read()!r}".encode())
print("said", flush=True)
print("said", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_leads_nowhere(tmp_path: Path, closed: str) -> None:
    """And its number is not given to a file, into which others would then write."""
    path = tmp_path / "file"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" "$2" {closed}', sys.executable, CODE, str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert 0 == done.returncode, done.stderr
    assert "3 '' b''" == path.read_text()
    said = b"" if ">&-" == closed or "<&- >&-" in closed else b"said\n"
    assert said == done.stdout


@pytest.mark.parametrize("program", ["iadmin.main", "iadmin.iapassword"])
def test_programs_do_not_stumble_over_closed_streams(tmp_path: Path, program: str) -> None:
    """Their exit status is what a script asks for."""
    (tmp_path / "conf").mkdir()
    argv = {"iadmin.main": "config show", "iadmin.iapassword": "--new --file conf/x"}[program]
    line = f'exec "$0" -m {program} --home "$1" {argv} <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", line, sys.executable, str(tmp_path)], check=False, cwd=ROOT)
    assert {"iadmin.main": 66, "iadmin.iapassword": 35}[program] == done.returncode


@pytest.mark.parametrize(
    "program",
    [
        "agent.main:main",
        "iadmin.main:main",
        "iadmin.iapassword:main",
        "apclient.main:main",
        "keystoretools.keytool.main:run",
    ],
)
@pytest.mark.parametrize("closed", ["<&-", "<&- >&- 2>&-"])
def test_every_program_starts_without_them(program: str, closed: str) -> None:
    """Asked for its help each ends as it always does, and nothing of Python is shown."""
    module, _, name = program.partition(":")
    asked = "-help" if "keytool" in program else "--help"
    code = f"import sys; sys.argv[1:] = [{asked!r}]; from {module} import {name}; sys.exit({name}())"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code], capture_output=True, check=False, cwd=ROOT
    )
    assert (0, False) == (done.returncode, b"Traceback" in done.stdout + done.stderr)

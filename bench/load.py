"""Sends events with wrk, and asks the operating system what that has cost the receiver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import attrs

from bench.procs import Program, cpu_s

SCRIPT: Final = Path(__file__).with_name("accept.lua")
ANEW: Final = Path(__file__).with_name("anew.py")
PATH: Final = "/http/applications_bench"


def event_of(size_bytes: int) -> bytes:
    """An XML event of exactly this size (250 at least), in the shape of the README's."""
    before = (
        b'<?xml version="1.0" encoding="UTF-8"?><event><properties><building>"Building A"</building>'
        b"<city>Victoria</city><severity>major</severity>"
    )
    after = b"</properties><recipients><targetName>bsmith</targetName></recipients></event>"
    row = b"<note>a fact that belongs to it</note>"
    left = size_bytes - len(before) - len(after) - len(b"<rest></rest>")
    rows, rest = divmod(left, len(row))
    return before + row * rows + b"<rest>" + b"." * rest + b"</rest>" + after


@attrs.frozen(kw_only=True)
class Load:
    """How much is sent. `pause_ms`: mean pause of a connection between two requests."""

    seconds: int
    connections: int = 64
    size_bytes: int = 250
    pause_ms: float = 0.0
    is_tls: bool = False
    closes: bool = False
    """A connection of its own for each request."""
    resumes: bool = True
    """wrk takes up its TLS session again with each connection; False: `bench.anew`, where each begins at the start."""
    path: str = PATH


@attrs.frozen(kw_only=True)
class Taken:
    """What came of it. `cpu_us` is per request, of the receiving program; `worked_off` are requests a second that have
    reached the sink meanwhile, where there is one."""

    rate: float
    good: int
    cpu_us: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    worked_off: float = 0.0


class NotMeasured(Exception):
    """The load did not do what it should, so there is no figure."""


def send(program: Program, load: Load, *, authorization: str = "") -> Taken:
    """Send for a while; raise `NotMeasured` unless every answer was a 202 with an id in its body."""
    with tempfile.NamedTemporaryFile() as body:
        body.write(event_of(load.size_bytes))
        body.flush()
        argv = (_wrk if load.resumes else _anew)(program, load, body.name, authorization)
        pids = program.pids
        before = cpu_s(pids)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        used_s = cpu_s(pids) - before
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise NotMeasured(f"{argv[0]} against {program.name} failed: {done.stdout[-300:]}{done.stderr[-300:]}")
    found = json.loads(line.removeprefix("RESULT "))
    # With a connection for each request wrk takes its end for a failure.
    failed = 0 if load.closes else found["failed"]
    if found["bad"] or failed or not found["good"]:
        raise NotMeasured(
            f"{program.name}: {found['good']} good answers, {found['bad']} others, {failed} connections that failed"
        )
    return Taken(
        rate=found["good"] / found["time_s"],
        good=found["good"],
        cpu_us=used_s / found["good"] * 1e6,
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        max_ms=found["max_ms"],
    )


def _wrk(program: Program, load: Load, body: str, authorization: str) -> list[str]:
    scheme = "https" if load.is_tls else "http"
    argv = ["wrk", "-t", "1", "-c", str(load.connections), "-d", str(load.seconds), "--timeout", "10s"]
    argv += ["-s", str(SCRIPT), f"{scheme}://127.0.0.1:{program.port}{load.path}", "--"]
    return [*argv, body, authorization, f"{load.pause_ms:g}", "close" if load.closes else "keep"]


def _anew(program: Program, load: Load, body: str, authorization: str) -> list[str]:
    argv = [sys.executable, str(ANEW), str(program.port), load.path, str(load.seconds), str(load.connections), body]
    return [*argv, authorization] if authorization else argv

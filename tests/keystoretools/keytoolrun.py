"""Runs of iakeytool in a folder of its own, without a process, and what recorded runs are masked with."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs

from keystoretools.keytool.main import main

NOW = datetime(2026, 11, 20, 18, 0, 0, tzinfo=UTC)


@attrs.frozen
class Said:
    """Exit status and what came out; `hints` are the lines that begin with `iakeytool: `, taken out of stderr."""

    status: int
    stdout: str
    stderr: str
    hints: tuple[str, ...]


def run(
    folder: Path, *argv: str, stdin: str = "", environ: Mapping[str, str] | None = None, home: Path | None = None
) -> Said:
    """One run at `NOW` in UTC."""
    out, err = io.BytesIO(), io.BytesIO()
    status = main(
        argv,
        io.BytesIO(stdin.encode()),
        out,
        err,
        now=NOW,
        cwd=folder,
        environ=environ or {},
        home=lambda: home or folder,
        zone=UTC,
    )
    stderr, hints = without_hints(err.getvalue().decode())
    return Said(status, out.getvalue().decode("utf-8", "replace"), stderr, hints)


def without_hints(stderr: str) -> tuple[str, tuple[str, ...]]:
    """stderr without our own lines, and those."""
    hints = tuple(line for line in stderr.splitlines() if line.startswith("iakeytool: "))
    return re.sub(r"\n?^iakeytool: .*\n", lambda m: "\n" if m[0][0] == "\n" else "", stderr, flags=re.M), hints


def without_trace(stdout: str) -> str:
    """An error of the real keytool without the Java stack that -v prints behind it."""
    if not stdout.startswith("keytool error: "):
        return stdout
    return re.sub(r"(?m)^(?:[a-z]+(?:\.\w+)+: .*|\tat .*|\t\.\.\. .*|Caused by: .*)\n", "", stdout)


def masked(text: str, words: Sequence[str]) -> str:
    """What differs from run to run: dates of entries, serials, fingerprints, validities, keys."""
    for word in words:
        pattern, replacement = MASKS[word]
        text = re.sub(pattern, replacement, text, flags=re.M)
    return text


MASKS = {
    "dates": (r"[A-Z][a-z]{2} \d{1,2}, \d{4}", "DATE"),
    "serial": (r"^Serial number: .*$", "SERIAL"),
    "validity": (r"^Valid from: .*$", "VALIDITY"),
    "fingerprint": (r"[0-9A-F]{2}(:[0-9A-F]{2}){19,31}", "FINGERPRINT"),
    "dump": (r"^[0-9A-F]{4}: .*$", "DUMP"),
}

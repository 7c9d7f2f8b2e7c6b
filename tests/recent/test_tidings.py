"""What there is to tell, and who wants which."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recent import Happening, Wanted
from agent.recent.tidings import KINDS, LEVELS, line_shown, shown

ID = "019aa2c1-7c1e-7a39-b3b1-6c9d3f1f0a52"
LINE = f"2026-11-20T17:25:25.123+01:00 INFO  gateway  {ID} accepted 812 bytes for applications|pump\n"
WARNING = "2026-11-20T17:25:26.000+01:00 WARN  a|my pump - the valve is stuck\n    Traceback ...\n    ValueError: x\n"
EVENT = Happening(1_763_655_925_123_000, ID, "applications|pump", "outbox", "dead", "Nobody listens")


def test_a_line_is_taken_apart() -> None:
    """A room may have blanks, a text line ends; what stands for nothing becomes empty."""
    assert {
        "kind": "log",
        "at": "2026-11-20T17:25:25.123+01:00",
        "level": "info",
        "room": "gateway",
        "event_id": ID,
        "text": "accepted 812 bytes for applications|pump",
    } == line_shown(LINE)
    found = line_shown(WARNING)
    assert ("warn", "a|my pump", "") == (found["level"], found["room"], found["event_id"])
    assert found["text"].endswith("\n    ValueError: x")


def test_a_happening_is_told_in_utc() -> None:
    """With all that is known of it."""
    assert {
        "kind": "event",
        "at": "2025-11-20T16:25:25.123+00:00",
        "event_id": ID,
        "service": "applications|pump",
        "destination": "outbox",
        "state": "dead",
        "text": "Nobody listens",
    } == shown(EVENT)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), "LWE"),
        (Wanted(kinds=frozenset({"log"})), "LW"),
        (Wanted(kinds=frozenset({"event"})), "E"),
        (Wanted(level="warn"), "WE"),
        (Wanted(state="dead"), "LWE"),
        (Wanted(state="done"), "LW"),
        (Wanted(service="applications|pump"), "LE"),
        (Wanted(service="a|my pump"), "W"),
        (Wanted(match="VALVE"), "W"),
        (Wanted(match="outbox"), "E"),
        (Wanted(match=ID[:13]), "LE"),
        (Wanted(since=datetime(2026, 11, 20, 16, 25, 26, tzinfo=UTC)), "W"),
    ],
)
def test_filters(wanted: Wanted, expected: str) -> None:
    """Each decides over what it is about: levels over lines, states over events."""
    tidings = {"L": LINE, "W": WARNING, "E": EVENT}
    assert expected == "".join(name for name, one in tidings.items() if wanted.takes(shown(one)))
    assert not [name for name in expected if wanted.refuses(tidings[name])]


def test_most_is_refused_at_a_glance() -> None:
    """By kind, level, service and state; the rest of a torn line is looked at closer."""
    assert Wanted(level="warn").refuses(LINE) and not Wanted(level="warn").refuses("the rest of a line")
    assert Wanted(service="b|x").refuses(LINE) and Wanted(service="b|x").refuses(EVENT)
    assert Wanted(kinds=frozenset({"log"})).refuses(EVENT) and Wanted(kinds=frozenset({"event"})).refuses(LINE)
    assert Wanted(state="done").refuses(EVENT)


@given(st.text())
def test_no_line_is_lost(line: str) -> None:
    """What is no line of ours is all text."""
    told: dict[str, Any] = line_shown(line)
    assert told["kind"] in KINDS and told["level"] in LEVELS
    assert told["at"] is not None or line.rstrip("\n") == told["text"]
    Wanted(match="x", since=datetime.now(UTC)).takes(told)

"""Who has most to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.errors import ExitStatus
from tests.iadmin.fakes import STATUS, World


def service(name: str, **changes: Any) -> dict[str, Any]:
    minute = {"came_per_s": 0.0, "done_per_s": 0.0, "failed": 0, "mean_ms": None, "slowest_ms": None} | changes
    return {"service": f"plant|{name}", "state": "active", "in_hand": 1, "last_minute": minute}


@pytest.fixture
def busy(world: World) -> World:
    """Three services: a quick one, a slow one, and one that stands still."""
    world.link.status_answer = STATUS | {
        "services": [
            service("still"),
            service("quick", came_per_s=120.0, done_per_s=118.25, mean_ms=0.4, slowest_ms=9.0),
            service("slow", came_per_s=0.5, done_per_s=0.5, mean_ms=4200.0, slowest_ms=17_000.0, failed=2),
        ],
        "spool": {"services": {"plant|still": {"received": 31, "waiting": 2}}, "destinations": {}},
        "oldest": {"services": {"plant|still": "2025-07-30T11:43:00.000+00:00"}},
    }
    return world


def order(world: World, *options: str) -> list[str]:
    services = world.run("--json", "top", "--once", *options).document["services"]
    return [one["service"].partition("|")[2] for one in services]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("rate", ["quick", "slow", "still"]),
        ("time", ["slow", "quick", "still"]),
        ("backlog", ["still", "quick", "slow"]),
    ],
)
def test_the_one_with_most_comes_first(busy: World, key: str, expected: list[str]) -> None:
    """By what was asked for; equals as they are configured."""
    assert expected == order(busy, "--sort", key)


def test_rate_is_the_usual_order(busy: World) -> None:
    """It is what people look for."""
    assert order(busy) == order(busy, "--sort", "rate")


def test_each_has_its_figures(busy: World) -> None:
    """Rates, times, backlog and its age, failures; the sum of all above."""
    lines = busy.run("top", "--once").out.splitlines()
    assert "plant7-agent running: each second 120 come, 119 done, 0 sent; 33 open" == lines[0]
    rows = [line.split() for line in lines]
    assert ["plant|quick", "120", "118", "0.4", "ms", "9.0", "ms", "0", "1", "0"] in rows
    assert ["plant|slow", "0.50", "0.50", "4.2", "s", "17", "s", "0", "1", "2"] in rows
    assert ["plant|still", "0", "0", "33", "17", "min", "1", "0"] in rows
    assert any(row[:1] == ["outbox"] for row in rows)


def test_it_is_redrawn_until_ctrl_c(busy: World) -> None:
    """Every two seconds, or as was said."""
    assert 130 == busy.run("top", "--every", "5").status
    assert ([5.0] * 3, 3) == (busy.screen.pauses, len(busy.screen.shown))
    assert "plant|quick" in busy.screen.shown[0]


def test_json_is_a_document_per_line(busy: World) -> None:
    """With the time at which it was so."""
    busy.run("--json", "top")
    first = json.loads(busy.screen.said[0])
    assert ("2025-07-30T12:00:00.000+00:00", 118.25) == (first["at"], first["services"][0]["done_per_s"])


def test_an_agent_that_does_not_run_has_nothing_to_do(busy: World) -> None:
    """69, with the command that mends it."""
    busy.running = False
    answer = busy.run("top")
    assert ExitStatus.UNAVAILABLE == answer.status
    assert 'start it with "iadmin' in answer.err


def test_an_older_agent_has_no_figures(world: World) -> None:
    """The columns stay empty, and nothing fails."""
    assert 0 == world.run("top", "--once").status

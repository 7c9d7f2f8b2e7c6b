"""What is shown again and again: redrawn on a terminal, line by line as JSON, until Ctrl-C."""

from __future__ import annotations

import json

from agent.errors import ExitStatus
from iadmin.link import NoAnswer
from tests.iadmin.fakes import World

INTERRUPTED = 130


def test_a_status_is_redrawn_until_ctrl_c(world: World) -> None:
    """Every two seconds, or as was said; the end is 130 and nothing on standard output."""
    answer = world.run("status", "--watch")
    assert (INTERRUPTED, "") == (answer.status, answer.out)
    assert (3, [2.0] * 3) == (len(world.screen.shown), world.screen.pauses)
    assert "applications|sample-plan" in world.screen.shown[0]
    assert "12:00:00, every 2 s; Ctrl-C ends it\n" == world.screen.shown[0].splitlines(keepends=True)[-1]
    world.screen.pauses.clear()
    world.run("status", "--watch", "0.5")
    assert [0.5] * 3 == world.screen.pauses


def test_json_is_a_document_per_line(world: World) -> None:
    """For a program that reads on; no terminal is needed."""
    world.screen.is_terminal = False
    assert INTERRUPTED == world.run("--json", "status", "--watch").status
    assert ["running"] * 3 == [json.loads(line)["state"] for line in world.screen.said]


def test_a_file_is_not_redrawn(world: World) -> None:
    """One sentence, with the way out."""
    world.screen.is_terminal = False
    answer = world.run("status", "--watch")
    assert (ExitStatus.USAGE, []) == (answer.status, world.screen.shown)
    assert "take --json" in answer.err


def test_an_agent_that_stops_answering_leaves_its_last_page(world: World) -> None:
    """With the reason above; when it answers again, the page is new again."""
    failures = [NoAnswer("no-answer", "it does not answer"), None]

    def change() -> None:
        world.link.failure = failures.pop(0) if failures else None

    world.screen.between = change
    world.screen.patience = 3
    assert INTERRUPTED == world.run("status", "--watch").status
    firsts = [shown.splitlines()[0] for shown in world.screen.shown]
    assert "it does not answer; below is what was before" == firsts[1]
    assert firsts[0] == firsts[2]
    assert "applications|sample-plan" in world.screen.shown[1]


def test_json_tells_a_failure_and_goes_on(world: World) -> None:
    """As the document of a failed command."""

    def fail() -> None:
        world.link.failure = NoAnswer("no-answer", "it does not answer")

    world.screen.between = fail
    world.run("--json", "status", "--watch")
    assert "no-answer" == json.loads(world.screen.said[1])["error"]["code"]


def test_an_agent_that_ends_is_shown_as_stopped(world: World) -> None:
    """And one that is not there in the first place, too: it may come."""

    def end() -> None:
        world.running = not world.running

    world.screen.between = end
    world.run("status", "--watch")
    assert ["running", "stopped", "running"] == [
        shown.partition("state")[2].split()[0].rstrip(",") for shown in world.screen.shown
    ]


def test_what_fails_at_once_is_a_failure(world: World) -> None:
    """Nobody watches an agent that cannot be reached."""
    world.link.failure = NoAnswer("no-answer", "it does not answer")
    assert ExitStatus.UNAVAILABLE == world.run("status", "--watch").status

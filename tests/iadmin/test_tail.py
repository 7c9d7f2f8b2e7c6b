"""Log lines and happenings, as they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.errors import ExitStatus
from iadmin.link import NoAnswer, NotRunning
from tests.iadmin.fakes import EVENT_ID, World

INTERRUPTED = 130
LINE = {"kind": "log", "at": "2025-07-30T11:59:58.123+00:00", "level": "warn", "room": "host", "event_id": ""}
STEP = {"kind": "event", "at": "2025-07-30T11:59:59.000+00:00", "event_id": EVENT_ID, "service": "a|x"}


def line(text: str, **changes: Any) -> dict[str, Any]:
    return LINE | {"text": text} | changes


def step(state: str, text: str = "", destination: str = "") -> dict[str, Any]:
    return STEP | {"state": state, "text": text, "destination": destination}


def answer_of(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"next": "e.7", "lost": 0, "more": False, "entries": list(entries)} | changes


def test_what_comes_is_shown_until_ctrl_c(world: World) -> None:
    """The time of day, what it is, whose, which event, what."""
    world.link.pages = [answer_of(), answer_of(line("the valve is stuck"), step("done", "4.2 ms", "outbox"))]
    answer = world.run("tail")
    assert (INTERRUPTED, "") == (answer.status, answer.out)
    assert [
        "11:59:58.123 WARN  host the valve is stuck",
        f"11:59:59.000 EVENT a|x {EVENT_ID} -> outbox done     4.2 ms",
    ] == world.screen.said
    assert ["warn", ""] == world.screen.tones


def test_each_question_goes_on_where_the_last_answer_ended(world: World) -> None:
    """The first does not wait; where there is more, the next is asked at once."""
    world.link.pages = [answer_of(more=True, next="e.1"), answer_of(next="e.2"), answer_of(next="e.3")]
    world.screen.patience = 1
    world.run("tail")
    assert [("", "0"), ("e.1", "10"), ("e.2", "10")] == [
        (query.get("after", ""), query["wait"]) for query in world.link.asked
    ]
    assert [0.2, 0.2] == world.screen.pauses


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {"level": "debug"}),
        (("--events",), {"level": "debug", "kind": "event"}),
        (("--log",), {"level": "debug", "kind": "log"}),
        (("--level", "warn"), {"level": "warn", "kind": "log"}),
        (("--state", "dead"), {"level": "debug", "state": "dead", "kind": "event"}),
        (("--state", "dead", "--level", "error"), {"level": "error", "state": "dead"}),
        (("--match", "Pump"), {"level": "debug", "match": "Pump"}),
        (("--service", "sample-plan"), {"level": "debug", "service": "applications|sample-plan"}),
        (("--since", "15m"), {"level": "debug", "since": "2025-07-30T11:45:00+00:00"}),
    ],
)
def test_filters_are_the_agents_work(world: World, options: tuple[str, ...], expected: dict[str, str]) -> None:
    """Who names a level wants lines, who names a state wants events."""
    world.screen.patience = 0
    world.run("tail", *options)
    assert expected | {"wait": "0"} == world.link.asked[0]


def test_json_is_a_document_per_line(world: World) -> None:
    """As the API has them; what was missed is one, too."""
    world.link.pages = [answer_of(line("über\x1b[2J"), lost=3)]
    world.run("--json", "tail")
    assert [{"kind": "lost", "count": 3}, line("über\x1b[2J")] == [json.loads(one) for one in world.screen.said]


def test_what_was_missed_is_told(world: World) -> None:
    """A reader that is too slow is not waited for."""
    world.link.pages = [answer_of(lost=3)]
    world.run("tail")
    assert ["3 entries are missing here: they came faster than they were read"] == world.screen.warned


def test_a_traceback_has_its_lines(world: World) -> None:
    """Each shown for itself: a line end is no escape."""
    world.link.pages = [answer_of(line("it failed\n    Traceback\n    ValueError: x"))]
    world.run("tail")
    assert ["11:59:58.123 WARN  host it failed", "    Traceback", "    ValueError: x"] == world.screen.said


def test_an_agent_that_ends_is_waited_for(world: World) -> None:
    """One note when it goes, one when it is back; the place is kept."""
    failures: list[Exception | None] = [NoAnswer("no-answer", "it does not answer")] * 2 + [None]

    def change() -> None:
        world.link.failure = failures.pop(0) if failures else None

    world.screen.between = change
    world.screen.patience = 4
    world.run("tail")
    assert [
        "it does not answer; waiting for it",
        f"the agent on {world.home} answers again",
    ] == world.screen.warned
    assert [0.2, 1.0, 1.0] == world.screen.pauses[:3]


def test_an_agent_that_starts_is_waited_for(world: World) -> None:
    """It holds its home and has no socket yet."""
    world.link.failure = NotRunning("not-running", "no agent runs")
    assert INTERRUPTED == world.run("tail").status
    assert ["no agent runs; waiting for it"] == world.screen.warned


def test_an_agent_that_cannot_be_asked_is_a_failure(world: World) -> None:
    """Nobody waits for what was never there."""
    world.link.failure = NoAnswer("no-answer", "it does not answer")
    assert ExitStatus.UNAVAILABLE == world.run("tail").status


FILE_LINES = [f"2025-07-30T11:{number:02}:00.000+00:00 INFO  gateway  - line {number}" for number in range(30)]


def test_without_an_agent_the_end_of_its_log_is_shown(world: World) -> None:
    """Ten lines with a note, then what comes: it may be started meanwhile."""
    world.running = False
    world.log_batches = [FILE_LINES, [FILE_LINES[0].replace("line 0", "starting")]]
    answer = world.run("tail")
    assert (INTERRUPTED, 11) == (answer.status, len(world.screen.said))
    assert ("11:20:00.000 INFO  gateway line 20", "11:00:00.000 INFO  gateway starting") == (
        world.screen.said[0],
        world.screen.said[-1],
    )
    path = world.home / "var" / "log" / "agent.log"
    assert [f"the agent on {world.home} is not running; this is read from {path}"] == world.screen.warned
    assert [path] == world.followed


def test_the_file_is_filtered_as_the_agent_does(world: World) -> None:
    """With `--since` all of it that is so new."""
    world.running = False
    world.log_batches = [FILE_LINES]
    world.run("tail", "--since", "45m", "--match", "LINE 1")
    assert ["line 15", "line 16", "line 17", "line 18", "line 19"] == [one[-7:] for one in world.screen.said]


def test_events_need_an_agent(world: World) -> None:
    """The sentence says what else there is."""
    world.running = False
    answer = world.run("tail", "--state", "dead")
    assert answer.status and "so nothing happens to events" in answer.err and "event list" in answer.err

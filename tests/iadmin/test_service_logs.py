"""`service logs`: the lines of one service, over rotated files, and as they are written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import ExitStatus
from iadmin.commands.service_logs import Tail, as_facts, of_service
from tests.iadmin.fakes import World

NAME = "applications|sample-plan"


def line(second: int, text: str, room: str = "host") -> str:
    return f"2025-07-30T10:22:{second:02}.000+00:00 INFO  {room:8} 019dd2b4-6f03-7c1e-9a53-0d4c6c1f7a10 {text}\n"


@pytest.fixture
def log(world: World) -> Path:
    folder = world.home / "var" / "log"
    folder.mkdir(parents=True)
    path = folder / "agent.log"
    path.write_text(
        line(20, f"{NAME} is done with it")
        + line(21, "applications|sample-plan-b is done with it")
        + line(22, "ready", room=NAME)
        + line(23, f"{NAME} failed")
        + "    Traceback (most recent call last):\n    KeyError\n"
        + line(24, "gateways are open")
        + "    not of it\n"
    )
    path.with_name("agent.log.1").write_text(line(10, "first", room=NAME) + line(11, "second", room=NAME))
    path.with_name("agent.log.2").write_text(line(1, "oldest", room=NAME))
    return path


def test_the_lines_of_one_service_with_their_tracebacks(world: World, log: Path) -> None:
    """Its own and those that name it, and not those of a service whose name begins alike; the oldest first."""
    answer = world.run("service", "logs", "sample-plan")
    assert ["oldest", "first", "second", "it", "ready", "failed", "last):", "KeyError"] == [
        each.split()[-1] for each in answer.out.splitlines()
    ]


@pytest.mark.parametrize(
    ("count", "first"), [("1", "KeyError"), ("5", "with it"), ("6", "second"), ("0", "nothing of")]
)
def test_the_last_lines_reach_into_older_files(world: World, log: Path, count: str, first: str) -> None:
    """As far as is asked for."""
    out = world.run("service", "logs", NAME, "--lines", count).out
    assert first in out.splitlines()[0]
    assert max(int(count), 1) == len(out.splitlines())


def test_json_has_the_columns(world: World, log: Path) -> None:
    """And of a traceback the text."""
    lines = json.loads(world.run("--json", "service", "logs", NAME, "--lines", "3").out)["lines"]
    assert ("INFO", "host", "019dd2b4-6f03-7c1e-9a53-0d4c6c1f7a10", f"{NAME} failed") == tuple(
        lines[0][key] for key in ("level", "room", "event_id", "text")
    )
    assert {"text": "    KeyError"} == lines[2]


def test_it_follows_into_a_new_file(log: Path) -> None:
    """Lines are told when they are whole, and what was written to the old file last is not lost."""
    tail = Tail(log)
    with log.open("a") as file:
        file.write("half ")
        file.flush()
        assert [] == list(tail.fresh())
        file.write("whole\n")
        file.flush()
        log.rename(log.with_name("agent.log.9"))
        log.write_text("new\n")
        file.write("last of the old\n")
    assert [b"half whole", b"last of the old", b"new"] == list(tail.fresh())
    assert [] == list(tail.fresh())
    tail.close()


def test_what_is_written_meanwhile_is_shown(world: World, log: Path) -> None:
    """After the last lines, and only what is of the service."""

    def until(look: Callable[[], bool], patience_s: float) -> bool:
        with log.open("a") as file:
            file.write(line(30, "more", room=NAME) + line(31, "of others"))
        return look()

    world.until = until
    answer = world.run("service", "logs", NAME, "--lines", "1", "--follow")
    assert ["KeyError", "more"] == [each.split()[-1] for each in answer.out.splitlines()]


def test_without_a_log_a_sentence_says_so(world: World) -> None:
    """66."""
    answer = world.run("service", "logs", "sample-plan")
    assert ExitStatus.NO_INPUT == answer.status
    assert "no agent has run on this home yet" in answer.err


def test_a_name_is_a_whole_word() -> None:
    """In the column of the room and in a text."""
    is_own = of_service("a|x")
    assert [True, True, False, False, False] == [
        is_own(each) for each in (b"INFO a|x - y", b"for a|x: z", b"a|x-y", b"aa|x", b"a|xy")
    ]


def test_a_name_with_a_blank_is_one_column() -> None:
    """A room is what stands before the event's id."""
    found = as_facts("2026-11-20T17:25:25.123+01:00 INFO  applications|Pump alarms - one two")
    assert ("applications|Pump alarms", "-", "one two") == (found["room"], found["event_id"], found["text"])

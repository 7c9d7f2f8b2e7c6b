"""`iadmin doctor` as a command: what it does with what it finds."""

from __future__ import annotations

import attrs

from agent.errors import MachineError, OperatorError
from tests.iadmin.fakes import World


def codes(world: World) -> list[str]:
    return [one["code"] for one in world.run("--json", "doctor").document["findings"]]


def test_people_read_what_how_and_what_to_do(world: World) -> None:
    """The worst first, and a last line that counts."""
    world.running = False
    answer = world.run("doctor")
    assert 1 == answer.status
    assert "WARNING  no agent runs on" in answer.out
    assert "do: iadmin --home" in answer.out or "do: iadmin start" in answer.out
    assert "2 warnings, 1 note." == answer.out.splitlines()[-1]


def test_an_agent_that_hangs_is_asked_once(world: World) -> None:
    """Each question would take its time."""
    world.config = attrs.evolve(world.config, gateways=())
    world.link.failure = MachineError("too-slow", "it does not answer within 20 s")
    found = codes(world)
    assert "no-answer" in found
    assert "check-failed" not in found


def test_a_check_that_fails_is_a_finding(world: World) -> None:
    """And the others are made all the same."""
    world.running = False
    world.exposure_fault = OperatorError("unreadable", "conf cannot be read")
    found = codes(world)
    assert "check-failed" in found
    assert "only-outbox" in found

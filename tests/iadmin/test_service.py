"""Integration services and their workers."""

from __future__ import annotations

from agent.config.model import InitialState
from tests.iadmin.fakes import STATUS, World, agent_config, service_config


def test_services_of_a_running_agent(world: World) -> None:
    """State, backlog and last request, as the agent says."""
    answer = world.run("service", "list")
    assert (0, "") == (answer.status, answer.err)
    assert ["applications|sample-plan", "active", "3", "1", "0", "10:22:31", "4712", "on_event"] == (
        answer.out.splitlines()[1].split()
    )
    assert {"services": STATUS["services"]} == world.run("service", "list", "--json").document


def test_a_failing_service_tells_its_error(world: World) -> None:
    """Below the table, whole, made safe."""
    failing = STATUS["services"][0] | {"state": "failing", "last_error": "ModuleNotFoundError: \x1b[31mpumps"}
    world.link.status_answer["services"] = [failing]
    out = world.run("service", "list").out
    assert "Last errors\napplications|sample-plan  ModuleNotFoundError: \\x1b[31mpumps\n" in out


def test_services_without_an_agent_come_from_the_configuration(world: World) -> None:
    """The same keys, and a note."""
    world.running = False
    world.config = agent_config(
        service_config("applications", "a"), service_config("applications", "b", InitialState.INACTIVE)
    )
    answer = world.run("--json", "service", "list")
    assert "is not running" in answer.err
    services = answer.document["services"]
    assert [("applications|a", "stopped"), ("applications|b", "inactive")] == [
        (service["service"], service["state"]) for service in services
    ]
    assert set(STATUS["services"][0]) == set(services[0])


def test_the_last_words_of_a_service_that_crashes_are_shown(world: World) -> None:
    """What its worker wrote to stderr, control characters escaped; a service that runs has no last words."""
    crashing = STATUS["services"][0] | {"state": "failing", "stderr_tail": ["Traceback", "KeyError: \x1b[2J"]}
    world.link.status_answer["services"] = [crashing, STATUS["services"][0] | {"stderr_tail": ["long ago"]}]
    out = world.run("service", "list").out
    assert out.endswith("\nLast words of applications|sample-plan\nTraceback\nKeyError: \\x1b[2J\n")
    assert "long ago" not in out

"""The verbs of the original, and those about single services and the log."""

from __future__ import annotations

import re

import pytest

from agent.errors import ExitStatus, OperatorError
from tests.iadmin.fakes import FakeStarted, World

SERVICE = "applications|sample-plan"

LAYOUT = """Version: 5.2.0 r87543
Release date: Jun 25, 2018
Agent started: Oct 14, 2018 9:38:19 PM
Agent ID: remedy91IA

Integration Services:
\tEvent domain: applications
\t\tName: bmc-remedy-9-incident-6-0-1
\t\tClients: [MG, APCLIENT]
\t\tURL: http://10.128.0.52:8081/applications_bmc-remedy-9-incident-6-0-1
\t\tStarted: Oct 14, 2018 9:38:20 PM
\t\tLast request: none
\t\tStatus: ACTIVE
\t\tPending request count: 0
\t\tNormal priority inbound APXML queue size: 0
\t\tHigh priority inbound APXML queue size: 0
\t\tNormal priority outbound APXML queue size: 0
\t\tHigh priority outbound APXML queue size: 0


xMatters Servers:
\tURL: https://example.na5.xmatters.com/api/services/AlarmPointWebService
\tConnectivity status: PRIMARY_ACCEPTED
\tLast heartbeat attempt: Oct 14, 2018 7:49:56 PM
"""
"""What a real agent of the original has printed."""


def labels(text: str) -> list[str]:
    """Each line without its value: tabs and label."""
    return [re.sub(r":(?=$| ).*", ":", line) for line in text.splitlines()]


def test_get_status_has_the_layout_of_the_original(world: World) -> None:
    """Line for line: labels, tabs, empty lines."""
    world.link.status_answer.update(
        released="2018-06-25T10:00:00.000+00:00", started="2018-10-14T21:38:19.000+00:00", address="10.0.0.1"
    )
    world.link.status_answer["destinations"] = [
        {"kind": "http", "target": "https://x.example/api", "circuit": "closed", "last_success": None, "last_error": ""}
    ]
    answer = world.run("get-status")
    assert 0 == answer.status
    assert labels(LAYOUT) == labels(answer.out)
    shown = answer.out.splitlines()
    assert "Release date: Jun 25, 2018" in shown
    assert "Agent started: Oct 14, 2018 9:38:19 PM" in shown
    assert "\t\tURL: http://127.0.0.1:8081/applications_sample-plan" in shown
    assert "\t\tNormal priority inbound APXML queue size: 2" in shown
    assert "\tConnectivity status: PRIMARY_ACCEPTED" in shown
    assert "\tLast heartbeat attempt: none" in shown


@pytest.mark.parametrize(
    ("state", "expected"),
    [("active", "ACTIVE"), ("crash-loop", "ERROR"), ("failing", "ERROR"), ("suspended", "SUSPENDED")],
)
def test_states_in_the_words_that_monitoring_looks_for(world: World, state: str, expected: str) -> None:
    """`Status: ACTIVE` stands there when it is so, and only then."""
    world.link.status_answer["services"] = [{**world.link.status_answer["services"][0], "state": state}]
    assert f"\t\tStatus: {expected}\n" in world.run("get-status").out


def test_a_far_end_that_is_down_is_not_accepted(world: World) -> None:
    """After several failures, and after one."""
    for circuit, error, expected in (("open", "x", "UNREACHABLE"), ("closed", "401", "REJECTED")):
        one = {"kind": "http", "target": "https://x", "circuit": circuit, "last_error": error, "last_success": None}
        world.link.status_answer["destinations"] = [one]
        assert f"Connectivity status: {expected}" in world.run("get-status").out


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["suspend", "sample-plan"], ("suspend", SERVICE, False, False)),
        (["suspend", "applications_sample-plan", "--refuse"], ("suspend", SERVICE, False, True)),
        (["suspend-now", SERVICE], ("suspend", SERVICE, True, False)),
        (["suspend", "applications", "sample-plan"], ("suspend", SERVICE, False, False)),
        (["resume", "sample-plan"], ("resume", SERVICE)),
        (["restart", "sample-plan"], ("restart", SERVICE)),
        (["reload", "sample-plan"], ("reload", SERVICE)),
        (["reload", "all"], ("reload", "")),
        (["reload"], ("reload", "")),
    ],
)
def test_services_are_named_as_people_name_them(world: World, words: list[str], order: tuple[object, ...]) -> None:
    """`domain|name`, `domain_name`, or the bare name."""
    assert 0 == world.run(*words).status
    assert order in world.link.asked


def test_a_suspension_says_what_becomes_of_events(world: World) -> None:
    """Stored, or refused; what a hook raised is told beside it."""
    assert "accepted and stored, and wait" in world.run("suspend", "sample-plan").out
    world.link.trouble = "on_suspend raised ValueError: x"
    answer = world.run("suspend", "sample-plan", "--refuse")
    assert "come back later (503)" in answer.out
    assert (0, "iadmin: on_suspend raised ValueError: x\n") == (answer.status, answer.err)


def test_a_service_that_is_not_there(world: World) -> None:
    """The nearest one is named; nothing is ordered."""
    answer = world.run("suspend", "sample-pla")
    assert (ExitStatus.USAGE, []) == (answer.status, world.link.asked)
    assert 'did you mean "sample-plan"?' in answer.err


def test_a_worker_that_does_not_come_up_is_a_failure(world: World) -> None:
    """With its reason."""
    world.link.trouble = "no module named pumps"
    answer = world.run("restart", "sample-plan")
    assert ExitStatus.UNAVAILABLE == answer.status
    assert "no module named pumps" in answer.err


def test_purge_asks_with_the_number(world: World) -> None:
    """Nobody there: nothing is done without --yes. No: nothing is done, status 1."""
    answer = world.run("purge", "sample-plan")
    assert ExitStatus.USAGE == answer.status
    assert "3 events that wait for applications|sample-plan" in answer.err
    world.answers = [False]
    assert ExitStatus.FAILED == world.run("purge", "sample-plan").status
    assert ("purge", SERVICE) not in world.link.asked
    world.answers = [True]
    assert 0 == world.run("purge", "sample-plan").status
    assert ("purge", SERVICE) in world.link.asked
    assert {"service": SERVICE, "purged": 3} == world.run("purge", "sample-plan", "--yes", "--json").document


@pytest.mark.parametrize(
    "words",
    [
        ("get-status",),
        ("suspend", "x"),
        ("resume", "x"),
        ("purge", "x"),
        ("reload",),
        ("display-settings",),
        ("get-log-level",),
        ("set-log-level", "info"),
        ("restart", "x"),
    ],
)
def test_without_an_agent_it_is_one_sentence(world: World, words: tuple[str, ...]) -> None:
    """Status 69, and what to do instead."""
    world.running = False
    answer = world.run(*words)
    assert (ExitStatus.UNAVAILABLE, 1) == (answer.status, len(answer.err.splitlines()))
    assert "no agent runs on" in answer.err


def test_the_level_of_the_log(world: World) -> None:
    """In either case of letters; another word is refused with the ones there are."""
    assert "info\n" == world.run("get-log-level").out
    assert "iaconfig.xml is as it was" in world.run("set-log-level", "DEBUG").out
    assert "debug" == world.link.level
    answer = world.run("set-log-level", "loud")
    assert ExitStatus.USAGE == answer.status
    assert "'debug', 'info', 'warn', 'error'" in answer.err


def test_settings_are_those_of_the_running_agent(world: World) -> None:
    """One value per line."""
    assert "gateways.1.port  8081" in world.run("display-settings").out


def test_start_waits_until_it_is_up(world: World) -> None:
    """And does nothing where it runs."""
    assert {"home": str(world.home), "pid": 4711, "was_running": True} == world.run("start", "--json").document
    assert [] == world.starts
    world.running = False
    assert 0 == world.run("start").status
    assert [world.home] == world.starts


def test_an_agent_that_does_not_start_says_why(world: World) -> None:
    """All its sentences, and its own exit status."""
    world.running = False
    world.started = FakeStarted(status=78, complaints=["iaconfig.xml:3: one", "iaconfig.xml:4: two"])
    world.link.failure = OperatorError("x", "nobody answers")
    answer = world.run("start")
    assert (ExitStatus.CONFIG, "iadmin: iaconfig.xml:3: one\niadmin: iaconfig.xml:4: two\n") == (
        answer.status,
        answer.err,
    )


def test_an_agent_that_dies_silently_is_told_too(world: World) -> None:
    """By the status that is none of ours."""
    world.running = False
    world.started = FakeStarted(status=-9)
    answer = world.run("start")
    assert ExitStatus.UNAVAILABLE == answer.status
    assert "has ended with status -9" in answer.err


def test_restart_looks_at_the_configuration_before_it_stops_anything(world: World) -> None:
    """An agent that could not come back is not stopped."""
    from agent.config.problem import Problem

    world.faults = [Problem(file="iaconfig.xml", line=1, text="broken")]
    assert ExitStatus.CONFIG == world.run("restart").status
    assert [] == world.link.stops
    world.faults = []
    assert 0 == world.run("restart").status
    assert [False] == world.link.stops
    assert [world.home] == world.starts


def test_three_words_are_no_service(world: World) -> None:
    """The sentence says which ways there are."""
    answer = world.run("resume", "applications", "sample-plan", "x")
    assert 64 == answer.status
    assert "'applications sample-plan x' names no service; give DOMAIN|NAME, or DOMAIN NAME, or NAME" in answer.err

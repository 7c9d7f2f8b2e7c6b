"""The agent as a whole: status and stop."""

from __future__ import annotations

from collections.abc import Callable

from agent.errors import ExitStatus, OperatorError
from iadmin.link import NoAnswer, NotRunning
from tests.iadmin.fakes import PID, STATUS, World


def words_of(world: World) -> list[list[str]]:
    return [line.split() for line in world.run("status").out.splitlines()]


def test_status_is_one_page(world: World) -> None:
    """State, uptime, gateways, services and destinations."""
    answer = world.run("status")
    assert 0 == answer.status
    for words in (
        ["http://127.0.0.1:8081", "no", "0", "none"],
        ["outbox", "ready", "0", "0", "0", "10:22:31", "/srv/agent/var/outbox/outbox.jsonl"],
        ["applications|sample-plan", "active", "3", "0", "1", "4712", "0", "10:22:31"],
    ):
        assert words in [line.split() for line in answer.out.splitlines()]
    assert "running, up 2 h 13 min (since 2025-07-30 09:47:00.000+00:00)" in answer.out
    assert f"plant7-agent, version 0.1.0, pid {PID}" in answer.out
    assert all(len(line) <= 80 for line in answer.out.splitlines()[:8])
    assert STATUS == world.run("status", "--json").document


def test_warnings_come_first(world: World) -> None:
    """What the operator should mend is not below the fold."""
    world.link.status_answer["warnings"] = ["1 dead letter"]
    assert "warning: 1 dead letter" == world.run("status").out.splitlines()[0]


def test_last_errors_are_shown_whole(world: World) -> None:
    """Of services and destinations, below the tables."""
    world.link.status_answer["destinations"] = [STATUS["destinations"][0] | {"last_error": "no route to host"}]
    assert world.run("status").out.endswith("\nLast errors\noutbox  no route to host\n")


def test_an_agent_that_starts_or_stops_is_not_yet_there(world: World) -> None:
    """Exit status 75: a script tries again."""
    for state in ("starting", "stopping"):
        world.link.status_answer["state"] = state
        assert ExitStatus.TEMPORARY == world.run("status").status


def test_an_agent_without_its_socket_is_starting_or_stopping(world: World) -> None:
    """Exit status 75, with what waits in its files; nobody is told to start a second one."""
    world.link.failure = NotRunning("not-running", "no agent runs on this home")
    answer = world.run("status")
    assert (ExitStatus.TEMPORARY, "") == (answer.status, answer.err)
    assert ["state", "starting", "or", "stopping"] in [line.split() for line in answer.out.splitlines()]
    assert "Start it with" not in answer.out
    assert "starting-or-stopping" == world.run("status", "--json").document["state"]


def test_a_stopped_agent_is_shown_from_its_files(world: World) -> None:
    """Exit status 69, what waits for it, and how to start it."""
    world.running = False
    answer = world.run("status")
    assert ExitStatus.UNAVAILABLE == answer.status
    assert ["state", "stopped"] in [line.split() for line in answer.out.splitlines()]
    assert f'Start it with "integration-agent --home {world.home}".' == answer.out.splitlines()[-1]
    found = world.run("status", "--json").document
    assert ("stopped", STATUS["spool"]) == (found["state"], found["spool"])


def test_a_home_that_never_ran_has_a_status(world: World) -> None:
    """There is no spool yet, and that is no fault."""
    world.running = False
    world.journal.failure = OperatorError("spool-missing", "there is no spool here")
    found = world.run("status", "--json").document
    assert ("stopped", {}, []) == (found["state"], found["spool"], found["warnings"])
    assert {"events": 0, "requests": 0, "oldest": None} == found["dead_letters"]


def test_a_stopped_agent_still_warns_of_dead_letters(world: World) -> None:
    """They do not go away because nobody runs."""
    world.running = False
    world.journal.ages = {"dead": "2025-07-27T12:00:00.000+00:00", "open": {}}
    answer = world.run("status")
    sentence = 'warning: 1 dead letter (1 event), the oldest for 3 d: look at "iadmin deadletter list"'
    assert (ExitStatus.UNAVAILABLE, sentence) == (answer.status, answer.out.splitlines()[0])


def test_counters_are_shown_on_demand(world: World) -> None:
    """By name and label."""
    world.link.status_answer["counters"] = {"gateway.refused": {"bad-xml": 1234}}
    assert "bad-xml" not in world.run("status").out
    assert ["gateway.refused", "bad-xml", "1,234"] in [
        line.split() for line in world.run("status", "--counters").out.splitlines()
    ]


def test_a_gateway_on_all_addresses_is_a_star(world: World) -> None:
    """And an IPv6 address stands in brackets."""
    world.link.status_answer["gateways"] = [
        {"host": "", "port": 8081, "ssl": False},
        {"host": "::1", "port": 8443, "ssl": True},
    ]
    out = world.run("status").out
    assert "http://*:8081" in out
    assert "https://[::1]:8443" in out


def test_stop_waits_for_the_end_of_the_process(world: World) -> None:
    """It asks, then waits, and says when it is over."""
    answer = world.run("stop", "--patience", "7")
    assert (0, [False], [7.0]) == (answer.status, world.link.stops, world.process.waited)
    assert f"The agent (pid {PID}) on {world.home} has stopped.\n" == answer.out
    assert {"home": str(world.home), "was_running": True, "pid": PID} == world.run("stop", "--json").document


def test_stop_now_does_not_wait_for_hooks(world: World) -> None:
    """The agent is told so; waiting for the process remains."""
    assert 0 == world.run("stop", "--now").status
    assert ([True], 1) == (world.link.stops, len(world.process.waited))


def test_stop_without_an_agent_has_nothing_to_do(world: World) -> None:
    """Exit status 0: what was wanted is so."""
    world.running = False
    answer = world.run("stop")
    assert (0, [], f"No agent runs on {world.home}; there is nothing to stop.\n") == (
        answer.status,
        world.link.stops,
        answer.out,
    )


def test_an_agent_that_ends_meanwhile_is_stopped(world: World) -> None:
    """Somebody else was quicker."""
    world.link.failure = NotRunning("not-running", "no agent runs")
    world.pids = [PID, None]
    assert (0, True) == ((answer := world.run("stop")).status, "nothing to stop" in answer.out)


def test_an_agent_without_its_socket_can_still_be_ended(world: World) -> None:
    """The lock says that it runs; the sentence names the pid."""
    world.link.failure = NotRunning("not-running", "no agent runs")
    answer = world.run("stop")
    assert ExitStatus.TEMPORARY == answer.status
    assert f'"kill {PID}"' in answer.err


def test_an_agent_that_is_just_starting_is_asked_as_soon_as_it_can_be(world: World) -> None:
    """Its control socket is not there yet; the operator need not try again himself."""
    world.link.failure = NotRunning("not-running", "it is just starting")

    def until(look: Callable[[], bool], patience_s: float) -> bool:
        assert (False, 10.0) == (look(), patience_s)
        world.link.failure = None
        return look()

    world.until = until
    answer = world.run("stop")
    assert (0, [False]) == (answer.status, world.link.stops)
    assert f"The agent (pid {PID}) on {world.home} has stopped.\n" == answer.out


def test_an_agent_that_does_not_end_is_reported(world: World) -> None:
    """Exit status 75 after the patience, with the remedies."""
    world.process.gone = False
    answer = world.run("stop", "--patience", "1")
    assert (ExitStatus.TEMPORARY, "") == (answer.status, answer.out)
    assert "still runs after 1.0 s" in answer.err
    assert f'"kill -9 {PID}"' in answer.err


def test_an_agent_that_does_not_answer_is_a_failure(world: World) -> None:
    """The link's own sentence is passed on, by status and by stop."""
    world.link.failure = NoAnswer("no-answer", "the agent does not answer; see its log")
    for command in ("status", "stop"):
        answer = world.run(command)
        assert (ExitStatus.UNAVAILABLE, "iadmin: the agent does not answer; see its log\n") == (
            answer.status,
            answer.err,
        )


def test_a_gateway_with_tls_shows_what_it_presents(world: World) -> None:
    """The alias, and the days that its certificate has left."""
    tls = {"certificates": [{"alias": "web", "days_left": 12}]}
    world.link.status_answer["gateways"] = [{"host": "::", "port": 8443, "ssl": True, "tls": tls}]
    assert ["https://[::]:8443", "web", "12", "days", "left", "0", "none"] in words_of(world)
    tls["certificates"][0]["days_left"] = -1
    assert ["https://[::]:8443", "web", "EXPIRED", "0", "none"] in words_of(world)

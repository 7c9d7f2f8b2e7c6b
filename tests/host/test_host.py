"""agent.host.host: many services side by side, and senders who are answered by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.boundaries import HttpResponse
from agent.config.model import InitialState
from agent.delivery import OutboundRequest, Outcome
from agent.errors import MachineError, ServiceError
from agent.host import WorkerHost
from agent.host.host import START_PATIENCE_S
from agent.host.messages import Response, Result, Verdict
from tests.host.fakes import (
    NOW_US,
    Bench,
    FakeCounters,
    FakeLauncher,
    MemorySpool,
    event,
    http_request,
    service_config,
)
from tests.support.twisted_results import failure_of, is_waiting, result_of


class Desk:
    """A host with three services; the last one is inactive."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.spool = MemorySpool()
        self.launcher = FakeLauncher()
        self.host = WorkerHost(
            services=[
                service_config("pump-alarms"),
                service_config("doors"),
                service_config("idle", initial_state=InitialState.INACTIVE),
            ],
            home=None,  # type: ignore[arg-type]
            spool=self.spool,
            reactor=self.clock,  # type: ignore[arg-type]
            now_us=lambda: NOW_US,
            jitter=lambda: 0.5,
            counters=FakeCounters(),
            agent_id="plant7",
            destinations=("outbox", "tickets"),
            launcher=self.launcher,
        )

    def running(self, *hooks: str) -> Desk:
        started = Deferred.fromCoroutine(self.host.start())
        for process in self.launcher.processes:
            process.ready(*hooks)
        result_of(started)
        return self


def test_start_waits_for_every_first_verdict() -> None:
    """Start is over when each active service is ready or has failed; a failing one does not raise."""
    desk = Desk()

    started = Deferred.fromCoroutine(desk.host.start())
    good, bad = desk.launcher.processes
    good.ready()
    waits = is_waiting(started)
    bad.broken("doors.py:1: SyntaxError")

    assert waits
    assert not is_waiting(started)
    assert ["active", "failing", "inactive"] == [told["state"] for told in desk.host.describe()]
    assert "doors.py:1: SyntaxError" == desk.host.describe()[1]["last_error"]


def test_start_does_not_wait_for_a_service_that_hangs() -> None:
    """After two seconds the agent comes up without it; it goes on starting, and its events wait on disk."""
    desk = Desk()
    started = Deferred.fromCoroutine(desk.host.start())
    good, slow = desk.launcher.processes
    good.ready()
    desk.clock.advance(START_PATIENCE_S - 0.1)
    waits = is_waiting(started)
    desk.clock.advance(0.1)
    desk.spool.put(event("d", service="applications|doors"))
    told = [each["state"] for each in desk.host.describe()]
    slow.ready()

    assert waits
    assert not is_waiting(started)
    assert ["active", "starting", "inactive"] == told
    assert ["d"] == slow.ids


def test_sender_of_a_service_that_is_starting_is_told_to_come_back(tmp_path: Path) -> None:
    """Before its first start a service is taken to answer itself when its script defines `on_http`."""
    script = tmp_path / "soap.py"
    script.write_text("def on_http(request):\n    return None\n")
    bench = Bench(script=script)
    bench.service.start()

    assert bench.service.answers_http
    with pytest.raises(ServiceError) as caught:
        bench.service.ask(event("a"), http_request())
    assert ("service-starting", 5.0) == (caught.value.code, caught.value.after_s)
    bench.worker.ready("on_event")
    assert not bench.service.answers_http


def test_start_that_is_called_off_leaves_no_process() -> None:
    """When start is cancelled, the workers that were launched are killed."""
    desk = Desk()
    started = Deferred.fromCoroutine(desk.host.start())

    started.cancel()

    assert [["SIGKILL"], ["SIGKILL"]] == [[s.name for s in process.signals] for process in desk.launcher.processes]
    failure_of(started)


def test_events_go_to_their_service_only() -> None:
    """Each worker hears its own service's events, and one's crash is nothing to the other."""
    desk = Desk().running()
    pumps, doors = desk.launcher.processes
    desk.spool.put(event("p"), event("d", service="applications|doors"), event("i", service="applications|idle"))

    pumps.exit()
    doors.done("d")

    assert (["p"], ["d"]) == (pumps.ids, doors.ids)
    assert [("p", Outcome.POSTPONE), ("d", Outcome.SUCCEED)] == desk.spool.outcomes()


def test_worker_is_told_what_it_may_know() -> None:
    """The first frame holds the service's own part of the configuration, and the names of destinations."""
    load = Desk().running().launcher.processes[0].load

    assert ("applications|pump-alarms", "plant7", "outbox") == (load.service, load.agent_id, load.destination)
    assert ("outbox", "tickets") == load.destinations
    assert {"normal": 3, "high": 3, "http": 3} == load.threads


def test_answer_is_given_after_what_was_sent_is_stored() -> None:
    """The sender's answer comes with event and requests in the spool, done."""
    desk = Desk().running("on_http")
    worker = desk.launcher.processes[0]

    waiting = desk.host.ask(event("q"), http_request())
    worker.say(
        Result(
            call=worker.number("q"),
            verdict=Verdict.DONE,
            requests=(OutboundRequest(destination="outbox", body=b"x"),),
            response=Response(status=201, headers=(("a", "b"),), body=b"made"),
        )
    )

    assert desk.host.answers_http("applications|pump-alarms")
    assert HttpResponse(status=201, headers=(("a", "b"),), body=b"made") == result_of(waiting)
    ((stored, settled),) = desk.spool.answered
    assert ("q", Outcome.SUCCEED, b"x") == (stored.id, settled.outcome, settled.requests[0].body)


def test_answer_is_not_given_when_storing_fails() -> None:
    """No 2xx without the disk: the sender is told that it failed."""
    desk = Desk().running("on_http")
    waiting = desk.host.ask(event("q"), http_request())
    desk.spool.trouble = MachineError("disk-full", "the disk is full")

    desk.launcher.processes[0].answer("q", 200)

    assert "disk-full" == failure_of(waiting).code  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("hooks", "expected", "stored"), [(("on_http", "on_event"), None, 0), (("on_http",), HttpResponse(), 1)]
)
def test_hook_that_returns_nothing(hooks: tuple[str, ...], expected: HttpResponse | None, stored: int) -> None:
    """None leaves the request to `on_event`; without that hook it is an empty 200, as in the original."""
    desk = Desk().running(*hooks)
    waiting = desk.host.ask(event("q"), http_request())

    desk.launcher.processes[0].done("q")

    assert expected == result_of(waiting)
    assert stored == len(desk.spool.answered)


@pytest.mark.parametrize(
    ("verdict", "code", "retryable"),
    [
        (Verdict.RETRY, "service-retry", True),
        (Verdict.REJECT, "event-rejected", False),
        (Verdict.ERROR, "service-failed", True),
    ],
)
def test_hook_that_fails_stores_nothing(verdict: Verdict, code: str, retryable: bool) -> None:
    """The sender gets no 2xx and repeats; what the hook wanted to send is forgotten."""
    desk = Desk().running("on_http")
    waiting = desk.host.ask(event("q"), http_request())

    desk.launcher.processes[0].fail("q", verdict, "because")
    error = failure_of(waiting)

    assert (code, retryable) == (error.code, error.retryable)  # type: ignore[attr-defined]
    assert "applications|pump-alarms: because" == str(error)
    assert [] == desk.spool.answered


def test_inactive_service_is_not_asked() -> None:
    """Nobody is sent to a service that does not run."""
    desk = Desk().running("on_http")

    assert not desk.host.answers_http("applications|idle")
    assert "service-unknown" == failure_of(desk.host.ask(event("q", service="applications|idle"), http_request())).code  # type: ignore[attr-defined]


def test_stop_ends_all() -> None:
    """Stop is over when every worker is gone."""
    desk = Desk().running()

    stopped = Deferred.fromCoroutine(desk.host.stop(5.0))
    for process in desk.launcher.processes:
        process.exit("ended with exit status 0")

    result_of(stopped)
    assert [] == desk.clock.getDelayedCalls()


def test_description_is_complete() -> None:
    """Every service, active or not, is described with the same keys."""
    desk = Desk().running()
    desk.spool.put(event("p"))
    pump, _, idle = desk.host.describe()

    assert list(pump) == list(idle)
    assert {
        "service": "applications|pump-alarms",
        "url_name": "applications_pump-alarms",
        "state": "active",
        "pid": 1000,
        "started": "2023-11-14T22:13:20.000+00:00",
        "hooks": ["on_event"],
        "restarts": 0,
        "in_hand": 1,
        "waiting": 0,
        "last_error": "",
        "stderr_tail": [],
        "last_request": "2023-11-14T22:13:20.000+00:00",
    } == pump

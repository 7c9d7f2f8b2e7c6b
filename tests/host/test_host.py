"""agent.host.host: many services side by side, and senders who are answered by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.boundaries import HttpResponse
from agent.config.model import InitialState
from agent.delivery import OutboundRequest, Outcome
from agent.errors import MachineError, OperatorError, ServiceError
from agent.host import WorkerHost
from agent.host.firsttries import START_PATIENCE_S
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


class Book:
    """Names that are kept, or a disk that refuses."""

    def __init__(self, *names: str, trouble: MachineError | None = None) -> None:
        self.names = frozenset(names)
        self.trouble = trouble

    def write(self, names: frozenset[str]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.names = names


class Desk:
    """A host with three services; the last one is inactive."""

    def __init__(self, book: Book | None = None) -> None:
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
            suspended=book,
            launcher=self.launcher,
        )

    def running(self, *hooks: str) -> Desk:
        started = Deferred.fromCoroutine(self.host.start())
        for process in self.launcher.processes:
            process.ready(*hooks)
        result_of(started)
        return self


def test_sender_of_a_service_that_is_starting_is_told_to_come_back(tmp_path: Path) -> None:
    """Before its first start a service is taken to answer itself when its script defines `on_http`."""
    script = tmp_path / "soap.py"
    script.write_text("def on_http(request):\n    return None\n")
    bench = Bench(script=script)
    bench.service.start()

    assert "on_http" in bench.service.likely_hooks
    with pytest.raises(ServiceError) as caught:
        bench.service.ask(event("a"), http_request())
    assert ("service-starting", 5.0) == (caught.value.code, caught.value.after_s)
    bench.worker.ready("on_event")
    assert "on_http" not in bench.service.likely_hooks


def test_a_stop_while_workers_start_leaves_no_process() -> None:
    """Those that were launched are killed, no timer is left, and nobody waits for them."""
    desk = Desk()
    result_of(Deferred.fromCoroutine(desk.host.start()))
    tried = Deferred.fromCoroutine(desk.host.first_tries.start())
    stopping = Deferred.fromCoroutine(desk.host.stop(1.0))
    signals = [[s.name for s in process.signals] for process in desk.launcher.processes]
    for process in desk.launcher.processes:
        process.exit()

    result_of(stopping)
    result_of(tried)
    assert [["SIGKILL"], ["SIGKILL"]] == signals
    assert [] == desk.clock.getDelayedCalls()


def test_a_sender_waits_for_the_first_start_of_the_service_that_answers() -> None:
    """The gateways listen before the workers are up; nobody is sent away for that."""
    desk = Desk()
    result_of(Deferred.fromCoroutine(desk.host.start()))
    worker, other = desk.launcher.processes
    waiting = desk.host.ask(event("q"), http_request())
    worker.ready("on_http")
    other.broken("doors.py:1: SyntaxError")
    here = Response(status=200, headers=(), body=b"here")
    worker.say(Result(call=worker.number("q"), verdict=Verdict.DONE, response=here))

    answered = result_of(waiting)
    assert answered is not None
    assert b"here" == answered.body


def test_a_sender_does_not_wait_for_a_service_that_hangs() -> None:
    """After the patience of the start it is told to come back, and so is who comes then."""
    desk = Desk()
    result_of(Deferred.fromCoroutine(desk.host.start()))
    first = desk.host.ask(event("q"), http_request())
    desk.clock.advance(START_PATIENCE_S)
    second = desk.host.ask(event("r"), http_request())

    codes = [error.code for waiting in (first, second) if isinstance(error := failure_of(waiting), ServiceError)]
    assert ["service-starting", "service-starting"] == codes


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
        "runnable": True,
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
        "last_minute": {"came_per_s": 1.0, "done_per_s": 0.0, "failed": 0, "mean_ms": None, "slowest_ms": None},
    } == pump


def test_suspended_services_are_kept_over_a_restart() -> None:
    """What the operator has suspended does not start with the next agent; what is resumed does."""
    book = Book()
    desk = Desk(book).running()
    result_of(desk.host.suspend("applications|doors"))
    noted = book.names
    later = Desk(Book("applications|doors"))
    started = Deferred.fromCoroutine(later.host.start())
    later.launcher.last.ready()
    states = [told["state"] for told in later.host.describe()]
    result_of(desk.host.resume("applications|doors"))

    assert not is_waiting(started)
    assert ({"applications|doors"}, set()) == (noted, book.names)
    assert ["active", "suspended", "inactive"] == states


def test_suspension_that_cannot_be_kept_is_refused() -> None:
    """A full disk says so before anything has changed."""
    desk = Desk(Book(trouble=MachineError("store-failed", "no space"))).running()

    failure = failure_of(desk.host.suspend("applications|doors"))

    assert isinstance(failure, MachineError)
    assert "active" == desk.host.describe()[1]["state"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("applications|idle", "applications|idle is inactive: its descriptor says so in <initial-state>"),
        ("doors", "there is no service 'doors'; there are applications|pump-alarms, applications|doors"),
    ],
)
def test_only_running_services_are_suspended_and_restarted(name: str, sentence: str) -> None:
    """The sentence says why not."""
    desk = Desk().running()

    for refused in (desk.host.suspend(name), desk.host.resume(name), desk.host.restart(name)):
        failure = failure_of(refused)
        assert isinstance(failure, OperatorError)
        assert sentence in failure.sentence


def test_restart_ends_the_worker_and_begins_with_what_is_on_disk() -> None:
    """Hooks in hand end, `on_shutdown` runs, a new worker loads the script, and no event is lost between the two."""
    desk = Desk().running()
    old = desk.launcher.processes[1]
    desk.spool.put(event("a", service="applications|doors"))

    done = desk.host.restart("applications|doors")
    desk.spool.put(event("b", service="applications|doors"))
    early = old.is_told_to_finish
    old.done("a")
    told = old.is_told_to_finish
    old.exit("ended with exit status 0")
    new = desk.launcher.last
    waits = is_waiting(done)
    new.ready()

    assert (False, True, True, "") == (early, told, waits, result_of(done))
    assert (["a"], ["b"], 3) == (old.ids, new.ids, len(desk.launcher.processes))


def test_restart_of_a_crash_loop_starts_at_once() -> None:
    """The author has mended the script and does not wait; what is still wrong is told."""
    desk = Desk()
    started = Deferred.fromCoroutine(desk.host.start())
    good, bad = desk.launcher.processes
    good.ready()
    bad.broken("doors.py:1: SyntaxError")

    done = desk.host.restart("applications|doors")
    desk.launcher.last.broken("doors.py:2: NameError")

    assert not is_waiting(started)
    assert "doors.py:2: NameError" == result_of(done)


def test_restart_of_a_suspended_service_leaves_it_suspended() -> None:
    """It starts when it is resumed, with the new script."""
    desk = Desk().running()
    result_of(desk.host.suspend("applications|doors"))
    done = desk.host.restart("applications|doors")
    desk.launcher.processes[1].exit("ended with exit status 0")
    before = (result_of(done), desk.host.describe()[1]["state"], len(desk.launcher.processes))
    result_of(desk.host.resume("applications|doors"))

    assert ("", "suspended", 2) == before
    assert 3 == len(desk.launcher.processes)


def test_restart_twice_at_a_time() -> None:
    """The second is told that the first is under way."""
    desk = Desk().running()
    desk.host.restart("applications|doors")

    failure = failure_of(desk.host.restart("applications|doors"))

    assert isinstance(failure, OperatorError)
    assert "applications|doors is being restarted already" == failure.sentence


def test_agent_that_stops_during_a_restart_starts_nothing() -> None:
    """The end of the agent comes before the operator's wish."""
    desk = Desk().running()
    done = desk.host.restart("applications|doors")
    stopped = Deferred.fromCoroutine(desk.host.stop(5.0))
    for process in list(desk.launcher.processes):
        process.exit("ended with exit status 0")

    assert not is_waiting(stopped)
    assert "applications|doors is not started again: the agent is being stopped" == result_of(done)
    assert 2 == len(desk.launcher.processes)


def test_on_input_takes_what_on_http_leaves() -> None:
    """A service that answers some requests itself and has messages stored."""
    desk = Desk().running("on_http", "on_input")
    asked = desk.host.ask(event("a"), http_request())
    process = desk.launcher.processes[0]
    process.say(Result(call=process.number("a"), verdict=Verdict.DONE))

    assert result_of(asked) is None
    assert [] == desk.spool.answered

"""agent.host.service: order, attempts, blame and restarts, against workers that do as they are told."""

from __future__ import annotations

from signal import SIGKILL
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from agent.config.model import DedupFilter, RetryPolicy
from agent.delivery import Outcome, State
from agent.errors import MachineError, ServiceError
from agent.event import Priority
from agent.host.hand import SUSPECTS_FIRST_S
from agent.host.messages import Ready, Verdict
from agent.host.process import DUMP_PATIENCE_S, START_PATIENCE_S
from agent.host.state import ServiceState
from tests.host.fakes import NOW_US, SERVICE, Bench, event, http_request
from tests.support.fake_share import FakeShare
from tests.support.twisted_results import failure_of, is_waiting, result_of

FULL_DISK = MachineError("disk-full", "the disk is full")


def test_event_is_handed_over_and_settled() -> None:
    """What the hook sent is stored with the event's end, in one settlement."""
    bench = Bench()
    worker = bench.running()

    bench.spool.put(event("a"))
    worker.done("a", b"one", b"two")

    assert [("a", Outcome.SUCCEED)] == bench.spool.outcomes()
    assert [b"one", b"two"] == [request.body for request in bench.spool.settlements[0].requests]
    assert 0 == bench.service.in_hand


def test_the_spool_is_told_what_was_begun() -> None:
    """Each event when it is handed over, so that its attempts survive a kill of the agent."""
    bench = Bench(normal_threads=1)
    worker = bench.running()
    first, second = bench.spool.put(event("a"), event("b"))
    assert [first.seq] == bench.spool.began
    worker.done("a")

    assert [first.seq, second.seq] == bench.spool.began


def test_events_from_before_the_start_come_first() -> None:
    """What was on disk when the agent started is read and handed over, in order."""
    bench = Bench(normal_threads=1)
    bench.spool.put(event("old"), announce=False)
    worker = bench.running()
    bench.spool.put(event("new"))

    worker.done("old")

    assert ["old", "new"] == worker.ids


def test_one_group_one_at_a_time() -> None:
    """Events of one group wait for one another, others pass, up to the threads; high has its own."""
    bench = Bench(normal_threads=2, high_threads=1)
    worker = bench.running()

    bench.spool.put(
        event("a1", group="a"),
        event("a2", group="a"),
        event("b1", group="b"),
        event("c1", group="c"),
        event("h1", priority=Priority.HIGH),
        event("h2", priority=Priority.HIGH, group="x"),
    )
    begun = sorted(worker.ids)
    worker.done("a1")

    assert ["a1", "b1", "h1"] == begun
    assert "a2" == worker.ids[-1]


def test_nothing_is_handed_over_before_ready() -> None:
    """Until the handshake, a worker hears nothing but what to load."""
    bench = Bench()
    bench.service.start()

    bench.spool.put(event("a"))

    assert [] == bench.worker.calls
    assert "/home/services/pump-alarms/pump_alarms.py" == bench.worker.load.script


def test_failure_is_tried_again_after_a_pause_then_dead() -> None:
    """An exception postpones the event with a growing pause; the last attempt makes it dead, with the reason."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a"))

    worker.fail("a", reason="ValueError: no pump", detail="Traceback ...")
    bench.clock.advance(4.9)
    begun_early = len(worker.calls)
    bench.clock.advance(0.2)
    worker.fail("a")
    bench.clock.advance(10.1)
    worker.fail("a", reason="ValueError: still no pump", detail="Traceback ...")

    assert 1 == begun_early
    assert [1, 2, 3] == [call.attempt for call in worker.calls]
    assert [Outcome.POSTPONE, Outcome.POSTPONE, Outcome.GIVE_UP] == [outcome for _, outcome in bench.spool.outcomes()]
    assert "ValueError: still no pump; gave up after 3 attempts" in bench.spool.settlements[-1].reason
    assert "Traceback ..." == bench.spool.settlements[-1].detail


def test_rejected_event_is_dead_at_once() -> None:
    """`RejectEvent` spends no further attempt."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a"))

    worker.fail("a", Verdict.REJECT, "no <pump>")

    assert [("a", Outcome.GIVE_UP)] == bench.spool.outcomes()
    assert "no <pump>" == bench.spool.settlements[0].reason


def test_retryable_error_is_not_counted_against_the_attempts() -> None:
    """`RetryableError` waits at least as long as it says, and goes on beyond `max_attempts`."""
    bench = Bench(retry=RetryPolicy(first_delay_s=0.0, max_attempts=2))
    worker = bench.running()
    bench.spool.put(event("a"))

    for _ in range(5):
        worker.fail("a", Verdict.RETRY, "down", after_s=60)
        bench.clock.advance(59)
        bench.clock.advance(2)

    assert [1, 2, 3, 4, 5, 6] == [call.attempt for call in worker.calls]


def test_retryable_error_ends_with_the_age() -> None:
    """An event that is older than the policy allows is given up, whatever the service asks for."""
    bench = Bench(retry=RetryPolicy(max_age_s=100.0))
    worker = bench.running()
    bench.spool.put(event("a"))
    bench.clock.advance(5)
    bench.clock.pump([])

    worker.fail("a", Verdict.RETRY, "down", after_s=96)
    bench.clock.advance(97)
    worker.fail("a", Verdict.RETRY, "down")

    assert [Outcome.POSTPONE, Outcome.GIVE_UP] == [outcome for _, outcome in bench.spool.outcomes()]


def test_waiting_event_holds_back_its_group_only() -> None:
    """While an event waits for its next attempt, later ones of its group wait, and others go on."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a1", group="a"), event("a2", group="a"))

    worker.fail("a1")
    bench.spool.put(event("b1", group="b"))

    assert ["a1", "b1"] == worker.ids


def test_hook_that_overruns_its_time_is_killed_and_blamed_alone() -> None:
    """Only the event whose hook took too long has failed; the others in hand are run again, as not failed."""
    bench = Bench(hook_timeout_s=10.0)
    worker = bench.running()
    bench.spool.put(event("slow", group="a"))
    bench.clock.advance(6)
    bench.spool.put(event("quick", group="b"))
    bench.clock.advance(4)
    asked_where_it_hangs = list(worker.signals)
    bench.clock.advance(DUMP_PATIENCE_S)
    worker.exit()
    bench.clock.advance(1)
    bench.worker.ready("on_event")

    assert ["SIGUSR1", "SIGKILL"] == [signal.name for signal in worker.signals]
    assert ["SIGUSR1"] == [signal.name for signal in asked_where_it_hangs]
    assert [("slow", Outcome.POSTPONE)] == bench.spool.outcomes()
    assert "on_event took longer than 10 s" == bench.spool.settlements[0].reason
    assert [("quick", 2)] == [(call.id, call.attempt) for call in bench.worker.calls]


def test_where_a_hook_hangs_is_kept() -> None:
    """The stacks that the worker writes before it is killed become the detail of the failed attempt."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("slow"))

    bench.clock.advance(10)
    worker.listener.printed(b'  File "pump_alarms.py", line 7 in on_event\n', is_stderr=True)
    worker.exit()

    assert '  File "pump_alarms.py", line 7 in on_event' == bench.spool.settlements[0].detail


def test_where_a_hook_hangs_is_one_warning() -> None:
    """The reason names the service's own line; the interpreter's dozens of lines are for those who debug."""
    bench = Bench()
    worker = bench.running()
    said: list[tuple[str, str]] = []
    bench.service.said = lambda level, text, event_id: said.append((level, text))  # type: ignore[method-assign]
    bench.spool.put(event("slow"))
    worker.listener.printed(b"before\n", is_stderr=True)
    bench.clock.advance(10)
    frames = b'  File "/usr/lib/x.py", line 1 in wait\n' * 300
    own = b'  File "/home/services/pump-alarms/pump_alarms.py", line 7 in on_event\n'
    worker.listener.printed(b"Thread 0x1 (most recent call first):\n" + frames[:-5], is_stderr=True)
    worker.listener.printed(frames[-5:] + own, is_stderr=True)
    worker.exit()

    assert "on_event took longer than 10 s" == bench.spool.settlements[0].reason.partition(",")[0]
    assert ["before"] == [text for level, text in said if level == "warn"]


def test_where_a_hook_hangs_is_said_in_the_reason() -> None:
    """File, line and function of the service's own code stand behind the time."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("slow"))
    bench.clock.advance(10)
    own = "/home/services/pump-alarms/pump_alarms.py"
    worker.listener.printed(
        f'Thread 0x1 (most\n  File "{own}", line 7 in on_event\n  File "{own[:9]}'.encode(), is_stderr=True
    )
    worker.exit()

    assert f"on_event took longer than 10 s, in on_event ({own}:7)" == bench.spool.settlements[0].reason


def test_one_time_is_told_and_it_is_the_later_one() -> None:
    """An event that took its worker down cannot be tried before the next worker starts: the log does not say it is."""
    bench = Bench(retry=RetryPolicy(first_delay_s=0.5, max_attempts=3))
    lines: list[str] = []

    def observer(told: dict[str, Any]) -> None:
        lines.append(told["log_format"].format_map(told))

    bench.running().exit()
    bench.clock.advance(60)
    bench.worker.ready()
    bench.spool.put(event("a"))
    globalLogPublisher.addObserver(observer)
    try:
        bench.worker.exit()
    finally:
        globalLogPublisher.removeObserver(observer)
    ended = next(line for line in lines if "worker ended" in line)
    failed = next(line for line in lines if "failed, again in" in line)
    seconds = ended.partition("next start in ")[2].split()[0]
    assert f"again in {seconds} s" in failed


def test_result_between_overrun_and_kill_counts() -> None:
    """A neighbour that finishes while the worker is being killed is done, not run again."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("slow", group="a"))
    bench.clock.advance(1)
    bench.spool.put(event("quick", group="b"))

    bench.clock.advance(9)
    worker.done("quick")
    worker.exit()

    assert [("quick", Outcome.SUCCEED), ("slow", Outcome.POSTPONE)] == bench.spool.outcomes()


def test_crash_with_one_event_blames_it() -> None:
    """A worker that dies with one event in hand was killed by it."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a"))

    worker.exit("was ended by signal SIGSEGV")

    assert [("a", Outcome.POSTPONE)] == bench.spool.outcomes()
    assert "the worker process was ended by signal SIGSEGV" == bench.spool.settlements[0].reason
    assert ServiceState.FAILING is bench.service.state


def test_crash_with_several_events_blames_none_until_it_is_known() -> None:
    """Suspects are run one at a time; the one that kills again alone is blamed, the others are done."""
    bench = Bench()
    bench.running()
    bench.spool.put(event("good", group="a"), event("poison", group="b"), event("fine", group="c"))

    bench.worker.exit()
    blamed_at_once = list(bench.spool.settlements)
    bench.clock.advance(1)
    bench.worker.ready("on_event")
    one_at_a_time = bench.worker.ids
    bench.worker.done("good")
    bench.worker.exit()
    bench.clock.advance(1)
    bench.worker.ready("on_event")
    bench.worker.done("fine")

    assert [] == blamed_at_once
    assert ["good"] == one_at_a_time
    assert [("good", Outcome.SUCCEED), ("poison", Outcome.POSTPONE), ("fine", Outcome.SUCCEED)] == (
        bench.spool.outcomes()
    )


def test_those_who_were_only_there_go_before_the_one_that_kills() -> None:
    """However short its pause: else it takes every worker down before any of them has had a turn."""
    bench = Bench(retry=RetryPolicy(first_delay_s=0.01, max_delay_s=0.01))
    bench.running()
    bench.spool.put(event("poison", group="a"), event("fine", group="b"), event("good", group="c"))
    bench.worker.exit()
    bench.clock.advance(60)
    bench.worker.ready("on_event")
    assert ["poison"] == bench.worker.ids
    bench.worker.exit()
    bench.clock.advance(bench.service.restarts.in_row * 2)
    bench.worker.ready("on_event")
    assert ["fine"] == bench.worker.ids
    bench.worker.done("fine")
    bench.worker.done("good")
    bench.clock.advance(SUSPECTS_FIRST_S)

    assert ["fine", "good", "poison"] == bench.worker.ids


def test_an_attempt_that_ended_the_worker_began_when_it_was_handed_over() -> None:
    """The road shows how long the hook had run, not the moment of the kill."""
    bench = Bench(hook_timeout_s=10.0)
    worker = bench.running()
    bench.spool.put(event("slow"))
    bench.clock.advance(10)
    bench.clock.advance(DUMP_PATIENCE_S)
    worker.exit()

    [settled] = bench.spool.settlements
    assert round(10 + DUMP_PATIENCE_S, 2) == round((settled.ended_us - settled.begun_us) / 1e6, 2)


def test_poison_event_ends_dead() -> None:
    """An event that kills its worker every time is dead after the allowed attempts; the service goes on."""
    bench = Bench(retry=RetryPolicy(first_delay_s=1.0, max_attempts=3))
    bench.running()
    bench.spool.put(event("poison", group="a"))

    for _ in range(3):
        bench.worker.exit()
        bench.clock.advance(60)
        bench.worker.ready("on_event")
    bench.spool.put(event("next", group="a"))
    bench.worker.done("next")

    assert State.DEAD is bench.state("poison")
    assert State.DONE is bench.state("next")


def test_restarts_come_slower_and_slower() -> None:
    """A worker that never gets anything done is started again after growing pauses, a minute at most."""
    bench = Bench()
    bench.service.start()
    pauses = []

    for _ in range(9):
        bench.worker.broken("pump_alarms.py:3: SyntaxError")
        due = min(call.getTime() for call in bench.clock.getDelayedCalls())
        pauses.append(due - bench.clock.seconds())
        bench.clock.advance(pauses[-1])

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] == pauses


def test_service_that_cannot_be_loaded_is_failing_and_keeps_its_events() -> None:
    """The reason is known, the events stay stored, and a mended script gets them."""
    bench = Bench()
    bench.service.start()
    bench.spool.put(event("a"))

    bench.worker.broken("/x/pump_alarms.py:3: SyntaxError: invalid syntax")
    state, error = bench.service.state, bench.service.restarts.last_error
    bench.clock.advance(1)
    bench.worker.ready("on_event")
    bench.worker.done("a")

    assert (ServiceState.FAILING, "/x/pump_alarms.py:3: SyntaxError: invalid syntax") == (state, error)
    assert [("a", Outcome.SUCCEED)] == bench.spool.outcomes()


def test_worker_that_is_never_ready_is_killed() -> None:
    """A script that hangs while it is loaded is ended, and the service is failing."""
    bench = Bench()
    bench.service.start()

    bench.clock.advance(START_PATIENCE_S)
    bench.clock.advance(DUMP_PATIENCE_S)
    bench.worker.exit()

    assert ["SIGUSR1", "SIGKILL"] == [signal.name for signal in bench.worker.signals]
    assert "was not ready within 30 s of its start" == bench.service.restarts.last_error


def test_process_that_cannot_be_started_is_tried_again() -> None:
    """Where the system starts no process, the service is failing with that reason, and starts when it can."""
    bench = Bench()
    bench.launcher.trouble = MachineError("worker-not-started", "no more processes")

    bench.service.start()
    state, error = bench.service.state, bench.service.restarts.last_error
    bench.launcher.trouble = None
    bench.clock.advance(1)

    assert (ServiceState.FAILING, "no more processes") == (state, error)
    assert ServiceState.STARTING is bench.service.state


@pytest.mark.parametrize(
    "data",
    [
        b"Hello from print\n",
        b"\x00\x00\x00\x02\x00\x00\x00\x00{}",
        b"\x00\x00\x00\x0f\x00\x00\x00\x00" + b'{"kind":"boast"}',
    ],
)
def test_worker_that_sends_nonsense_is_killed(data: bytes) -> None:
    """Whoever writes to the agent's pipe what is no message is ended; its event has failed."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a"))

    worker.listener.received(data)
    worker.listener.received(data)
    bench.clock.advance(DUMP_PATIENCE_S)
    worker.exit()

    assert "SIGKILL" == worker.signals[-1].name
    assert "sent what is no message" in bench.spool.settlements[0].reason


def test_what_is_not_stored_stops_the_service_until_it_is() -> None:
    """While the spool refuses a settlement, nothing further is begun; then it is stored, and all goes on."""
    bench = Bench(normal_threads=1)
    worker = bench.running()
    bench.spool.put(event("a", group="a"), event("b", group="b"))
    bench.spool.trouble = FULL_DISK

    worker.done("a", b"request")
    begun = worker.ids
    bench.clock.advance(1)
    bench.spool.trouble = None
    bench.clock.advance(1)

    assert ["a"] == begun
    assert [("a", Outcome.SUCCEED)] == bench.spool.outcomes()
    assert ["a", "b"] == worker.ids


def test_reading_that_fails_is_repeated() -> None:
    """Events that could not be read from the spool are asked for again."""
    bench = Bench()
    bench.spool.put(event("old"), announce=False)
    bench.spool.trouble = FULL_DISK
    worker = bench.running()

    bench.spool.trouble = None
    bench.clock.advance(1)

    assert ["old"] == worker.ids


def test_more_events_than_memory_takes_come_in_order() -> None:
    """A backlog far beyond the line-up is worked off from disk, in order, none twice."""
    bench = Bench(normal_threads=1)
    bench.spool.put(*(event(f"e{number:04}") for number in range(1500)), announce=False)
    worker = bench.running()

    for number in range(1500):
        worker.done(f"e{number:04}")

    assert [f"e{number:04}" for number in range(1500)] == worker.ids
    assert 0 == bench.service.waiting


def test_sender_is_answered_by_the_hook() -> None:
    """`on_http` gets the request as it came, and its answer comes back."""
    bench = Bench()
    worker = bench.running("on_http")

    waiting = bench.service.ask(event("q"), http_request(b"body"))
    call = worker.calls[0]
    worker.answer("q", 201, b"made")

    assert ("/sub", b"body", "http") == (call.path, call.body, call.lane)
    answered = result_of(waiting).response
    assert answered is not None
    assert (201, b"made") == (answered.status, answered.body)


def test_senders_do_not_wait_behind_events() -> None:
    """A backlog of events keeps no sender from being answered; senders have threads of their own, and a line."""
    bench = Bench(normal_threads=1)
    worker = bench.running("on_event", "on_http")
    bench.spool.put(event("a"), event("b"))

    bench.service.ask(event("q1"), http_request())
    second = bench.service.ask(event("q2"), http_request())
    begun = worker.ids
    worker.answer("q1", 200)
    worker.answer("q2", 200)

    assert ["a", "q1"] == begun
    assert result_of(second).verdict is Verdict.DONE


def test_senders_wait_has_an_end() -> None:
    """A sender who stands in line longer than a hook may take is sent away; too many are refused at once."""
    bench = Bench()
    bench.running("on_http").exit()

    waiting = [bench.service.ask(event(f"q{number}"), http_request()) for number in range(100)]
    with pytest.raises(ServiceError, match="busy"):
        bench.service.ask(event("one-too-many"), http_request())
    bench.clock.advance(10)

    assert {"service-timeout"} == {failure_of(one).code for one in waiting}  # type: ignore[attr-defined]


def test_sender_who_leaves_disturbs_nobody() -> None:
    """A wait that is cancelled, in line or in the worker's hand, leaves everything else as it was."""
    bench = Bench(normal_threads=1)
    worker = bench.running("on_http")
    in_hand = bench.service.ask(event("q1"), http_request())
    in_line = bench.service.ask(event("q2"), http_request())
    third = bench.service.ask(event("q3"), http_request())

    in_line.cancel()
    in_hand.cancel()
    worker.answer("q1", 200)
    worker.answer("q3", 200)

    assert ["q1", "q3"] == worker.ids
    assert Verdict.DONE is result_of(third).verdict
    failure_of(in_line)
    failure_of(in_hand)


def test_worker_that_dies_fails_its_senders() -> None:
    """A sender whose hook took the worker down is told so; it may repeat."""
    bench = Bench()
    worker = bench.running("on_http")
    crashed = bench.service.ask(event("q"), http_request())

    worker.exit()
    bench.clock.advance(1)
    bench.worker.ready("on_http")
    hung = bench.service.ask(event("r"), http_request())
    bench.clock.advance(10)
    bench.worker.exit()

    assert "service-crashed" == failure_of(crashed).code  # type: ignore[attr-defined]
    assert "service-timeout" == failure_of(hung).code  # type: ignore[attr-defined]


def test_stop_lets_hooks_end() -> None:
    """What is in hand may end, nothing new is begun, then the worker is told to finish."""
    bench = Bench(normal_threads=1)
    worker = bench.running()
    bench.spool.put(event("a"), event("b"))

    stopped = Deferred.fromCoroutine(bench.service.stop(5.0))
    told_early = worker.is_told_to_finish
    worker.done("a")
    told = worker.is_told_to_finish
    waits = is_waiting(stopped)
    worker.exit("ended with exit status 0")

    assert (False, True, True) == (told_early, told, waits)
    assert not is_waiting(stopped)
    assert ["a"] == worker.ids
    assert State.RECEIVED is bench.state("b")
    assert [] == bench.clock.getDelayedCalls()


def test_stop_ends_what_does_not_end() -> None:
    """When patience is over the worker is killed; its event stays open on disk, not failed."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a"))

    stopped = Deferred.fromCoroutine(bench.service.stop(5.0))
    bench.clock.advance(5)
    killed = [signal.name for signal in worker.signals]
    worker.exit()

    assert ["SIGKILL"] == killed
    assert not is_waiting(stopped)
    assert [] == bench.spool.settlements
    assert [] == bench.clock.getDelayedCalls()


def test_shutdown_hook_has_an_end() -> None:
    """A worker that does not end after `on_shutdown` gets SIGTERM, then SIGKILL."""
    bench = Bench()
    worker = bench.running()

    stopped = Deferred.fromCoroutine(bench.service.stop(5.0))
    bench.clock.advance(5)
    bench.clock.advance(DUMP_PATIENCE_S)
    worker.exit()

    assert ["SIGTERM", "SIGKILL"] == [signal.name for signal in worker.signals]
    assert not is_waiting(stopped)


def test_worker_of_another_sdk_is_refused() -> None:
    """Where the installation was replaced under the running agent, the service is failing and says what to do."""
    bench = Bench()
    bench.service.start()

    bench.worker.say(Ready(hooks=("on_event",), sdk="2.0"))
    bench.clock.advance(DUMP_PATIENCE_S)
    bench.worker.exit()

    assert "sdk version 2.0, the agent" in bench.service.restarts.last_error
    assert [] == bench.worker.calls


def test_crash_loop_is_told_with_the_last_lines_of_stderr() -> None:
    """The third end in a row is a crash loop; something that is done ends it."""
    bench = Bench()
    bench.service.start()
    states = []

    for number in range(3):
        bench.worker.listener.printed(b"line %d\n" % number * 20, is_stderr=True)
        bench.worker.exit()
        states.append(bench.service.state)
        bench.clock.advance(60)
    while_starting = list(bench.service.stderr_tail)
    bench.worker.ready()
    bench.spool.put(event("a"))
    bench.worker.done("a")
    bench.worker.exit()

    assert [ServiceState.FAILING, ServiceState.FAILING, ServiceState.CRASH_LOOP] == states
    assert ["line 2"] * 10 == while_starting
    assert ServiceState.FAILING is bench.service.state


def test_suppressed_event_is_settled_with_its_reason() -> None:
    """No attempt is lost, nothing is sent, the reason stays with the event."""
    bench = Bench()
    worker = bench.running()
    bench.spool.put(event("a"))

    worker.fail("a", Verdict.SUPPRESS, "It has been suppressed.")

    assert [("a", Outcome.SUPPRESS)] == bench.spool.outcomes()
    assert "It has been suppressed." == bench.spool.settlements[0].reason
    assert 1 == bench.counters.counts["host.suppress", SERVICE]


def test_a_new_worker_knows_what_was_counted() -> None:
    """After a crash of the worker, and after a restart of the agent; what is counted is stored with the event's end."""
    filters = (DedupFilter(name="pumps", predicates=("pump",), suppression_period_s=300, window_size=10),)
    bench = Bench(filters=filters, dedup_filter="pumps")
    worker = bench.running()
    bench.spool.put(event("a"), event("b"))
    bench.clock.advance(7)
    worker.done("a", remembered=(("pumps", "k"), ("no such filter", "k")))
    worker.exit()
    bench.clock.advance(60)
    after_crash = bench.worker.load

    again = Bench(filters=filters, dedup_filter="pumps", spool=bench.spool)
    again.clock.advance(50)
    again.service.restore(result_of(again.spool.remembered(SERVICE)))
    again.service.start()

    assert (("pumps", "k", 7.0),) == after_crash.counted == again.worker.load.counted
    assert ["pumps"] == [one.filter for one in bench.spool.settlements[0].remembered]
    assert ("pumps", ("pumps",)) == (after_crash.dedup_filter, tuple(each.name for each in after_crash.filters))


@pytest.mark.parametrize("jump_s", [10 * 365 * 86400.0, -10 * 365 * 86400.0])
def test_a_wall_clock_that_jumps_changes_nothing(jump_s: float) -> None:
    """Pauses are as long as before, no event is too old all at once, and none that came later is tried early."""
    bench = Bench(retry=RetryPolicy(first_delay_s=10.0, max_delay_s=10.0, max_age_s=100.0))
    worker = bench.running()
    bench.spool.put(event("a", group="a"))
    worker.fail("a")

    bench.jump_s = jump_s
    bench.clock.advance(4.9)
    begun_early = len(worker.calls)
    bench.clock.advance(0.2)
    worker.fail("a")
    bench.spool.put(event("b", group="b"))
    worker.fail("b")
    for _ in range(20):
        bench.clock.advance(5)
        for event_id in [call.id for call in worker.calls if call.call in bench.service._hand]:
            worker.fail(event_id)

    gave_up = [event_id for event_id, outcome in bench.spool.outcomes() if outcome is Outcome.GIVE_UP]
    assert (1, "a") == (begun_early, gave_up[0])
    dead_us = {s.seq: s.ended_us for s in bench.spool.settlements if s.outcome is Outcome.GIVE_UP}
    assert 100 <= (dead_us[1] - NOW_US) / 1e6 - jump_s < 110


def test_pause_from_before_a_restart_is_kept() -> None:
    """What the spool says is left of it is waited for."""
    first = Bench()
    first.running()
    first.spool.put(event("a"))
    first.worker.fail("a", Verdict.RETRY, "down", after_s=60)

    early = Bench(spool=first.spool)
    early.running()
    at_once = list(early.worker.calls)
    early.clock.advance(66)

    assert [] == at_once
    assert ["a"] == early.worker.ids


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    events=EVENTS,
    later_pass=st.booleans(),
    deeds=st.lists(st.sampled_from(["done", "fail", "crash", "overrun", "disk", "restart", "jump"]), max_size=40),
)
def test_whatever_happens_each_group_is_done_in_order_and_nothing_is_lost(
    events: list[tuple[str, bool]], later_pass: bool, deeds: list[str]
) -> None:
    """Random failures, crashes, overruns, refusals of the disk, restarts and jumps of the wall clock: in the end every
    event is done; within a priority and a group in order, or with `later_pass` in the order of those that never failed.
    """
    policy = RetryPolicy(first_delay_s=1.0, max_delay_s=5.0, max_age_s=0)
    settings_ = {"normal_threads": 2, "high_threads": 1, "hook_timeout_s": 100.0, "retry": policy}
    bench = Bench(later_pass=later_pass, **settings_)
    bench.running()
    bench.spool.put(
        *(
            event(f"{number:02}", group=group, priority=Priority.HIGH if is_high else Priority.NORMAL)
            for number, (group, is_high) in enumerate(events)
        )
    )
    disturbed: set[str] = set()

    for deed in [*deeds, *["done"] * 3 * len(events)]:
        worker = bench.worker
        open_calls = [call for call in worker.calls if call.call in bench.service._hand]
        lines = [(call.lane, call.group) for call in open_calls]
        assert len(set(lines)) == len(lines), "two events of one priority and group at a time"
        bench.spool.trouble = FULL_DISK if deed == "disk" else None
        if deed in ("crash", "overrun", "restart"):
            disturbed.update(call.id for call in open_calls)
        if deed == "crash":
            worker.exit()
        elif deed == "restart":
            bench.service.kill()
            bench = Bench(
                later_pass=later_pass, spool=bench.spool, jump_s=bench.clock.seconds() + bench.jump_s, **settings_
            )
            bench.running()
        elif deed == "jump":
            bench.jump_s += 10_000_000.0
        elif open_calls and deed == "overrun":
            bench.clock.advance(100)
        elif open_calls and deed == "fail":
            disturbed.add(open_calls[0].id)
            worker.fail(open_calls[0].id)
        elif open_calls:
            worker.done(open_calls[-1].id)
        bench.clock.advance(1)
        bench.clock.advance(30)
        if SIGKILL in worker.signals and bench.worker is worker:
            worker.exit()
            bench.clock.advance(30)
        if bench.service.state is ServiceState.STARTING:
            bench.worker.ready("on_event")

    done = [event_id for event_id, outcome in bench.spool.outcomes() if outcome is Outcome.SUCCEED]
    assert len(events) == len(done)
    for line in set(events):
        own = [event_id for event_id in done if events[int(event_id)] == line]
        expected = [event_id for event_id in own if event_id not in disturbed] if later_pass else own
        assert sorted(expected) == expected


def test_later_events_pass_one_that_waits_where_that_is_wanted() -> None:
    """With `later_pass` a group does not stand still for an event that failed."""
    bench = Bench(later_pass=True)
    worker = bench.running()
    bench.spool.put(event("a1", group="a"), event("a2", group="a"))

    worker.fail("a1")
    worker.done("a2")
    bench.clock.advance(10)

    assert ["a1", "a2", "a1"] == worker.ids


def test_a_service_that_cannot_run_keeps_its_events() -> None:
    """No worker is started, now or later; who waits for the first verdict hears it at once."""
    bench = Bench(obstacle="pumps.xml is a JavaScript service")
    bench.service.start()
    bench.spool.put(event("a"))
    bench.clock.advance(3600)
    assert bench.service.first_verdict.called
    assert (ServiceState.FAILING, "pumps.xml is a JavaScript service") == (
        bench.service.state,
        bench.service.restarts.last_error,
    )
    assert ([], State.RECEIVED) == (bench.launcher.processes, bench.state("a"))
    result_of(Deferred.fromCoroutine(bench.service.stop(1.0)))


def test_events_stand_back_until_they_may_begin() -> None:
    """In their order, as many as may be begun; a sender who waits for the service's own answer does not stand back."""
    share = FakeShare()
    bench = Bench(share=share)
    worker = bench.running("on_event", "on_http")
    bench.spool.put(event("a"), event("b", group="other"), event("c"))
    assert [] == worker.ids
    bench.service.ask(event("d"), http_request())
    assert ["d"] == worker.ids
    share.give(1)
    assert ["d", "a"] == worker.ids
    share.give(9)
    assert ["d", "a", "b"] == worker.ids
    worker.done("a")
    assert ["d", "a", "b", "c"] == worker.ids


def test_who_has_nothing_to_begin_does_not_wait_for_it() -> None:
    """Nobody is woken for a group that is in hand."""
    share = FakeShare()
    bench = Bench(share=share)
    bench.running()
    share.give(1)
    bench.spool.put(event("a"), event("b"))
    share.waiting.clear()
    bench.service.add(bench.spool.put(event("c"), announce=False))
    assert {} == share.waiting


def test_a_service_that_was_stopped_meanwhile_begins_nothing() -> None:
    """Its turn comes when it has nothing to begin any more."""
    share = FakeShare()
    bench = Bench(share=share)
    worker = bench.running()
    bench.spool.put(event("a"))
    Deferred.fromCoroutine(bench.service.stop(5.0))
    share.give(1)
    assert [] == worker.ids

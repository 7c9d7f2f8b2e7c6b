"""agent.host.suspension: the operator holds a service back and lets it go again."""

from __future__ import annotations

from signal import SIGKILL

from twisted.internet.defer import Deferred

from agent.delivery import Outcome, State
from agent.errors import ServiceError
from agent.host.messages import LifeCall, Result, Verdict
from agent.host.state import ServiceState
from agent.host.suspension import INTERRUPT_HOOK_S, INTERRUPT_PATIENCE_S
from tests.host.fakes import Bench, FakeProcess, event, http_request
from tests.support.twisted_results import failure_of, is_waiting, result_of

HOOKS = ("on_event", "on_http", "on_suspend", "on_resume", "on_interrupt")


def suspended(bench: Bench, *, now: bool = False) -> Deferred[str]:
    return Deferred.fromCoroutine(bench.service.suspension.suspend(now=now))


def resumed(bench: Bench) -> Deferred[str]:
    return Deferred.fromCoroutine(bench.service.suspension.resume())


def hooks_called(worker: FakeProcess) -> list[str]:
    return [message.hook for message in worker.heard if isinstance(message, LifeCall)]


def returns(worker: FakeProcess, hook: str, *, reason: str = "") -> None:
    """The newest call of this hook returns, or raises for a reason."""
    call = next(m.call for m in reversed(worker.heard) if isinstance(m, LifeCall) and m.hook == hook)
    worker.say(Result(call=call, verdict=Verdict.ERROR if reason else Verdict.DONE, reason=reason))


def test_suspend_lets_hooks_end_then_calls_on_suspend() -> None:
    """What is in hand ends and is settled, nothing more is begun, and then the service is told."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    bench.spool.put(event("a"), event("b"))

    done = suspended(bench)
    state = bench.service.state
    worker.done("a")
    before = is_waiting(done)
    returns(worker, "on_suspend")

    assert (ServiceState.SUSPENDING, True, "") == (state, before, result_of(done))
    assert ServiceState.SUSPENDED is bench.service.state
    assert (["a"], ["on_suspend"]) == (worker.ids, hooks_called(worker))
    assert [("a", Outcome.SUCCEED)] == bench.spool.outcomes()


def test_resume_calls_on_resume_before_it_begins_anything() -> None:
    """What came meanwhile waits for the hook, and then comes in order."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    suspended(bench)
    returns(worker, "on_suspend")
    bench.spool.put(event("a"), event("b"))

    done = resumed(bench)
    during = list(worker.ids)
    returns(worker, "on_resume")

    assert ([], ["a"], "") == (during, worker.ids, result_of(done))
    assert ServiceState.ACTIVE is bench.service.state


def test_suspend_now_interrupts_what_does_not_end() -> None:
    """`on_interrupt` comes first; a second later the worker is killed, nobody is blamed, and the event waits."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    bench.spool.put(event("a"))

    done = suspended(bench, now=True)
    returns(worker, "on_interrupt")
    bench.clock.advance(INTERRUPT_PATIENCE_S + 0.1)
    signals = list(worker.signals)
    worker.exit()

    assert ([SIGKILL], "") == (signals, result_of(done))
    assert (ServiceState.SUSPENDED, [], State.RECEIVED) == (
        bench.service.state,
        bench.spool.outcomes(),
        bench.state("a"),
    )
    bench.clock.advance(3600)
    assert 1 == len(bench.launcher.processes)


def test_resume_without_a_worker_starts_one() -> None:
    """The interrupted event is begun again in a new worker."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    bench.spool.put(event("a"))
    suspended(bench, now=True)
    returns(worker, "on_interrupt")
    bench.clock.advance(INTERRUPT_PATIENCE_S + 0.1)
    worker.exit()

    result_of(resumed(bench))
    bench.worker.ready(*HOOKS)

    assert (2, ["a"], []) == (len(bench.launcher.processes), bench.worker.ids, hooks_called(bench.worker))


def test_hooks_that_obey_on_interrupt_keep_their_worker() -> None:
    """A hook that returns within a second of `on_interrupt` has done its work, and nothing is killed."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    bench.spool.put(event("a"))
    done = suspended(bench, now=True)
    returns(worker, "on_interrupt")
    worker.done("a")

    assert ("", [], [("a", Outcome.SUCCEED)]) == (result_of(done), worker.signals, bench.spool.outcomes())


def test_what_a_hook_raises_is_told_and_stops_nothing() -> None:
    """The operator has decided."""
    bench = Bench()
    worker = bench.running(*HOOKS)
    done = suspended(bench)
    returns(worker, "on_suspend", reason="on_suspend raised ValueError: no")

    assert ("on_suspend raised ValueError: no", ServiceState.SUSPENDED) == (result_of(done), bench.service.state)


def test_hook_that_hangs_is_ended_by_its_time_out() -> None:
    """The worker goes with it, the service is suspended all the same."""
    bench = Bench(hook_timeout_s=10.0)
    worker = bench.running(*HOOKS)
    done = suspended(bench)
    bench.clock.advance(10.1)
    bench.clock.advance(1)
    worker.exit()

    assert "on_suspend: on_suspend took longer than 10 s" == result_of(done)
    assert ServiceState.SUSPENDED is bench.service.state


def test_worker_that_dies_in_a_hook_ends_the_wait() -> None:
    """Nobody waits for the answer of a process that is gone."""
    bench = Bench()
    worker = bench.running(*HOOKS)
    done = suspended(bench)
    worker.exit("was ended by signal SIGSEGV")

    assert "on_suspend: the worker process was ended by signal SIGSEGV" == result_of(done)


def test_who_waits_for_an_answer_is_sent_away() -> None:
    """Senders in line, and those who come, are told at once; the call in hand may end."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    first = bench.service.ask(event("1"), http_request())
    second = bench.service.ask(event("2"), http_request())
    suspended(bench)
    worker.answer("1", 200)
    third = Deferred.fromCoroutine(_asked(bench))

    assert Verdict.DONE is result_of(first).verdict
    for refused in (failure_of(second), failure_of(third)):
        assert isinstance(refused, ServiceError)
        assert "service-suspended" == refused.code


async def _asked(bench: Bench) -> Result:
    return await bench.service.ask(event("3"), http_request())


def test_resume_overtakes_a_suspension_that_waits() -> None:
    """The later wish counts: `on_suspend` is not called any more, and the next event is begun."""
    bench = Bench(normal_threads=1)
    worker = bench.running(*HOOKS)
    bench.spool.put(event("a"), event("b"))
    waiting = suspended(bench)
    done = resumed(bench)
    returns(worker, "on_resume")
    worker.done("a")

    assert ("", "") == (result_of(waiting), result_of(done))
    assert (["a", "b"], ["on_resume"]) == (worker.ids, hooks_called(worker))
    assert ServiceState.ACTIVE is bench.service.state


def test_suspended_twice_and_resumed_twice() -> None:
    """Saying it again changes nothing."""
    bench = Bench()
    worker = bench.running("on_event")
    result_of(suspended(bench))
    result_of(suspended(bench))
    result_of(resumed(bench))
    result_of(resumed(bench))
    bench.spool.put(event("a"))

    assert ["a"] == worker.ids


def test_suspended_service_that_fails_is_left_alone() -> None:
    """No worker is started behind the operator's back, also where one was to be started a moment later."""
    bench = Bench()
    bench.service.start()
    bench.worker.broken("x.py:1: SyntaxError")
    result_of(suspended(bench))
    bench.clock.advance(3600)
    started = len(bench.launcher.processes)
    result_of(resumed(bench))

    assert (1, 2) == (started, len(bench.launcher.processes))


def test_suspended_while_it_starts() -> None:
    """It becomes ready and does nothing, until it is resumed."""
    bench = Bench()
    bench.service.start()
    result_of(suspended(bench))
    bench.spool.put(event("a"))
    bench.worker.ready("on_event")
    before = (bench.service.state, list(bench.worker.ids))
    result_of(resumed(bench))

    assert (ServiceState.SUSPENDED, []) == before
    assert ["a"] == bench.worker.ids


def test_stop_of_a_suspended_service() -> None:
    """The agent's end does not wait for a resume, and `on_shutdown` is heard."""
    bench = Bench()
    worker = bench.running(*HOOKS)
    suspended(bench)
    returns(worker, "on_suspend")
    stopped = Deferred.fromCoroutine(bench.service.stop(5.0))
    told = worker.is_told_to_finish
    worker.exit("ended with exit status 0")

    assert told
    assert not is_waiting(stopped)


def test_now_does_not_wait_for_an_on_interrupt_that_hangs() -> None:
    """However long the service's hooks may take: five seconds, and one more, then the worker goes."""
    bench = Bench(normal_threads=1, hook_timeout_s=600.0)
    worker = bench.running(*HOOKS)
    bench.spool.put(event("a"))

    done = suspended(bench, now=True)
    bench.clock.advance(INTERRUPT_HOOK_S + 0.1)
    bench.clock.advance(INTERRUPT_PATIENCE_S + 0.1)
    signals = list(worker.signals)
    worker.exit()

    assert ([SIGKILL], "on_interrupt has not returned within 5 s") == (signals, result_of(done))
    assert (ServiceState.SUSPENDED, []) == (bench.service.state, bench.spool.outcomes())

"""What is kept account of: rates, times and failures of a service's work."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from agent.host.host import WorkerHost
from tests.host.fakes import Bench, FakeCounters, FakeLauncher, event, http_request, service_config
from tests.host.fakes import MemorySpool as Spool
from tests.support.twisted_results import result_of


def last_minute(bench: Bench) -> dict[str, Any]:
    return bench.service.account.pace.describe()


def test_events_and_questions_of_senders_are_measured() -> None:
    """How many came and ended, how long the hook took, and how many attempts failed."""
    bench = Bench()
    worker = bench.running("on_event", "on_http")
    bench.spool.put(event("a"), event("b", group="other"))
    bench.clock.advance(2.0)
    worker.done("a")
    worker.fail("b")
    asked = bench.service.ask(event("c"), http_request())
    bench.clock.advance(1.0)
    worker.answer("c", 200)
    asked.addErrback(lambda _: None)
    found = last_minute(bench)
    assert (1.0, 0.67, 1) == (found["came_per_s"], found["done_per_s"], found["failed"])
    assert (1666.7, 2000.0) == (found["mean_ms"], found["slowest_ms"])


def test_a_new_worker_goes_on_with_the_rates() -> None:
    """A restart in the middle of a busy minute is not a pause of the senders."""
    bench = Bench()
    launcher = FakeLauncher()
    spool = Spool()
    host = WorkerHost(
        services=[service_config()],
        home=bench.service.config.script.parent,  # type: ignore[arg-type]
        spool=spool,
        reactor=bench.clock,  # type: ignore[arg-type]
        now_us=bench.now_us,
        jitter=lambda: 0.5,
        counters=FakeCounters(),
        agent_id="plant7",
        launcher=launcher,
    )
    started = Deferred.fromCoroutine(host.start())
    launcher.last.ready()
    result_of(started)
    spool.put(event("a"))
    launcher.last.done("a")
    restarted = host.restart("applications|pump-alarms")
    launcher.last.exit("ended with exit status 0")
    launcher.last.ready()
    result_of(restarted)
    assert 2 == len(launcher.processes)
    assert 1.0 == host.describe()[0]["last_minute"]["done_per_s"]

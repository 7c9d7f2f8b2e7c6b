"""A program for tests: a real reactor, a real `WorkerHost`, a spool in memory; tells what happens as JSON lines.

    python tiny_agent.py HOME SCRIPT HOOK_TIMEOUT_S EVENT_ID...

Each event is a group of its own. `more.json` in the working directory sets more of the service's configuration, and its
filters. Told "suspend", "suspend-now", "resume" or "restart" on stdin, it does so to the service. Ends when it is told
"stop", or dies as it is killed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path, PurePath
from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.logger import formatEvent, globalLogBeginner
from twisted.protocols.basic import LineReceiver

from agent.boundaries import EventSettlement
from agent.config.model import DedupFilter, RetryPolicy, WorkerLimits
from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.host import WorkerHost
from tests.host.fakes import FakeCounters, MemorySpool, event, http_request, service_config

BODY = b"<event><pump>P-101</pump></event>"


def tell(**facts: Any) -> None:
    sys.__stdout__.write(json.dumps(facts) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


class Echo:
    """Answers each question with its own body; `/nobody` is not there."""

    async def ask(self, request: OutboundRequest, *, event_id: str, timeout_s: float) -> Answer:
        if request.path == "/nobody":
            raise DestinationError("refused", "nobody listens")
        return Answer(status=200, where=event_id, body=b"echo " + request.body, content_type=request.method)


class TellingSpool(MemorySpool):
    def settle_event(self, settlement: EventSettlement) -> Deferred[None]:
        tell(
            settled=self.rows[settlement.seq].event.id,
            outcome=settlement.outcome.value,
            reason=settlement.reason,
            detail=settlement.detail,
            bodies=[request.body.decode() for request in settlement.requests],
            remembered=[one.filter for one in settlement.remembered],
        )
        return super().settle_event(settlement)


def read_more() -> dict[str, Any]:
    """What the test wants besides."""
    path = Path("more.json")
    return json.loads(path.read_text()) if path.exists() else {}  # type: ignore[no-any-return]


async def run(home: Path, script: PurePath, hook_timeout_s: float, event_ids: list[str]) -> None:
    spool = TellingSpool()
    policy = RetryPolicy(first_delay_s=0.05, max_delay_s=0.05, max_attempts=2)
    more = read_more()
    filters = [DedupFilter(**{**each, "predicates": tuple(each["predicates"])}) for each in more.pop("filters", [])]
    path = more.pop("event_path", "")
    limits = WorkerLimits(**more.pop("limits", {}))
    config = attrs.evolve(
        service_config(), script=script, hook_timeout_s=hook_timeout_s, retry=policy, limits=limits, **more
    )
    host = WorkerHost(
        services=[config],
        home=home,
        spool=spool,
        reactor=reactor,  # type: ignore[arg-type]
        now_us=lambda: time.time_ns() // 1000,
        jitter=lambda: 0.1,
        counters=FakeCounters(),
        agent_id="plant7",
        filters=filters,
        asking=Echo(),
    )
    await host.start()
    await host.first_tries.start()
    tell(started=host.describe()[0])
    if host.answers_http("applications|pump-alarms"):
        response = await host.ask(event("asked"), http_request(b"question"))
        tell(answered=response.body.decode() if response else None)
    now_us = time.time_ns() // 1000
    spool.put(*(event(name, group=name)._replace(received_us=now_us, path=path, body=BODY) for name in event_ids))
    stopped: Deferred[None] = Deferred()

    class Orders(LineReceiver):
        delimiter = b"\n"

        def lineReceived(self, line: bytes) -> None:
            order = line.decode()
            if order == "stop":
                stopped.callback(None)
                return
            verbs = {"suspend": host.suspend, "resume": host.resume, "restart": host.restart}
            verb = verbs.get(order) or (lambda name: host.suspend(name, now=True))
            done = verb("applications|pump-alarms")
            done.addCallback(lambda trouble: tell(ordered=order, trouble=trouble, now=host.describe()[0]))
            done.addErrback(lambda failure: tell(bug=failure.getTraceback()))

    StandardIO(Orders(), reactor=reactor)
    await stopped
    await host.stop(5.0)
    tell(stopped=host.describe()[0]["state"])


def main() -> None:
    globalLogBeginner.beginLoggingTo(
        [
            lambda record: tell(
                log=record["log_namespace"], text=formatEvent(record), event_id=record.get("event_id", "")
            )
        ],
        redirectStandardIO=False,
    )
    home, script, hook_timeout, *event_ids = sys.argv[1:]

    def start() -> None:
        running = Deferred.fromCoroutine(run(Path(home), PurePath(script), float(hook_timeout), event_ids))
        running.addErrback(lambda failure: tell(bug=failure.getTraceback()))
        running.addBoth(lambda _: reactor.stop())  # type: ignore[attr-defined]

    reactor.callWhenRunning(start)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()

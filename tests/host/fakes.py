"""What the host meets in tests instead of a disk and an operating system."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from agent.boundaries import (
    EventSettlement,
    HttpRequest,
    Remembered,
    RequestSettlement,
    StoredEvent,
    StoredRequest,
    WorkShare,
)
from agent.config.model import DedupFilter, RetryPolicy, ServiceConfig
from agent.delivery import LIFE, OPEN_STATES, OutboundRequest, Outcome, State, next_state
from agent.delivery.share import Unshared
from agent.entries import Entries
from agent.errors import MachineError
from agent.event import BodyKind, Event, Priority
from agent.host.bootclock import BootClock
from agent.host.edges import Edges
from agent.host.launch import Listener
from agent.host.messages import (
    Broken,
    EventCall,
    Finish,
    FromAgent,
    HttpCall,
    Load,
    Message,
    Ready,
    Response,
    Result,
    Verdict,
)
from agent.host.reading import from_agent
from agent.host.service import Service
from agent.names import ServiceName
from agent.sdk import SDK_VERSION
from agent.wire.frames import Decoder, encode

SERVICE = "applications|pump-alarms"
NOW_US = 1_700_000_000_000_000


class MemorySpool:
    """The spool without a disk: commits at once, or says no while `trouble` is set."""

    def __init__(self) -> None:
        self.rows: dict[int, StoredEvent] = {}
        self.settlements: list[EventSettlement] = []
        self.answered: list[tuple[Event, EventSettlement]] = []
        self.trouble: MachineError | None = None
        self.reads = 0
        self.began: list[int] = []
        self._listeners: list[Callable[[Sequence[StoredEvent]], None]] = []

    def put(self, *events: Event, attempt: int = 0, announce: bool = True) -> list[StoredEvent]:
        stored = [
            StoredEvent(seq=len(self.rows) + n, event=event, attempt=attempt) for n, event in enumerate(events, 1)
        ]
        self.rows.update((row.seq, row) for row in stored)
        if announce:
            for listener in self._listeners:
                listener(stored)
        return stored

    def outcomes(self) -> list[tuple[str, Outcome]]:
        """Event id and outcome of each settlement, in order."""
        return [(self.rows[settlement.seq].event.id, settlement.outcome) for settlement in self.settlements]

    def on_events(self, listener: Callable[[Sequence[StoredEvent]], None]) -> None:
        self._listeners.append(listener)

    def on_requests(self, listener: Callable[[Sequence[StoredRequest]], None]) -> None:
        raise AssertionError("the host does not send")

    async def open_events(
        self,
        service: str,
        *,
        after_seq: int,
        limit: int,
        priority: int | None = None,
        group: str | None = None,
        except_groups: Sequence[str] = (),
    ) -> Sequence[StoredEvent]:
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble
        fitting = (
            row
            for seq, row in self.rows.items()
            if seq > after_seq
            and row.event.service == service
            and row.state in OPEN_STATES
            and priority in (None, row.event.priority)
            and group in (None, row.event.group)
            and row.event.group not in except_groups
        )
        return list(itertools.islice(fitting, limit))

    def began_event(self, seq: int) -> None:
        self.began.append(seq)

    def began_request(self, seq: int) -> None:
        raise AssertionError("requests are not the host's")

    def remembered(self, service: str) -> Deferred[Sequence[Remembered]]:
        found = [one for settlement in self.settlements for one in settlement.remembered]
        return succeed(found)

    def settle_event(self, settlement: EventSettlement) -> Deferred[None]:
        if self.trouble is not None:
            failed: Deferred[None] = Deferred()
            failed.errback(self.trouble)
            return failed
        row = self.rows[settlement.seq]
        claimed = LIFE[row.state, Outcome.CLAIM]
        self.rows[row.seq] = row._replace(
            state=next_state(claimed, settlement.outcome),
            attempt=row.attempt + 1,
            left_s=max(0, settlement.due_us - settlement.ended_us) / 1e6 if settlement.due_us else 0.0,
        )
        self.settlements.append(settlement)
        return succeed(None)

    async def store_answered(self, event: Event, settlement: EventSettlement) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.answered.append((event, settlement))

    async def open_requests(
        self,
        destination: str,
        *,
        after_seq: int,
        limit: int,
        group: str | None = None,
        except_groups: Sequence[str] = (),
    ) -> Sequence[StoredRequest]:
        raise AssertionError("the host does not send")

    async def settle_request(self, settlement: RequestSettlement) -> None:
        raise AssertionError("the host does not send")


@attrs.define(eq=False)
class FakeProcess:
    """A worker process that says what the test tells it to. `signals` are those it got."""

    listener: Listener
    pid: int
    heard: list[FromAgent] = attrs.field(factory=list)
    signals: list[int] = attrs.field(factory=list)
    is_closed: bool = False
    _decoder: Decoder = attrs.field(factory=Decoder)

    def write(self, data: bytes) -> None:
        self.heard.extend(map(from_agent, self._decoder.feed(data)))

    def close(self) -> None:
        self.is_closed = True

    def signal(self, number: int) -> None:
        self.signals.append(number)

    @property
    def load(self) -> Load:
        assert isinstance(self.heard[0], Load)
        return self.heard[0]

    @property
    def calls(self) -> list[EventCall | HttpCall]:
        return [message for message in self.heard if isinstance(message, EventCall | HttpCall)]

    @property
    def ids(self) -> list[str]:
        """Ids of the events handed over, in order."""
        return [call.id for call in self.calls]

    @property
    def is_told_to_finish(self) -> bool:
        return Finish() in self.heard

    def say(self, message: Message) -> None:
        self.listener.received(encode(message.frame()))

    def ready(self, *hooks: str) -> None:
        self.say(Ready(hooks=hooks or ("on_event",), sdk=SDK_VERSION))

    def broken(self, sentence: str) -> None:
        self.say(Broken(sentence=sentence))
        self.exit("ended with exit status 0")

    def exit(self, how: str = "was ended by signal SIGKILL") -> None:
        self.listener.exited(how)

    def number(self, event_id: str) -> int:
        """The number of the newest call for this event."""
        return next(call.call for call in reversed(self.calls) if call.id == event_id)

    def done(self, event_id: str, *bodies: bytes, remembered: tuple[tuple[str, str], ...] = ()) -> None:
        """The hook for this event returns, having sent `bodies`."""
        requests = tuple(OutboundRequest(destination="outbox", body=body) for body in bodies)
        self.say(Result(call=self.number(event_id), verdict=Verdict.DONE, requests=requests, remembered=remembered))

    def answer(self, event_id: str, status: int, body: bytes = b"") -> None:
        """`on_http` returns."""
        response = Response(status=status, headers=(), body=body)
        self.say(Result(call=self.number(event_id), verdict=Verdict.DONE, response=response))

    def fail(self, event_id: str, verdict: Verdict = Verdict.ERROR, reason: str = "ValueError", **more: Any) -> None:
        """The hook for this event raises."""
        self.say(Result(call=self.number(event_id), verdict=verdict, reason=reason, **more))


class FakeLauncher:
    """Keeps the processes it 'started'; while `trouble` is set it starts none."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.trouble: MachineError | None = None

    def launch(self, service: str, listener: Listener) -> FakeProcess:
        if self.trouble is not None:
            raise self.trouble
        process = FakeProcess(listener, pid=1000 + len(self.processes))
        self.processes.append(process)
        return process

    @property
    def last(self) -> FakeProcess:
        return self.processes[-1]


class FakeCounters:
    """Counts."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        self.counts[name, label] = self.counts.get((name, label), 0) + by


def service_config(name: str = "pump-alarms", **more: Any) -> ServiceConfig:
    more.setdefault("script", PurePath(f"/home/services/{name}/{name.replace('-', '_')}.py"))
    return ServiceConfig(
        name=ServiceName(domain="applications", name=name),
        descriptor=PurePath(f"/home/services/{name}/{name}.xml"),
        **more,
    )


def event(event_id: str, *, service: str = SERVICE, priority: Priority = Priority.NORMAL, group: str = "") -> Event:
    return Event(
        id=event_id,
        service=service,
        received_us=NOW_US,
        peer="192.0.2.1",
        kind=BodyKind.XML,
        body=b"<event/>",
        priority=priority,
        group=group,
    )


def http_request(body: bytes = b"") -> HttpRequest:
    return HttpRequest(method="POST", path="/sub", query="a=1", headers=(("x-y", "z"),), body=body, peer="192.0.2.1")


class Bench:
    """One service with everything around it faked; time stands still until `clock.advance`."""

    def __init__(
        self,
        *,
        filters: tuple[DedupFilter, ...] = (),
        spool: MemorySpool | None = None,
        jump_s: float = 0.0,
        share: WorkShare | None = None,
        **config: Any,
    ) -> None:
        """`spool`: one of an earlier agent. `jump_s`: how far the wall clock is ahead of where it would be."""
        config.setdefault("retry", RetryPolicy(first_delay_s=10.0, max_attempts=3))
        self.clock = Clock()
        self.spool = spool or MemorySpool()
        self.jump_s = jump_s
        self.launcher = FakeLauncher()
        self.counters = FakeCounters()
        self.edges = Edges(
            launcher=self.launcher,
            spool=self.spool,
            reactor=self.clock,
            now_us=self.now_us,
            jitter=lambda: 0.5,
            counters=self.counters,
            agent_id="plant7",
            clock=BootClock(now_us=self.now_us, seconds=self.clock.seconds, id="boot"),
            filters=filters,
            share=share or Unshared(),
            entries=Entries(reactor=self.clock),
        )
        self.service = Service(service_config(**config), self.edges)
        self.spool.on_events(self.service.add)

    def now_us(self) -> int:
        """The wall clock."""
        return NOW_US + round((self.clock.seconds() + self.jump_s) * 1e6)

    def running(self, *hooks: str) -> FakeProcess:
        """Start the service; its worker is ready."""
        self.service.start()
        self.worker.ready(*hooks)
        return self.worker

    @property
    def worker(self) -> FakeProcess:
        return self.launcher.last

    def state(self, event_id: str) -> State:
        """The state on disk."""
        return next(row.state for row in self.spool.rows.values() if row.event.id == event_id)

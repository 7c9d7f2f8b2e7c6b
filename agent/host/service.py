"""One service through all its workers: which event is begun next, what becomes of it, and when to start again.

    starting --ready--> active --worker gone--> failing --after a pause--> starting
        `---worker gone----------------------------^

A worker that ends by itself takes calls with it that nobody can tell the guilty one from. So when there were several,
none is blamed: they are **suspects**, run again one at a time, and a worker that then ends has exactly one to blame.
The blamed one counts as a failed attempt, which is how an event that kills its worker every time comes to be a dead
letter, while the others only come twice.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Sequence
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from agent.boundaries import Counters, EventSettlement, HttpRequest, Spool, StoredEvent
from agent.config.model import RetryPolicy, ServiceConfig
from agent.delivery import Outcome
from agent.delivery.order import Ticket
from agent.delivery.retry import delay_s
from agent.errors import MachineError, ServiceError
from agent.event import Event
from agent.host.asks import Asks
from agent.host.backlog import Backlog, Job
from agent.host.launch import Launcher
from agent.host.messages import EventCall, Load, Ready, Result, Verdict
from agent.host.output import printable
from agent.host.process import Call, Gone, Worker
from agent.host.record import Record
from agent.host.verdict import settlement
from agent.wire.frames import FrameError

log = Logger(namespace="host")

RESTART: Final = RetryPolicy(first_delay_s=1.0, factor=2.0, max_delay_s=60.0)
"""Pauses before a new worker. The first is short, because most crashes are one event's; a minute at most, because that
is how long an author who has mended the script waits."""


class ServiceState(enum.StrEnum):
    """What `iadmin service list` says."""

    STARTING = "starting"
    ACTIVE = "active"
    FAILING = "failing"
    STOPPING = "stopping"


@attrs.frozen(kw_only=True)
class Edges:
    """What all services share: where they run and whom they talk to. `destinations` empty: not known, do not check."""

    launcher: Launcher
    spool: Spool
    reactor: IReactorTime
    now_us: Callable[[], int]
    jitter: Callable[[], float]
    counters: Counters
    agent_id: str
    destinations: tuple[str, ...] = ()


class Service:
    """One active service."""

    def __init__(self, config: ServiceConfig, edges: Edges) -> None:
        self.config: Final = config
        self.name: Final = config.name.client_id
        self.state = ServiceState.FAILING
        self.hooks: tuple[str, ...] = ()
        self.started_us = 0
        self.last_request_us = 0
        self.restarts = 0
        self.last_error = ""
        self.first_verdict: Deferred[None] = Deferred()
        self._edges = edges
        self._backlog = Backlog(
            service=self.name,
            normal_threads=config.normal_threads,
            high_threads=config.high_threads,
            spool=edges.spool,
            reactor=edges.reactor,
            now_us=edges.now_us,
            wake=self._feed,
        )
        self._asks = Asks(threads=config.normal_threads, patience_s=config.hook_timeout_s, reactor=edges.reactor)
        self._record = Record(service=self.name, spool=edges.spool, reactor=edges.reactor, room=self._feed)
        self._worker: Worker | None = None
        self._tickets: dict[int, Ticket[Job]] = {}
        self._suspects: set[int] = set()
        self._numbers = itertools.count(1)
        self._failures_in_row = 0
        self._restart: IDelayedCall | None = None
        self._idle: Deferred[None] | None = None
        self._over: Deferred[None] | None = None
        # Under the service's own name, so that its author finds what the service said.
        self._own_log = Logger(namespace=self.name)

    @property
    def pid(self) -> int:
        return self._worker.pid if self._worker is not None else 0

    @property
    def in_hand(self) -> int:
        return self._worker.in_hand if self._worker is not None else 0

    @property
    def waiting(self) -> int:
        """Events in memory that wait to be begun; more may be on disk."""
        return len(self._backlog)

    def start(self) -> None:
        """Launch a worker. `first_verdict` tells when the first one is ready or gone."""
        self._restart = None
        self.state = ServiceState.STARTING
        config = self.config
        load = Load(
            script=str(config.script),
            service=self.name,
            agent_id=self._edges.agent_id,
            constants={constant.name: constant.value for constant in config.constants},
            destination=config.destination,
            destinations=self._edges.destinations,
            threads={"normal": config.normal_threads, "high": config.high_threads, "http": config.normal_threads},
        )
        worker = Worker(load=load, hook_timeout_s=config.hook_timeout_s, owner=self, reactor=self._edges.reactor)
        self._worker = worker
        try:
            worker.start(self._edges.launcher)
        except MachineError as error:
            self.gone(Gone(sentence=error.sentence, detail="", was_ready=False))

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Newly stored events, in order of `seq`."""
        self.last_request_us = events[-1].event.received_us
        self._backlog.add(events)
        self._feed()

    def ask(self, event: Event, request: HttpRequest) -> Deferred[Result]:
        """Have `on_http` called. Raises `ServiceError`, or the Deferred fails with it."""
        if self.state is ServiceState.STOPPING:
            raise ServiceError("service-stopping", f"{self.name} is being stopped")
        self.last_request_us = event.received_us
        waiting = self._asks.add(event, request)
        self._feed()
        return waiting

    async def stop(self, patience_s: float) -> None:
        """Let what is in hand end within `patience_s`, end the worker, and wait until what it produced is stored."""
        end_s = self._edges.reactor.seconds() + patience_s
        self.state = ServiceState.STOPPING
        if self._restart is not None and self._restart.active():
            self._restart.cancel()
        self._backlog.stop()
        self._asks.send_away(ServiceError("service-stopping", f"{self.name} is being stopped"))
        worker = self._worker
        if worker is not None:
            self._over = Deferred()
            over = self._over
            if worker.in_hand and patience_s > 0:
                await self._until_idle(patience_s)
            if self._worker is worker:
                if worker.takes_calls and not worker.in_hand:
                    worker.finish(max(0.0, end_s - self._edges.reactor.seconds()))
                else:
                    worker.kill()
                await over
        await self._record.all_stored()

    def kill(self) -> None:
        """End the worker now, for a stop that cannot wait."""
        self.state = ServiceState.STOPPING
        if self._worker is not None:
            self._worker.kill()

    def ready(self, ready: Ready) -> None:
        self.hooks = ready.hooks
        self.started_us = self._edges.now_us()
        if self.state is not ServiceState.STOPPING:
            self.state = ServiceState.ACTIVE
        log.info(
            "{service} is running: {hooks} (process {pid})",
            service=self.name,
            hooks=", ".join(ready.hooks),
            pid=self.pid,
        )
        self._feed()
        self._tell_first_verdict()

    def ended(self, call: Call, result: Result, begun_us: int) -> None:
        # A worker that gets something done may be started again at once when it ends.
        self._failures_in_row = 0
        if isinstance(call, EventCall):
            self._judge(self._tickets.pop(call.call), result, begun_us)
        else:
            self._asks.ended(call.call, result)
        self._feed()
        self._tell_idle()

    def said(self, level: str, text: str, event_id: str) -> None:
        tell = {"debug": self._own_log.debug, "warn": self._own_log.warn, "error": self._own_log.error}
        tell.get(level, self._own_log.info)("{text}", text=text, event_id=event_id)

    def gone(self, gone: Gone) -> None:
        self._worker = None
        self._put_down(gone)
        if self.state is ServiceState.STOPPING:
            log.info("{service} has stopped", service=self.name)
        else:
            self._start_later(gone)
        self._tell_first_verdict()
        self._tell_idle()
        if self._over is not None:
            over, self._over = self._over, None
            over.callback(None)

    def _feed(self) -> None:
        """Begin what may be begun, ask the spool for what is missing, and see that somebody comes back in time."""
        if self.state is ServiceState.STOPPING:
            return
        worker = self._worker
        if worker is not None:
            while self._may_begin(worker) and self._begin(worker):
                pass
            # Where nothing may be begun, what ends that comes back here.
            if self._may_begin(worker):
                self._backlog.set_alarm()
        self._backlog.refill()

    def _may_begin(self, worker: Worker) -> bool:
        return worker.takes_calls and self._record.takes_more and not (self._suspects and worker.in_hand)

    def _begin(self, worker: Worker) -> bool:
        """Begin one call; False when there is none to begin."""
        asked = self._asks.next(lambda: next(self._numbers))
        if asked is not None:
            try:
                worker.call(asked, self._edges.now_us())
            except FrameError as error:
                self._asks.failed(asked.call, error)
            return True
        ticket = self._backlog.next()
        if ticket is None:
            return False
        call = _event_call(next(self._numbers), ticket.item)
        begun_us = self._edges.now_us()
        try:
            worker.call(call, begun_us)
        except FrameError as error:
            reason = f"the event cannot be handed to the service: {error.sentence}"
            self._judge(ticket, Result(call=call.call, verdict=Verdict.REJECT, reason=reason), begun_us)
            return True
        self._tickets[call.call] = ticket
        self._edges.spool.began_event(ticket.seq)
        log.info("handed to {service}, attempt {attempt}", service=self.name, attempt=call.attempt, event_id=call.id)
        return True

    def _judge(self, ticket: Ticket[Job], result: Result, begun_us: int) -> None:
        edges = self._edges
        stored = ticket.item.stored
        ended_us = edges.now_us()
        settled = settlement(
            stored,
            result,
            policy=self.config.retry,
            begun_us=begun_us,
            ended_us=ended_us,
            jitter=edges.jitter,
        )
        self._suspects.discard(ticket.seq)
        if settled.outcome is Outcome.POSTPONE:
            self._backlog.postponed(ticket, pause_s=(settled.due_us - ended_us) / 1e6)
        else:
            self._backlog.settled(ticket)
        self._tell(stored.event.id, settled)
        self._record.store(settled)

    def _tell(self, event_id: str, settled: EventSettlement) -> None:
        self._edges.counters.count(f"host.{settled.outcome.name.lower()}", self.name)
        reason = printable(settled.reason)
        if settled.outcome is Outcome.SUCCEED:
            count = len(settled.requests)
            log.info("{service} is done with it, requests: {count}", service=self.name, count=count, event_id=event_id)
        elif settled.outcome is Outcome.POSTPONE:
            pause_s = (settled.due_us - settled.ended_us) / 1e6
            log.warn(
                "{service} failed, again in {pause_s:.1f} s: {reason}",
                service=self.name,
                pause_s=pause_s,
                reason=reason,
                event_id=event_id,
            )
        else:
            log.error("{service} failed, dead letter: {reason}", service=self.name, reason=reason, event_id=event_id)

    def _put_down(self, gone: Gone) -> None:
        """Everything the worker had in hand: blame, suspect or let go."""
        now_us = self._edges.now_us()
        is_stopping = self.state is ServiceState.STOPPING
        events = [call for call in gone.in_hand if isinstance(call, EventCall)]
        culprit = gone.overran
        if culprit is None and not is_stopping and len(gone.in_hand) == 1:
            culprit = gone.in_hand[0]
        for call in gone.in_hand:
            if call is not culprit and not isinstance(call, EventCall):
                self._asks.failed(call.call, ServiceError("service-crashed", f"{self.name}: {gone.sentence}"))
        for event_call in events:
            if event_call is not culprit:
                ticket = self._tickets.pop(event_call.call)
                self._backlog.interrupted(ticket)
                if gone.overran is None and not is_stopping:
                    self._suspects.add(ticket.seq)
                log.info("{service} was interrupted, again at once", service=self.name, event_id=event_call.id)
        if isinstance(culprit, EventCall):
            result = Result(call=culprit.call, verdict=Verdict.ERROR, reason=gone.sentence, detail=gone.detail)
            self._judge(self._tickets.pop(culprit.call), result, now_us)
        elif culprit is not None:
            code = "service-timeout" if culprit is gone.overran else "service-crashed"
            self._asks.failed(culprit.call, ServiceError(code, f"{self.name}: {gone.sentence}"))

    def _start_later(self, gone: Gone) -> None:
        self.state = ServiceState.FAILING
        self.restarts += 1
        self._failures_in_row += 1
        pause_s = delay_s(RESTART, attempt=self._failures_in_row, jitter=self._edges.jitter())
        self._restart = self._edges.reactor.callLater(pause_s, self.start)
        self._edges.counters.count("host.worker_gone", self.name)
        what = "worker ended" if gone.was_ready else "service cannot be started"
        # The same fault again is no news: at a pause of a minute it would fill the log over night.
        tell = log.debug if gone.sentence == self.last_error and not gone.was_ready else log.error
        tell(
            "{service}: {what}: {reason}; next start in {pause_s:.1f} s",
            service=self.name,
            what=what,
            reason=gone.sentence,
            pause_s=pause_s,
        )
        for line in gone.detail.splitlines():
            log.debug("{service}: {line}", service=self.name, line=printable(line))
        self.last_error = gone.sentence

    async def _until_idle(self, patience_s: float) -> None:
        self._idle = Deferred()
        timer = self._edges.reactor.callLater(patience_s, self._tell_idle, True)
        await self._idle
        if timer.active():
            timer.cancel()

    def _tell_idle(self, is_out_of_patience: bool = False) -> None:
        if self._idle is not None and (is_out_of_patience or not self.in_hand):
            idle, self._idle = self._idle, None
            idle.callback(None)

    def _tell_first_verdict(self) -> None:
        if not self.first_verdict.called:
            self.first_verdict.callback(None)


def _event_call(number: int, job: Job) -> EventCall:
    event = job.stored.event
    return EventCall(
        call=number,
        lane=event.priority.name.lower(),
        id=event.id,
        attempt=job.stored.attempt + job.interrupted + 1,
        event_kind=event.kind.value,
        body=event.body,
        content_type=event.content_type,
        charset=event.charset,
        path=event.path,
        query=event.query,
        group=event.group,
        peer=event.peer,
        received_us=event.received_us,
    )

"""One service through all its workers: which event is begun next, what becomes of it, and when to start again.

A worker that ends by itself takes calls with it that nobody can tell the guilty one from. So when there were several,
none is blamed: they are **suspects**, run again one at a time, and a worker that then ends has exactly one to blame.
The blamed one counts as a failed attempt, which is how an event that kills its worker every time comes to be a dead
letter, while the others only come twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from agent.boundaries import HttpRequest, Remembered, StoredEvent
from agent.config.model import ServiceConfig
from agent.delivery import Outcome
from agent.delivery.order import Ticket
from agent.errors import MachineError, ServiceError
from agent.event import Event
from agent.host.asks import Asks
from agent.host.backlog import Backlog, Job
from agent.host.counted import Counted
from agent.host.edges import Edges
from agent.host.messages import EventCall, Ready, Result, Verdict
from agent.host.orders import event_call, load_order
from agent.host.process import Call, Gone, Worker
from agent.host.record import Record
from agent.host.restarts import TAIL_LINES, Restarts
from agent.host.script import names_hook
from agent.host.state import ServiceState
from agent.host.telling import OwnLog, tell_gone, tell_settled
from agent.host.verdict import culprit_of, settlement
from agent.wire.frames import FrameError

log = Logger(namespace="host")

STARTING_AFTER_S: Final = 5.0
"""When a sender is told to come back to a service that has never been ready: most take a second or two."""

SUSPECTS_FIRST_S: Final = 5.0
"""How long after the start of a worker the event that ended the one before stands back for those that were only in hand
with it: some starts and hooks. It is no longer than the pauses of an ordinary failure."""


class Service:
    """One active service."""

    def __init__(self, config: ServiceConfig, edges: Edges) -> None:
        self.config: Final = config
        self.name: Final = config.name.client_id
        self.state = ServiceState.FAILING
        self.hooks: tuple[str, ...] = ()
        self._looks_like_answering = False
        self.started_us = 0
        self.last_request_us = 0
        self.restarts = Restarts()
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
            later_pass=config.later_pass,
        )
        self._counted = Counted(filters=edges.filters, clock=edges.clock)
        self._asks = Asks(threads=config.normal_threads, patience_s=config.hook_timeout_s, reactor=edges.reactor)
        self._record = Record(service=self.name, spool=edges.spool, reactor=edges.reactor, room=self._feed)
        self._worker: Worker | None = None
        self._tickets: dict[int, Ticket[Job]] = {}
        self._begun_us: dict[int, int] = {}
        self._suspects: set[int] = set()
        self._numbers = itertools.count(1)
        self._restart: IDelayedCall | None = None
        self._idle: Deferred[None] | None = None
        self._over: Deferred[None] | None = None
        self._own_log = OwnLog(self.name)

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

    @property
    def stderr_tail(self) -> Sequence[str]:
        """The last lines of stderr, of this worker or else of the one before."""
        lines = self._worker.last_lines[-TAIL_LINES:] if self._worker is not None else ()
        return lines or self.restarts.stderr_tail

    def restore(self, remembered: Sequence[Remembered]) -> None:
        """Take back what its filters counted before. To be called before the first start."""
        self._counted.restore(remembered)

    def count(self, counted: Sequence[tuple[str, str]]) -> tuple[Remembered, ...]:
        """Note what its filters have counted, and return what is to be stored about it."""
        return self._counted.count(counted)

    def start(self) -> None:
        """Launch a worker. `first_verdict` tells when the first one is ready or gone."""
        self._restart = None
        self.state = ServiceState.STARTING
        if not self.hooks:
            self._looks_like_answering = names_hook(Path(self.config.script), "on_http")
        config = self.config
        load = load_order(config, self._edges, counted=self._counted.entries())
        worker = Worker(
            load=load,
            hook_timeout_s=config.hook_timeout_s,
            owner=self,
            reactor=self._edges.reactor,
            asking=self._edges.asking,
        )
        self._worker = worker
        try:
            worker.start(self._edges.launcher)
        except MachineError as error:
            self.gone(Gone(sentence=error.sentence, detail="", was_ready=False))

    @property
    def answers_http(self) -> bool:
        """Whether it defines `on_http`; as long as no worker has said so, whether its script looks like it."""
        return "on_http" in self.hooks if self.hooks else self._looks_like_answering

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Newly stored events, in order of `seq`."""
        self.last_request_us = events[-1].event.received_us
        self._backlog.add(events)
        self._feed()

    def ask(self, event: Event, request: HttpRequest) -> Deferred[Result]:
        """Have `on_http` called. Raises `ServiceError`, or the Deferred fails with it."""
        if self.state is ServiceState.STOPPING:
            raise ServiceError("service-stopping", f"{self.name} is being stopped")
        if not self.hooks:
            raise ServiceError("service-starting", f"{self.name} has not started yet", after_s=STARTING_AFTER_S)
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
        self.restarts.worked()
        if isinstance(call, EventCall):
            del self._begun_us[call.call]
            self._judge(self._tickets.pop(call.call), result, begun_us)
        else:
            self._asks.ended(call.call, result)
        self._feed()
        self._tell_idle()

    def said(self, level: str, text: str, event_id: str) -> None:
        self._own_log.write(level, text, event_id)

    def gone(self, gone: Gone) -> None:
        self._worker = None
        if self.state is ServiceState.STOPPING:
            self._put_down(gone, next_start_s=0.0)
            log.info("{service} has stopped", service=self.name)
        else:
            next_start_s = self._start_later(gone)
            self._put_down(gone, next_start_s=next_start_s)
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
        call = event_call(next(self._numbers), ticket.item)
        begun_us = self._edges.now_us()
        try:
            worker.call(call, begun_us)
        except FrameError as error:
            reason = f"the event cannot be handed to the service: {error.sentence}"
            self._judge(ticket, Result(call=call.call, verdict=Verdict.REJECT, reason=reason), begun_us)
            return True
        self._tickets[call.call] = ticket
        self._begun_us[call.call] = begun_us
        self._edges.spool.began_event(ticket.seq)
        log.info("handed to {service}, attempt {attempt}", service=self.name, attempt=call.attempt, event_id=call.id)
        return True

    def _judge(self, ticket: Ticket[Job], result: Result, begun_us: int, *, next_start_s: float = 0.0) -> None:
        edges = self._edges
        stored = ticket.item.stored
        ended_us = edges.now_us()
        settled = settlement(
            stored,
            result,
            policy=self.config.retry,
            begun_us=begun_us,
            ended_us=ended_us,
            age_s=self._backlog.age_s(ticket),
            jitter=edges.jitter,
        )
        if result.remembered:
            settled = attrs.evolve(settled, remembered=self.count(result.remembered))
        self._suspects.discard(ticket.seq)
        if settled.outcome is Outcome.POSTPONE:
            pause_s = (settled.due_us - ended_us) / 1e6
            if self._suspects and next_start_s:
                # Its place is before theirs: due with the next start, it would take the worker down again and again
                # before any of them has had a turn.
                pause_s = max(pause_s, next_start_s + SUSPECTS_FIRST_S)
            self._backlog.postponed(ticket, pause_s=pause_s)
        else:
            self._backlog.settled(ticket)
        edges.counters.count(f"host.{settled.outcome.name.lower()}", self.name)
        tell_settled(self.name, stored.event.id, settled, next_start_s=next_start_s)
        self._record.store(settled)

    def _put_down(self, gone: Gone, *, next_start_s: float) -> None:
        """Everything the worker had in hand: blame, suspect or let go. The next worker starts in `next_start_s`."""
        is_stopping = self.state is ServiceState.STOPPING
        events = [call for call in gone.in_hand if isinstance(call, EventCall)]
        begun_us, self._begun_us = self._begun_us, {}
        culprit = culprit_of(gone, is_stopping=is_stopping)
        for call in gone.in_hand:
            if call is not culprit and not isinstance(call, EventCall):
                self._asks.failed(call.call, ServiceError("service-crashed", f"{self.name}: {gone.sentence}"))
        for begun in events:
            if begun is not culprit:
                ticket = self._tickets.pop(begun.call)
                self._backlog.interrupted(ticket)
                if gone.overran is None and not is_stopping:
                    self._suspects.add(ticket.seq)
                log.info("{service} was interrupted, again at once", service=self.name, event_id=begun.id)
        if isinstance(culprit, EventCall):
            result = Result(call=culprit.call, verdict=Verdict.ERROR, reason=gone.sentence, detail=gone.detail)
            self._judge(self._tickets.pop(culprit.call), result, begun_us[culprit.call], next_start_s=next_start_s)
        elif culprit is not None:
            code = "service-timeout" if culprit is gone.overran else "service-crashed"
            self._asks.failed(culprit.call, ServiceError(code, f"{self.name}: {gone.sentence}"))

    def _start_later(self, gone: Gone) -> float:
        """Have another worker started; return in how many seconds."""
        is_news = gone.sentence != self.restarts.last_error
        pause_s = self.restarts.note(gone, jitter=self._edges.jitter())
        self.state = ServiceState.CRASH_LOOP if self.restarts.is_loop else ServiceState.FAILING
        self._restart = self._edges.reactor.callLater(pause_s, self.start)
        self._edges.counters.count("host.worker_gone", self.name)
        tell_gone(self.name, gone, pause_s=pause_s, is_news=is_news, is_loop=self.restarts.is_loop)
        return pause_s

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

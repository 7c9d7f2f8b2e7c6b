"""One service through all its workers: which event is begun next, what becomes of it, and when to start again.

What becomes of the events in the hand of a worker that ends is `agent.host.hand`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from agent.boundaries import HttpRequest, Remembered, StoredEvent
from agent.config.model import ServiceConfig
from agent.errors import MachineError, ServiceError
from agent.event import Event
from agent.host.account import Account
from agent.host.asks import Asks
from agent.host.backlog import Backlog
from agent.host.counted import Counted
from agent.host.edges import Edges
from agent.host.hand import Hand
from agent.host.messages import Call, EventCall, LifeCall, Ready, Result, Verdict
from agent.host.orders import event_call, load_order
from agent.host.process import Gone, Worker
from agent.host.quiet import Quiet
from agent.host.record import Record
from agent.host.restarts import TAIL_LINES, Restarts
from agent.host.script import hooks_named
from agent.host.state import ServiceState
from agent.host.suspension import LifeCalls, Suspension
from agent.host.telling import OwnLog, tell_gone
from agent.host.verdict import culprit_of
from agent.recent import Pace
from agent.wire.frames import FrameError

log = Logger(namespace="host")

STARTING_AFTER_S: Final = 5.0
"""When a sender is told to come back to a service that has never been ready: most take a second or two."""


class Service:
    """One active service."""

    def __init__(self, config: ServiceConfig, edges: Edges, *, pace: Pace | None = None) -> None:
        self.config: Final = config
        self.name: Final = config.name.client_id
        self.account: Final = Account(self.name, edges, pace=pace)
        self.state = ServiceState.FAILING
        self.hooks: tuple[str, ...] = ()
        self._seen: frozenset[str] = frozenset()
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
            wake=self._feed,
            later_pass=config.later_pass,
        )
        self._counted = Counted(filters=edges.filters, clock=edges.clock)
        self._asks = Asks(threads=config.normal_threads, patience_s=config.hook_timeout_s, reactor=edges.reactor)
        self._record = Record(service=self.name, spool=edges.spool, reactor=edges.reactor, room=self._feed)
        self._worker: Worker | None = None
        self._hand = Hand(
            config=config,
            edges=edges,
            backlog=self._backlog,
            account=self.account,
            record=self._record,
            counted=self._counted,
        )
        self._numbers = itertools.count(1)
        self._restart: IDelayedCall | None = None
        self._quiet = Quiet(busy=lambda: self.in_hand, reactor=edges.reactor)
        self._life = LifeCalls()
        self.suspension: Final = Suspension(self)
        self._over: list[Deferred[None]] = []
        self._own_log = OwnLog(self.name)

    @property
    def pid(self) -> int:
        return self._worker.pid if self._worker is not None else 0

    @property
    def has_worker(self) -> bool:
        return self._worker is not None

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
        """Launch a worker where there can be one. `first_verdict` tells when the first one is ready or gone."""
        self._restart = None
        self.restarts.last_error = self.config.obstacle or self.restarts.last_error
        if self.suspension.is_on or self.config.obstacle:
            self.state = ServiceState.SUSPENDED if self.suspension.is_on else ServiceState.FAILING
            self._tell_first_verdict()
            return
        self.state = ServiceState.STARTING
        if not self.hooks:
            self._seen = hooks_named(Path(self.config.script))
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
    def likely_hooks(self) -> Collection[str]:
        """The hooks that it defines; as long as no worker has said so, those that its script seems to define."""
        return self.hooks or self._seen

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Newly stored events, in order of `seq`."""
        self.last_request_us = events[-1].event.received_us
        self.account.came([stored.event.id for stored in events])
        self._backlog.add(events)
        self._feed()

    def ask(self, event: Event, request: HttpRequest) -> Deferred[Result]:
        """Have `on_http` called. Raises `ServiceError`, or the Deferred fails with it."""
        if self.state is ServiceState.STOPPING:
            raise ServiceError("service-stopping", f"{self.name} is being stopped")
        if self.suspension.is_on:
            raise ServiceError("service-suspended", f"{self.name} is suspended by the operator")
        if not self.hooks:
            raise ServiceError("service-starting", f"{self.name} has not started yet", after_s=STARTING_AFTER_S)
        self.last_request_us = event.received_us
        self.account.asked()
        waiting = self._asks.add(event, request)
        self._feed()
        return waiting

    async def stop(self, patience_s: float) -> None:
        """Let what is in hand end within `patience_s`, end the worker, and wait until what it produced is stored."""
        end_s = self._edges.reactor.seconds() + patience_s
        self.state = ServiceState.STOPPING
        self.suspension.end()
        self._cancel_restart()
        self._backlog.stop()
        self._asks.send_away(ServiceError("service-stopping", f"{self.name} is being stopped"))
        worker = self._worker
        if worker is not None:
            over: Deferred[None] = Deferred()
            self._over.append(over)
            if worker.in_hand and patience_s > 0:
                await self.until_idle(patience_s)
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

    def halt(self) -> None:
        """Begin nothing more, for now: see `agent.host.suspension`."""
        self._cancel_restart()
        self._asks.send_away(ServiceError("service-suspended", f"{self.name} is suspended by the operator"))

    def go_on(self) -> None:
        """Begin what waits; start a worker where there is none."""
        if self._worker is None:
            self.start()
        else:
            self.state = ServiceState.ACTIVE if self._worker.is_ready else ServiceState.STARTING
            self._feed()

    def release(self) -> None:
        """End all waits for it to be idle."""
        self._quiet.release()

    def kill_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()

    async def call_life(self, hook: str, *, patience_s: float | None = None) -> str:
        """Have a hook of its life called; give what went wrong, empty where nothing did or there is no such hook."""
        worker = self._worker
        if worker is None or not worker.takes_calls or hook not in self.hooks:
            return ""
        call = LifeCall(call=next(self._numbers), hook=hook)
        done = self._life.begin(call)
        worker.call(call, self._edges.now_us())
        if patience_s is not None:
            done.addTimeout(patience_s, self._edges.reactor, lambda _, s: f"{hook} has not returned within {s:g} s")
        return await done

    def ready(self, ready: Ready) -> None:
        self.hooks = ready.hooks
        self.started_us = self._edges.now_us()
        if self.state is ServiceState.STARTING:
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
            self._hand.ended(call, result, begun_us)
        elif isinstance(call, LifeCall):
            self._life.ended(self.name, call, result)
        else:
            self.account.answered(result, begun_us)
            self._asks.ended(call.call, result)
        self._feed()
        self._quiet.look()

    def said(self, level: str, text: str, event_id: str) -> None:
        self.account.catch_up()
        self._own_log.write(level, text, event_id)

    def gone(self, gone: Gone) -> None:
        self.account.catch_up()
        self._worker = None
        if self.state is ServiceState.STOPPING:
            self._put_down(gone, next_start_s=0.0)
            log.info("{service} has stopped", service=self.name)
        elif self.suspension.is_on:
            self._put_down(gone, next_start_s=0.0)
            log.info("{service}: worker ended, the next one starts when it is resumed", service=self.name)
        else:
            next_start_s = self._start_later(gone)
            self._put_down(gone, next_start_s=next_start_s)
        self._tell_first_verdict()
        self._quiet.look()
        over, self._over = self._over, []
        for waiting in over:
            waiting.callback(None)

    def _feed(self) -> None:
        """Begin what may be begun, ask the spool for what is missing, and see that somebody comes back in time."""
        if self.state is ServiceState.STOPPING or self.suspension.is_on:
            return
        worker = self._worker
        if worker is not None:
            with self._edges.share.meter:
                while self._may_begin(worker) and self._begin(worker):
                    pass
            # Where nothing may be begun, what ends that comes back here.
            if self._may_begin(worker):
                self._backlog.set_alarm()
        self._backlog.refill()

    def _may_begin(self, worker: Worker) -> bool:
        return worker.takes_calls and self._record.takes_more and not (self._hand.has_suspects and worker.in_hand)

    def _begin(self, worker: Worker) -> bool:
        """Begin one call; False when there is none to begin, or not now."""
        asked = self._asks.next(lambda: next(self._numbers))
        if asked is not None:
            # Its sender waits, as those do for whom events stand back.
            try:
                worker.call(asked, self._edges.now_us())
            except FrameError as error:
                self._asks.failed(asked.call, error)
            return True
        if not self._backlog.has_next:
            return False
        if not self._edges.share.may_begin():
            self._edges.share.wait(self._feed)
            return False
        ticket = self._backlog.next()
        if ticket is None:
            return False
        call = event_call(next(self._numbers), ticket.item)
        begun_us = self._edges.now_us()
        try:
            worker.call(call, begun_us)
        except FrameError as error:
            reason = f"the event cannot be handed to the service: {error.sentence}"
            self._hand.judge(ticket, Result(call=call.call, verdict=Verdict.REJECT, reason=reason), begun_us)
            return True
        self._hand.begun(call, ticket, begun_us)
        self.account.begun(call)
        return True

    def _put_down(self, gone: Gone, *, next_start_s: float) -> None:
        """Everything the worker had in hand: blame, suspect or let go. The next worker starts in `next_start_s`."""
        is_stopping = self.state is ServiceState.STOPPING or self.suspension.is_killing
        culprit = culprit_of(gone, is_stopping=is_stopping)
        for call in gone.in_hand:
            if isinstance(call, LifeCall):
                self._life.failed(call, gone.sentence)
            elif call is not culprit and not isinstance(call, EventCall):
                self._asks.failed(call.call, ServiceError("service-crashed", f"{self.name}: {gone.sentence}"))
        self._hand.put_down(gone, culprit, is_stopping=is_stopping, next_start_s=next_start_s)
        if isinstance(culprit, LifeCall):
            if culprit is gone.overran:
                self._life.failed(culprit, gone.sentence)
        elif culprit is not None and not isinstance(culprit, EventCall):
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

    def _cancel_restart(self) -> None:
        if self._restart is not None and self._restart.active():
            self._restart.cancel()

    async def until_idle(self, patience_s: float | None) -> None:
        """Wait until nothing is in hand, or until patience ends; None: as long as it takes."""
        await self._quiet.wait(patience_s)

    def _tell_first_verdict(self) -> None:
        if not self.first_verdict.called:
            self.first_verdict.callback(None)

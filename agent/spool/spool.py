"""The spool as the others see it, in the reactor thread: a part with a life, a sink for events, a queue of work.

`intake` collects what a turn brings, `thread` carries it to the writer, `telling` passes on what became of it. `orders`
has what the operator does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from agent.boundaries import (
    Counters,
    EventSettlement,
    Remembered,
    RequestSettlement,
    StoredEvent,
    StoredRequest,
    Waiting,
)
from agent.config.model import SpoolLimits
from agent.errors import MachineError
from agent.event import Event
from agent.spool import doubt
from agent.spool.batch import Change
from agent.spool.changes import Answered
from agent.spool.claims import Claim, Claims
from agent.spool.faults import trouble
from agent.spool.gathering import Gathering
from agent.spool.intake import Intake
from agent.spool.lookout import Lookout
from agent.spool.mending import Mend, Mended
from agent.spool.orders import Orders
from agent.spool.reader import OpenWork
from agent.spool.reserve import Reserve, free_bytes
from agent.spool.retention import Retire, Retired
from agent.spool.room import Room
from agent.spool.steady import SteadyClock, Uptime
from agent.spool.sweep import Sweep
from agent.spool.telling import Telling
from agent.spool.thread import WriterLoop
from agent.spool.writer import Writer

log = Logger(namespace="spool")

Found = TypeVar("Found")


class SpoolReactor(IReactorTime, IReactorFromThreads):
    """What the spool needs of the reactor."""


class SqliteSpool:
    """An `EventSink` and a `Spool` over one SQLite database; a part with a life.

    `folder` is made when it is not there. `now_us` gives wall-clock microseconds; it and `uptime` are called in other
    threads as well. `uptime` is the machine's clock, by which things grow old; where it is None the reactor's stands
    in, which knows nothing of other processes. `limits` are the defaults where it is None. `free_bytes` tells the free
    space of the folder's disk, in the reader's thread. `vfs` names another apsw VFS (tests inject faults there).
    """

    name: Final = "spool"

    def __init__(
        self,
        *,
        folder: Path,
        reactor: SpoolReactor,
        now_us: Callable[[], int],
        counters: Counters,
        limits: SpoolLimits | None = None,
        free_bytes: Callable[[Path], int] = free_bytes,
        uptime: Uptime | None = None,
        vfs: str | None = None,
    ) -> None:
        self._folder = folder
        self._reactor = reactor
        self._counters = counters
        limits = limits or SpoolLimits()
        ages = SteadyClock(now_us=now_us, uptime=uptime or Uptime(seconds=reactor.seconds))
        reserve = Reserve(
            folder=folder,
            size_bytes=limits.reserve_bytes,
            keep_free_bytes=limits.min_free_bytes,
            free_bytes=free_bytes,
        )
        self._writer = Writer(
            folder=folder, now_us=now_us, ages=ages, limits=limits, reserve=reserve, may_put_off=True, vfs=vfs
        )
        self._loop = WriterLoop(
            writer=self._writer,
            tell=lambda report: reactor.callFromThread(self._telling.take, report),
            doubt=lambda error: reactor.callFromThread(self._telling.note_trouble, error),
        )
        self._open_work = OpenWork(folder=folder, age_us=ages)
        self._room = Room(limits)
        self._lookout = Lookout(
            reactor=reactor,
            in_thread=self._read,
            folder=folder,
            room=self._room,
            reserve=reserve,
            free_bytes=free_bytes,
            look_back=self._open_work.oldest,
            age_us=ages,
            max_age_s=limits.max_age_s,
            then=lambda: self._telling.seen_space(has_reserve=self._lookout.sight.has_reserve),
        )
        self._intake = Intake(
            reactor=reactor,
            put=self._loop.put,
            counters=counters,
            room=self._room,
            refused=self._lookout.refused,
        )
        self._gathering = Gathering(reactor=reactor, pass_on=self._intake.change)
        self._telling = Telling(
            folder=folder,
            counters=counters,
            flushed=self._intake.flushed,
            refused=self._settlements_refused,
            room=self._room,
        )
        self._sweep = Sweep(reactor=reactor, order=self._retire)
        self._claims = Claims(reactor=reactor, write=self._write_claim)
        self.orders: Final = Orders(write=self._order)
        self._reading = ThreadPool(minthreads=0, maxthreads=1, name="spool-reader")
        self._ended: Deferred[None] = Deferred()

    def bound(self, limits: SpoolLimits) -> None:
        """Hold to other bounds from now on. The size of the reserve and the time of the check count at a start only."""
        self._room.bound(limits)
        self._writer.bound(limits)
        self._lookout.max_age_s = limits.max_age_s
        if not limits.max_age_s:
            self._room.seen_old(())

    # A part's life

    @property
    def last_event_id(self) -> str:
        """The newest id in the spool, empty where there is none; valid after `start`."""
        return self._writer.last_event_id

    @property
    def findings(self) -> Sequence[str]:
        """What the start, or the check behind it, found damaged or missing, and what was saved of it; sentences for the
        operator."""
        return tuple(self._writer.findings)

    @property
    def is_check_due(self) -> bool:
        """Whether the start has left the check of the pages to `recheck`; valid after `start`."""
        return self._writer.is_check_due

    def note_finding(self, sentence: str) -> None:
        """Tell the operator what that check has found."""
        self._writer.findings.append(sentence)
        log.error("{finding}", finding=sentence)

    @property
    def trouble(self) -> str:
        """Why events are refused, as a sentence for the operator; empty while all is well."""
        return next(iter(self.troubles), "")

    @property
    def troubles(self) -> tuple[str, ...]:
        """All reasons for which events are refused: a failing disk first, then each bound that is reached."""
        failing = self._telling.trouble
        return (failing, *self._lookout.troubles) if failing else self._lookout.troubles

    async def start(self) -> None:
        """Open or make the spool. Raises `OperatorError` or `MachineError`; nothing is left behind then."""
        opened: Deferred[None] = Deferred()
        # A daemon: a sync that never returns must not keep the process from ending.
        Thread(target=self._write, args=(opened,), name="spool-writer", daemon=True).start()
        await opened
        for finding in self._writer.findings:
            log.error("{finding}", finding=finding)
        self._room.load(self._writer.open_loads)
        self._reading.start()
        self._intake.is_open = True
        # Before the first sender comes: the disk may be full already.
        await self._lookout.look()
        self._sweep.start()

    async def stop(self, patience_s: float) -> None:
        """Commit what was offered, empty the log, close; an offer from now on is refused.

        A disk that does not come to an end within `patience_s` is left to itself: what it has not synced was not
        acknowledged.
        """
        if not self._intake.is_open:
            return
        self._intake.is_open = False
        self._claims.forget()
        self._lookout.stop()
        self._sweep.stop()
        self._gathering.flush()
        self._intake.hand_over()
        self._loop.finish()
        timer = self._reactor.callLater(patience_s, self._ended.cancel)
        try:
            await self._ended
        except CancelledError:
            log.error(
                "the disk did not finish within {patience_s} s; the spool is left as it is", patience_s=patience_s
            )
        except Exception as error:
            log.error("the spool could not be closed properly: {reason!r}", reason=error)
        finally:
            if timer.active():
                timer.cancel()
        self._telling.fail_pending(
            MachineError("store-closed", "the spool was closed before the settlement was stored")
        )

    def _write(self, opened: Deferred[None]) -> None:
        """The writer's thread."""
        try:
            self._writer.open()
        except BaseException as error:
            self._reactor.callFromThread(opened.errback, error)
            return
        self._reactor.callFromThread(opened.callback, None)
        try:
            self._loop.run(before_close=self._stop_reading)
        except BaseException as error:
            self._reactor.callFromThread(self._ended.errback, error)
        else:
            self._reactor.callFromThread(self._ended.callback, None)

    def _stop_reading(self) -> None:
        """Close the reader first, in the writer's thread: the last to close takes the log files away."""
        self._reading.stop()
        self._open_work.close()

    def _settlements_refused(self) -> None:
        """What was handed in before is put before the word: it does not know of the refusal."""
        self._gathering.flush()
        self._intake.hand_over()
        self._loop.told()

    # EventSink

    def offer(self, event: Event, waiting: Waiting) -> None:
        """Store `event` with the next group commit, then tell `waiting`, never before this call has returned."""
        self._intake.offer(event, waiting)

    def on_told(self, listener: Callable[[], None]) -> None:
        """Call `listener` after the answers of each batch, before those are told who work it off."""
        self._telling.on_told(listener)

    # Spool

    def on_events(self, listener: Callable[[Sequence[StoredEvent]], None]) -> None:
        """Call `listener` with each batch of newly stored events, after their commit and their answers."""
        self._telling.on_events(listener)

    def on_requests(self, listener: Callable[[Sequence[StoredRequest]], None]) -> None:
        """Call `listener` with each batch of newly stored requests, after their commit."""
        self._telling.on_requests(listener)

    def open_events(
        self,
        service: str,
        *,
        after_seq: int,
        limit: int,
        priority: int | None = None,
        group: str | None = None,
        except_groups: Sequence[str] = (),
    ) -> Awaitable[Sequence[StoredEvent]]:
        """See `Spool.open_events`; fails with `MachineError` when the disk cannot be read."""
        return self._read(
            lambda: self._open_work.events(
                service,
                after_seq=after_seq,
                limit=limit,
                priority=priority,
                group=group,
                except_groups=except_groups,
            )
        )

    def open_requests(
        self,
        destination: str,
        *,
        after_seq: int,
        limit: int,
        group: str | None = None,
        except_groups: Sequence[str] = (),
    ) -> Awaitable[Sequence[StoredRequest]]:
        """See `Spool.open_requests`; fails with `MachineError` when the disk cannot be read."""
        return self._read(
            lambda: self._open_work.requests(
                destination, after_seq=after_seq, limit=limit, group=group, except_groups=except_groups
            )
        )

    def open_destinations(self) -> Awaitable[Mapping[str, int]]:
        """See `Spool.open_destinations`; fails with `MachineError` when the disk cannot be read."""
        return self._read(self._open_work.destinations)

    def remembered(self, service: str) -> Awaitable[Sequence[Remembered]]:
        """See `Spool.remembered`; fails with `MachineError` when the disk cannot be read."""
        return self._read(lambda: self._open_work.remembered(service))

    def began_event(self, seq: int) -> None:
        """See `Spool.began_event`."""
        self._claims.began("event", seq)

    def began_request(self, seq: int) -> None:
        """See `Spool.began_request`."""
        self._claims.began("request", seq)

    def settle_event(self, settlement: EventSettlement) -> Awaitable[None]:
        """Change the event's state and store what it produced, in one transaction.

        Fails with `MachineError` when the disk refuses or the spool is closed first: nothing was changed, and the event
        is offered again after a restart. Fails with `ValueError` when the event is not there or at its end.
        """
        self._claims.ended("event", settlement.seq)
        return self._change(settlement)

    def settle_request(self, settlement: RequestSettlement) -> Awaitable[None]:
        """Change the request's state and store the answer, in one transaction; else as `settle_event`."""
        self._claims.ended("request", settlement.seq)
        return self._change(settlement)

    def store_answered(self, event: Event, settlement: EventSettlement) -> Awaitable[None]:
        """Store an event that a service has answered, with what it produced; nobody is told of the event.

        Its sender waits: when the disk refuses, the Deferred fails with `SenderError` 503.
        """
        return self._change(Answered(event=event, settlement=settlement))

    async def _retire(self, what: Retire) -> Retired:
        change = Change(what=what)
        await self._give(change)
        if change.retired.events:
            log.debug("{events} events that were over were deleted", events=change.retired.events)
            self._counters.count("spool.retired", by=change.retired.events)
        return change.retired

    def _write_claim(self, claim: Claim) -> None:
        """Nobody waits for it: what the disk refuses to note is only the number of an attempt."""
        self._order(claim).addErrback(lambda _: None)

    def _change(self, what: EventSettlement | RequestSettlement | Answered) -> Deferred[Any]:
        """Its result is None: only an operator's change has another."""
        return self._order(what)

    def _order(self, what: EventSettlement | RequestSettlement | Answered | Claim | Mend) -> Deferred[Mended | None]:
        return self._give(Change(what=what))

    def _give(self, change: Change) -> Deferred[Mended | None]:
        done = self._telling.expect(change)
        if not self._intake.is_open:
            self._telling.fail(change, MachineError("store-closed", "the spool is not open"))
        elif isinstance(change.what, EventSettlement | RequestSettlement):
            self._gathering.add(change)
        else:
            self._gathering.flush()
            self._intake.change(change)
        return done

    def _read(self, read: Callable[[], Found]) -> Deferred[Found]:
        def cannot_read(failure: Failure) -> Found:
            error = failure.value
            assert isinstance(error, Exception)
            doubt.leave_for(self._folder, error)
            raise trouble(error, self._folder) from error

        if not self._intake.is_open:
            failed: Deferred[Found] = Deferred()
            failed.errback(MachineError("store-closed", "the spool is not open"))
            return failed
        return deferToThreadPool(self._reactor, self._reading, read).addErrback(cannot_read)

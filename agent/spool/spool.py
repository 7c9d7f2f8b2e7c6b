"""The spool as the others see it, in the reactor thread: collects a turn, hands it over, passes on what became of it.

On the accept path there is no Deferred and no call per event: a turn's offers are two appends to one list, and the
report of a commit answers them in one loop. Each sender is answered inside a guard of its own, because one connection
that is gone must not take the answers of its batch with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from threading import Thread
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from agent.boundaries import (
    Counters,
    EventSettlement,
    RequestSettlement,
    StoredEvent,
    StoredRequest,
    Waiting,
)
from agent.errors import MachineError, SenderError
from agent.event import Event
from agent.spool.changes import Answered, ImpossibleChange
from agent.spool.faults import RETRY_BUSY_S, RETRY_FAILED_S, refusal, trouble, unavailable
from agent.spool.reader import OpenWork
from agent.spool.thread import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, WriterLoop
from agent.spool.writer import FAULTS_OF_ONE, Batch, Change, Report, Writer, announced

log = Logger(namespace="spool")

MAX_UNFLUSHED_EVENTS: Final = 16 * 1024
"""Events that wait for a commit: sixteen full transactions, some seconds on a slow disk. Beyond it the disk does not
keep up, and a sender is better told to come back than left to run into its own time-out."""

MAX_UNFLUSHED_BYTES: Final = 64 * 1024 * 1024
"""The same in bytes, which bounds memory; at least one event of the largest size fits several times."""

Stored = TypeVar("Stored")


class SpoolReactor(IReactorTime, IReactorFromThreads):
    """What the spool needs of the reactor."""


class SqliteSpool:
    """An `EventSink` and a `Spool` over one SQLite database; a part with a life.

    `folder` is made when it is not there. `now_us` gives wall-clock microseconds and is called in the writer's thread.
    `vfs` names another apsw VFS (tests inject faults there).
    """

    name: Final = "spool"

    def __init__(
        self,
        *,
        folder: Path,
        reactor: SpoolReactor,
        now_us: Callable[[], int],
        counters: Counters,
        vfs: str | None = None,
    ) -> None:
        self._folder = folder
        self._reactor = reactor
        self._counters = counters
        self._writer = Writer(folder=folder, now_us=now_us, vfs=vfs)
        self._loop = WriterLoop(
            writer=self._writer,
            tell=lambda report: reactor.callFromThread(self._take_report, report),
            doubt=lambda error: reactor.callFromThread(self._note_trouble, error),
        )
        self._open_work = OpenWork(folder=folder)
        self._reading = ThreadPool(minthreads=0, maxthreads=1, name="spool-reader")
        self._event_listeners: list[Callable[[Sequence[StoredEvent]], None]] = []
        self._request_listeners: list[Callable[[Sequence[StoredRequest]], None]] = []
        self._turn = Batch()
        self._is_turn_scheduled = False
        self._turned_away: list[tuple[Waiting, SenderError]] = []
        self._unflushed_events = 0
        self._unflushed_bytes = 0
        self._pending: set[Change] = set()
        self._is_open = False
        self._ended: Deferred[None] = Deferred()
        self._trouble: MachineError | None = None

    # A part's life

    @property
    def last_event_id(self) -> str:
        """The newest id in the spool, empty where there is none; valid after `start`."""
        return self._writer.last_event_id

    async def start(self) -> None:
        """Open or make the spool. Raises `OperatorError` or `MachineError`; nothing is left behind then."""
        opened: Deferred[None] = Deferred()
        # A daemon: a sync that never returns must not keep the process from ending.
        Thread(target=self._write, args=(opened,), name="spool-writer", daemon=True).start()
        await opened
        self._reading.start()
        self._is_open = True

    async def stop(self, patience_s: float) -> None:
        """Commit what was offered, empty the log, close; an offer from now on is refused.

        A disk that does not come to an end within `patience_s` is left to itself: what it has not synced was not
        acknowledged.
        """
        if not self._is_open:
            return
        self._is_open = False
        self._hand_over()
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
        for change in list(self._pending):
            self._fail(change, MachineError("store-closed", "the spool was closed before the settlement was stored"))

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

    # EventSink

    def offer(self, event: Event, waiting: Waiting) -> None:
        """Store `event` with the next group commit, then tell `waiting`, never before this call has returned."""
        size_bytes = len(event.body)
        if not self._is_open:
            self._turn_away(waiting, unavailable("store-closed", "the agent is stopping", RETRY_FAILED_S))
            return
        if self._unflushed_events >= MAX_UNFLUSHED_EVENTS or self._unflushed_bytes + size_bytes > MAX_UNFLUSHED_BYTES:
            self._turn_away(waiting, unavailable("store-busy", "the agent's disk does not keep up", RETRY_BUSY_S))
            return
        self._unflushed_events += 1
        self._unflushed_bytes += size_bytes
        turn = self._turn
        turn.accepts.append((event, waiting))
        turn.size_bytes += size_bytes
        if len(turn.accepts) >= MAX_BATCH_EVENTS or turn.size_bytes >= MAX_BATCH_BYTES:
            self._hand_over()
        elif not self._is_turn_scheduled:
            self._schedule_turn()

    def _turn_away(self, waiting: Waiting, error: SenderError) -> None:
        self._turned_away.append((waiting, error))
        if not self._is_turn_scheduled:
            self._schedule_turn()

    def _schedule_turn(self) -> None:
        self._is_turn_scheduled = True
        self._reactor.callLater(0, self._end_turn)

    def _end_turn(self) -> None:
        """Everything that this turn of the reactor read from its connections is here: hand it over."""
        self._is_turn_scheduled = False
        self._hand_over()
        turned_away, self._turned_away = self._turned_away, []
        for waiting, error in turned_away:
            self._counters.count("spool.refused", error.code)
            _tell(waiting.refused, error)

    def _hand_over(self) -> None:
        turn = self._turn
        if turn.accepts or turn.changes:
            self._turn = Batch()
            self._loop.put(turn)

    # Spool

    def on_events(self, listener: Callable[[Sequence[StoredEvent]], None]) -> None:
        """Call `listener` with each batch of newly stored events, after their commit and their answers."""
        self._event_listeners.append(listener)

    def on_requests(self, listener: Callable[[Sequence[StoredRequest]], None]) -> None:
        """Call `listener` with each batch of newly stored requests, after their commit."""
        self._request_listeners.append(listener)

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

    def settle_event(self, settlement: EventSettlement) -> Awaitable[None]:
        """Change the event's state and store what it produced, in one transaction.

        Fails with `MachineError` when the disk refuses or the spool is closed first: nothing was changed, and the event
        is offered again after a restart. Fails with `ValueError` when the event is not there or at its end.
        """
        return self._change(settlement)

    def settle_request(self, settlement: RequestSettlement) -> Awaitable[None]:
        """Change the request's state and store the answer, in one transaction; else as `settle_event`."""
        return self._change(settlement)

    def store_answered(self, event: Event, settlement: EventSettlement) -> Awaitable[None]:
        """Store an event that a service has answered, with what it produced; nobody is told of the event.

        Its sender waits: when the disk refuses, the Deferred fails with `SenderError` 503.
        """
        return self._change(Answered(event=event, settlement=settlement))

    def _change(self, what: EventSettlement | RequestSettlement | Answered) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        change = Change(what=what, token=done)
        if not self._is_open:
            _tell(done.errback, MachineError("store-closed", "the spool is not open"))
            return done
        self._pending.add(change)
        turn = self._turn
        turn.changes.append(change)
        turn.size_bytes += _size_bytes(what)
        if len(turn.changes) >= MAX_BATCH_EVENTS or turn.size_bytes >= MAX_BATCH_BYTES:
            self._hand_over()
        elif not self._is_turn_scheduled:
            self._schedule_turn()
        return done

    def _read(self, read: Callable[[], Sequence[Stored]]) -> Deferred[Sequence[Stored]]:
        def cannot_read(failure: Failure) -> Sequence[Stored]:
            error = failure.value
            assert isinstance(error, Exception)
            raise trouble(error, self._folder) from error

        if not self._is_open:
            failed: Deferred[Sequence[Stored]] = Deferred()
            failed.errback(MachineError("store-closed", "the spool is not open"))
            return failed
        return deferToThreadPool(self._reactor, self._reading, read).addErrback(cannot_read)

    # What became of a batch

    def _take_report(self, report: Report) -> None:
        """Answer the senders first, then tell those who work the events off."""
        for _event, waiting in report.accepts:
            _tell(waiting.stored)
        for event, waiting, error in report.refused:
            self._refuse(event, waiting, error)
        self._flushed([event for event, _ in report.accepts] + [event for event, _, _ in report.refused])
        if report.accepts:
            self._counters.count("spool.stored", by=len(report.accepts))
        for change in report.changes:
            self._pending.discard(change)
            _tell(_deferred(change).callback, None)
        if report.accepts or report.changes:
            self._counters.count("spool.commits")
            self._note_recovery()
        for change, error in report.failed:
            self._take_failed(change, error)
        if report.accepts and self._event_listeners:
            events = announced(report)
            for event_listener in self._event_listeners:
                _tell(event_listener, events)
        if report.requests:
            for request_listener in self._request_listeners:
                _tell(request_listener, report.requests)

    def _refuse(self, event: Event, waiting: Waiting, error: Exception) -> None:
        answer = refusal(error)
        self._counters.count("spool.refused", answer.code)
        if isinstance(error, FAULTS_OF_ONE):
            log.error("not stored, nor will it ever be: {reason!r}", event_id=event.id, reason=error)
        else:
            self._note_trouble(error)
        _tell(waiting.refused, answer)

    def _flushed(self, events: Sequence[Event]) -> None:
        self._unflushed_events -= len(events)
        self._unflushed_bytes -= sum(len(event.body) for event in events)

    def _take_failed(self, change: Change, error: Exception) -> None:
        if isinstance(change.what, Answered):
            answer = refusal(error)
            self._counters.count("spool.refused", answer.code)
            self._fail(change, answer)
        elif isinstance(error, ImpossibleChange):
            self._fail(change, error)
        elif isinstance(error, FAULTS_OF_ONE):
            self._fail(change, ImpossibleChange(f"the settlement cannot be stored: {error!r}"))
        else:
            self._note_trouble(error)
            self._fail(change, trouble(error, self._folder))

    def _fail(self, change: Change, error: Exception) -> None:
        self._pending.discard(change)
        _tell(_deferred(change).errback, error)

    def _note_trouble(self, error: Exception) -> None:
        """One line when the trouble begins, not one for each event it refuses."""
        sentence = trouble(error, self._folder)
        if self._trouble is None or self._trouble.code != sentence.code:
            log.error("{sentence}", sentence=sentence.sentence)
        self._trouble = sentence

    def _note_recovery(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("{folder}: the spool stores events again", folder=str(self._folder))


def _deferred(change: Change) -> Deferred[None]:
    assert isinstance(change.token, Deferred)
    return change.token


def _size_bytes(what: EventSettlement | RequestSettlement | Answered) -> int:
    """The bodies that a change stores."""
    if isinstance(what, RequestSettlement):
        return 0 if what.answer is None else len(what.answer.body)
    event_bytes = len(what.event.body) if isinstance(what, Answered) else 0
    settlement = what.settlement if isinstance(what, Answered) else what
    return event_bytes + sum(len(request.body) for request in settlement.requests)


def _tell(call: Callable[..., object], *arguments: object) -> None:
    """Call somebody else's code: its fault is logged and does not reach the others of the batch."""
    try:
        call(*arguments)
    except Exception:
        log.failure("the outcome of a commit could not be passed on")

"""What became of a batch, passed on in the reactor thread: to senders, to those who settled, to listeners, to the log.

Each is told inside a guard of its own, because one connection that is gone must not take the answers of its batch with
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from agent.boundaries import Counters, StoredEvent, StoredRequest, Waiting
from agent.errors import AgentError, MachineError
from agent.event import Event
from agent.spool.batch import FAULTS_OF_ONE, Change, Report, announced
from agent.spool.changes import Answered, ImpossibleChange
from agent.spool.faults import FULL, refusal, trouble
from agent.spool.inorder import why_refused
from agent.spool.mending import Mended
from agent.spool.place import GONE
from agent.spool.room import Room

log = Logger(namespace="spool")

NOT_PASSED_ON: Final = "the outcome of a commit could not be passed on"


class Telling:
    """Answers everybody of a batch. `flushed` is called with the events that no longer wait for the disk: the stored
    ones, and the others; `refused` before it is told that the disk has refused settlements of events. `room` is told
    what changes have opened or ended."""

    def __init__(
        self,
        *,
        folder: Path,
        counters: Counters,
        flushed: Callable[[Sequence[Event], Sequence[Event]], None],
        refused: Callable[[], None],
        room: Room,
    ) -> None:
        self._room = room
        self._folder = folder
        self._counters = counters
        self._flushed = flushed
        self._refused = refused
        self._event_listeners: list[Callable[[Sequence[StoredEvent]], None]] = []
        self._request_listeners: list[Callable[[Sequence[StoredRequest]], None]] = []
        self._told_listeners: list[Callable[[], None]] = []
        self._pending: set[Change] = set()
        self._trouble: MachineError | None = None
        self._was_full_since_look = False

    def on_events(self, listener: Callable[[Sequence[StoredEvent]], None]) -> None:
        """See `Spool.on_events`."""
        self._event_listeners.append(listener)

    def on_told(self, listener: Callable[[], None]) -> None:
        """See `EventSink.on_told`."""
        self._told_listeners.append(listener)

    def on_requests(self, listener: Callable[[Sequence[StoredRequest]], None]) -> None:
        """See `Spool.on_requests`."""
        self._request_listeners.append(listener)

    @property
    def trouble(self) -> str:
        """The sentence for the operator while the disk refuses; empty while all is well."""
        return "" if self._trouble is None else self._trouble.sentence

    def expect(self, change: Change) -> Deferred[Mended | None]:
        """The Deferred that fires when this change has been reported."""
        done: Deferred[Mended | None] = Deferred()
        change.token = done
        self._pending.add(change)
        return done

    def fail_pending(self, error: AgentError) -> None:
        """No report will come any more."""
        for change in list(self._pending):
            self.fail(change, error)

    def take(self, report: Report) -> None:
        """Answer the senders first, then tell those who work the events off."""
        for event, waiting in report.accepts:
            try:  # as `tell` does, without a call more for each event
                waiting.stored(event.id)
            except Exception:
                log.failure(NOT_PASSED_ON)
        for _event, waiting, earlier_id in report.repeats:
            tell(waiting.stored, earlier_id)
        for event, waiting, error in report.refused:
            self._refuse(event, waiting, error)
        for told_listener in self._told_listeners:
            tell(told_listener)
        self._flushed(
            [event for event, _ in report.accepts],
            [event for event, _, _ in report.repeats] + [event for event, _, _ in report.refused],
        )
        for service, (events, size_bytes) in report.opened.items():
            self._room.change(service, events, size_bytes)
        if report.repeats:
            self._counters.count("spool.repeated", by=len(report.repeats))
        if report.accepts:
            self._counters.count("spool.stored", by=len(report.accepts))
        for change in report.changes:
            self._pending.discard(change)
            tell(_deferred(change).callback, change.result)
        if report.accepts or report.repeats or report.changes:
            self._counters.count("spool.commits")
            # On a full disk settlements go on in the space of the reserve, and in files that have lost their names as
            # well: they do not show that events can be stored again.
            if report.accepts or report.repeats or not (self._is_full or self._is_gone):
                self._note_recovery()
        self._tell_failed(report)
        self._announce(report)

    def seen_space(self, *, has_reserve: bool) -> None:
        """The disk was looked at. A full one has recovered when the reserve is there again, and since the look before
        it nobody was told that it is full: then nobody needs to send first for the warning to end."""
        if has_reserve and self._is_full and not self._was_full_since_look:
            self._note_recovery()
        self._was_full_since_look = False

    @property
    def _is_full(self) -> bool:
        return self._trouble is not None and self._trouble.code == FULL

    @property
    def _is_gone(self) -> bool:
        return self._trouble is not None and self._trouble.code == GONE

    def note_trouble(self, error: Exception) -> None:
        """One line when the trouble begins, not one for each event it refuses."""
        sentence = trouble(error, self._folder)
        self._was_full_since_look |= sentence.code == FULL
        if self._trouble is None or self._trouble.code != sentence.code:
            log.error("{sentence}", sentence=sentence.sentence)
        self._trouble = sentence

    def _announce(self, report: Report) -> None:
        if self._event_listeners and (events := announced(report)):
            for event_listener in self._event_listeners:
                tell(event_listener, events)
        if report.requests:
            for request_listener in self._request_listeners:
                tell(request_listener, report.requests)

    def _refuse(self, event: Event, waiting: Waiting, error: Exception) -> None:
        answer = refusal(error)
        self._counters.count("spool.refused", answer.code)
        if isinstance(error, FAULTS_OF_ONE):
            log.error("not stored, nor will it ever be: {reason!r}", event_id=event.id, reason=error)
        else:
            self.note_trouble(error)
        tell(waiting.refused, answer)

    def _tell_failed(self, report: Report) -> None:
        if why_refused(report) is not None:
            self._refused()
        for change, error in report.failed:
            self._take_failed(change, error)

    def _take_failed(self, change: Change, error: Exception) -> None:
        if isinstance(change.what, Answered):
            answer = refusal(error)
            self._counters.count("spool.refused", answer.code)
            self.fail(change, answer)
        elif isinstance(error, ImpossibleChange):
            self.fail(change, error)
        elif isinstance(error, FAULTS_OF_ONE):
            self.fail(change, ImpossibleChange(f"the settlement cannot be stored: {error!r}"))
        else:
            self.note_trouble(error)
            self.fail(change, trouble(error, self._folder))

    def fail(self, change: Change, error: Exception) -> None:
        """This change was not made."""
        self._pending.discard(change)
        tell(_deferred(change).errback, error)

    def _note_recovery(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("{folder}: the spool stores events again", folder=str(self._folder))


def tell(call: Callable[..., object], *arguments: object) -> None:
    """Call somebody else's code: its fault is logged and does not reach the others of the batch."""
    try:
        call(*arguments)
    except Exception:
        log.failure(NOT_PASSED_ON)


def _deferred(change: Change) -> Deferred[Mended | None]:
    assert isinstance(change.token, Deferred)
    return change.token

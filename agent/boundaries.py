"""The seams between the edges: what gateway, spool, host and upstream know of one another.

The edges never import each other; assembly hands each of them an object that satisfies one of these protocols. The
records that cross a seam stand here too. There is no logic in this module.

Everything here is called in the reactor thread. An `Awaitable` returned by an edge is a Twisted Deferred.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import attrs

from agent.delivery import Answer, OutboundRequest, Outcome, State
from agent.errors import SenderError
from agent.event import Event
from agent.recent import Happening
from agent.wire.misuse import Misuse


class Waiting(Protocol):
    """Someone who waits for an event to be on disk: a place in a connection's line of answers.

    Exactly one of the two is called, once. Neither may raise: one sender's fault must not reach the others of the
    batch.
    """

    def stored(self, event_id: str) -> None:
        """The event is committed and synced under this id.

        Another id than the event's own is that of an earlier event of the service with the same idempotency key: it
        stands for this one, which is not stored a second time.
        """

    def refused(self, error: SenderError) -> None:
        """The event is not stored and will not be; `error` carries status 503 and when to come back."""


class EventSink(Protocol):
    """Where the gateway puts events. Never blocks; the answer comes back in a batch with others."""

    def offer(self, event: Event, waiting: Waiting) -> None:
        """Store `event` with the next group commit, then tell `waiting`."""

    def on_told(self, listener: Callable[[], None]) -> None:
        """Call `listener` each time that all who waited for one commit have been told, before anybody works on what was
        stored: what is to be done once for a batch."""


class StoredEvent(NamedTuple):
    """An event with its place in the spool, a tuple as it is one. `seq` counts up without gaps in order of storing.

    `attempt` counts the times it was begun before (0: never). When it was read, it had been there for `age_s` seconds
    (from an operator's replay on, where there was one), and `left_s` were left until it is to be tried again. Both
    follow no clock that is set, also over restarts.
    """

    seq: int
    event: Event
    state: State = State.RECEIVED
    attempt: int = 0
    age_s: float = 0.0
    left_s: float = 0.0


@attrs.frozen(kw_only=True)
class StoredRequest:
    """An outbound request with its place in the spool.

    `id` is the event's id, a slash and the request's number within the event: stable over all attempts, so that a
    receiver can drop doubles. `age_s` and `left_s` are what they are for `StoredEvent`.
    """

    seq: int
    id: str
    event_seq: int
    service: str
    group: str
    request: OutboundRequest
    state: State = State.RECEIVED
    attempt: int = 0
    age_s: float = 0.0
    left_s: float = 0.0


@attrs.frozen(kw_only=True)
class Remembered:
    """A combination of values that a deduplication filter has counted; `forgotten` are those it no longer remembers.

    `at_us` counts from the start of the machine, and means something as long as `boot_id` is the machine's; `wall_us`
    is the wall-clock time, for after a restart of the machine.
    """

    filter: str
    key: str
    boot_id: str
    at_us: int
    wall_us: int
    forgotten: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class EventSettlement:
    """What came of one attempt at an event. `requests` are stored in the same transaction.

    `begun_us`/`ended_us`: wall-clock microseconds of the attempt. `reason` is the sentence for the operator (empty when
    it went well), `detail` a traceback or other long text. `due_us` says when a postponed event is due: its pause is
    what lies between `ended_us` and that. `remembered` is what the service's filters have counted.
    """

    seq: int
    outcome: Outcome
    begun_us: int
    ended_us: int
    requests: tuple[OutboundRequest, ...] = ()
    reason: str = ""
    detail: str = ""
    due_us: int = 0
    remembered: tuple[Remembered, ...] = ()


@attrs.frozen(kw_only=True)
class RequestSettlement:
    """What came of one attempt at sending a request; the answer, if there was one, is kept."""

    seq: int
    outcome: Outcome
    begun_us: int
    ended_us: int
    answer: Answer | None = None
    reason: str = ""
    due_us: int = 0


class Spool(Protocol):
    """The durable queue, as those see it who work it off.

    Listeners are told after the commit, in order of `seq`, in the reactor thread.
    """

    def on_events(self, listener: Callable[[Sequence[StoredEvent]], None]) -> None:
        """Call `listener` with each batch of newly stored events."""

    def on_requests(self, listener: Callable[[Sequence[StoredRequest]], None]) -> None:
        """Call `listener` with each batch of newly stored requests."""

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
        """Events of `service` still to be worked on, in order, at most `limit`.

        The last three narrow the choice; they are the fields of `agent.delivery.Refill`. Fewer than `limit` may come
        back because the bytes of one answer are bounded: only an empty answer means that there are no more.
        """

    def open_requests(
        self,
        destination: str,
        *,
        after_seq: int,
        limit: int,
        group: str | None = None,
        except_groups: Sequence[str] = (),
    ) -> Awaitable[Sequence[StoredRequest]]:
        """Requests for `destination` still to be sent, in order, at most `limit`.

        `group` and `except_groups` choose by the process group of the event. As with `open_events`, only an empty
        answer means that there are no more.
        """

    def open_destinations(self) -> Awaitable[Mapping[str, int]]:
        """How many requests are still to be sent, by the name of their destination; none with 0."""

    def remembered(self, service: str) -> Awaitable[Sequence[Remembered]]:
        """What the deduplication filters of `service` have counted, in that order."""

    def began_event(self, seq: int) -> None:
        """An attempt at this event has begun. Not waited for: it makes the number of attempts survive a kill."""

    def began_request(self, seq: int) -> None:
        """An attempt at sending this request has begun."""

    def settle_event(self, settlement: EventSettlement) -> Awaitable[None]:
        """Change the event's state and store what it produced, in one transaction.

        Fails with `MachineError` when the disk refuses: nothing was changed, settle again later. Fails with
        `ValueError` when the event is not there or at its end.
        """

    def settle_request(self, settlement: RequestSettlement) -> Awaitable[None]:
        """Change the request's state and store the answer, in one transaction; fails as `settle_event` does."""

    def store_answered(self, event: Event, settlement: EventSettlement) -> Awaitable[None]:
        """Store an event that a service has already answered to its sender, done, with what it produced.

        `settlement.seq` is not used: the event gets its place here. Fails with `SenderError` (503 and when to come
        back) when the disk refuses.
        """


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A request that a service answers itself. Header names are lower case; `path` as in `Event.path`."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    peer: str


@attrs.frozen(kw_only=True)
class HttpResponse:
    """What the sender is told. Header names and values are checked before they go out."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class AnsweringServices(Protocol):
    """The running services, as the gateway sees them."""

    def answers_http(self, service: str) -> bool:
        """Whether this service answers senders itself (it defines `on_http`)."""

    def hears_platform(self, service: str) -> bool:
        """Whether this service takes what the platform posts (it defines `on_response` or `on_callback`)."""

    def ask(self, event: Event, request: HttpRequest) -> Awaitable[HttpResponse | None]:
        """Let the service answer, and store what it produced before returning.

        None: the service declined to answer itself; treat the request as an ordinary event. Raises `ServiceError`.
        """


class ServiceHost(Protocol):
    """The running services, as the operator orders them."""

    def suspend(self, service: str, *, now: bool = False) -> Awaitable[str]:
        """Begin no more events of this service; they are stored and wait, also over a restart of the agent.

        Done when what was in hand has ended, for which its time-outs see, and `on_suspend` has returned; with `now`,
        `on_interrupt` is called at once, and what has not ended a second after it is interrupted and waits as well.
        Gives what the hook raised, as a sentence, or empty. `service` is an agent client id. Raises `OperatorError` for
        one that is not there or not active, `MachineError` where the disk refuses; then nothing has changed.
        """

    def resume(self, service: str) -> Awaitable[str]:
        """End the suspension: `on_resume`, then what waits is begun. Gives and raises as `suspend` does."""

    def restart(self, service: str) -> Awaitable[str]:
        """End the worker, `on_shutdown` and all, and start one with the script as it is on disk now.

        Done when it is ready or has failed once; gives why it is not ready, or empty. A service that is suspended stays
        suspended, and starts when it is resumed. Raises `OperatorError`.
        """


class Asking(Protocol):
    """Destinations, as those see them who wait for the answer."""

    def ask(self, request: OutboundRequest, *, event_id: str, timeout_s: float) -> Awaitable[Answer]:
        """Send at once, not stored, and give the answer, whatever its status.

        Fails with `DestinationError` where there is no answer within `timeout_s` seconds; not `retryable` where the
        request could never be sent. `event_id` is what the log names, and may be empty.
        """


class WorkShare(Protocol):
    """Says when events and requests may be begun: at once, or later while senders keep the agent busy."""

    @property
    def meter(self) -> AbstractContextManager[None]:
        """What is done with this as a context is counted as work."""

    def may_begin(self) -> bool:
        """Whether one more event or request may be begun now."""

    def wait(self, wake: Callable[[], None]) -> None:
        """Call `wake`, once, when something may be begun again. Whoever waits already keeps his place."""


class Counters(Protocol):
    """Where the edges count. Names are dotted and lower case, `gateway.refused`; labels are few and bounded."""

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """Add `by` to a counter."""


class Feed(Protocol):
    """Who is told what happens to events and requests, for people who watch. Must not raise, and must not block."""

    def tell(self, happenings: Sequence[Happening]) -> None:
        """These have come to another state, in this order."""


class Desk(Protocol):
    """Who is told of every connection that failed or was misused. Must not raise, and must not block."""

    def __call__(self, misuse: Misuse) -> None:
        """Take note of one connection; called in the reactor thread, also in floods."""

"""From a complete request to an event in the sink, or to the service that answers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.boundaries import AnsweringServices, Counters, EventSink, HttpRequest, HttpResponse
from agent.config.model import GatewayLimits, KeySource
from agent.errors import SenderError, ServiceError
from agent.event import BodyKind, Event, Priority
from agent.event.body import BodyReader, guess_kind
from agent.gateway.budget import Budget, tidy_up
from agent.gateway.doorman import Doorman
from agent.gateway.familiar import FamiliarHeads
from agent.gateway.keys import finder_for
from agent.gateway.refusals import Refusals
from agent.gateway.register import Register
from agent.gateway.slot import Slot
from agent.mapping import InputRules, Submission, take_if_apxml, take_submission
from agent.names import ServiceName
from agent.wire import Answers, Routes, inactive_service
from agent.wire.refusal import internal_error, method_not_allowed, service_busy, service_failed, service_too_slow

log = Logger(namespace="gateway")

THREAD_FROM_BYTES: Final = 64 * 1024
"""Larger bodies are checked in a thread: 64 KiB take 0.4 ms to parse, 10 MiB 70 ms, and everybody would wait."""

XML: Final = BodyKind.XML
NORMAL: Final = Priority.NORMAL
"""Of nearly all events; see `reading.IDLE`."""

UNASKED: Final = MappingProxyType(
    {"service-busy": 1.0, "service-stopping": 10.0, "service-starting": 5.0, "service-suspended": 60.0}
)
"""Codes of `ServiceError` that mean that the hook was not called, and when it is worth to come back, in seconds."""


@attrs.frozen
class _Read:
    """What a body was found to be. `body` is what is stored."""

    kind: BodyKind
    body: bytes
    key: str
    submission: Submission | None = None


_T = TypeVar("_T")
InThread = Callable[[Callable[[], _T]], Deferred[_T]]


class Reception:
    """Takes requests in. One for each gateway, shared by its connections.

    `in_thread(work)` runs `work` outside the reactor thread and gives a Deferred of what it returns. `clock` is steady,
    in seconds.
    """

    def __init__(
        self,
        *,
        limits: GatewayLimits,
        sink: EventSink,
        host: AnsweringServices,
        routes: Routes,
        new_id: Callable[[], str],
        now_us: Callable[[], int],
        counters: Counters,
        in_thread: InThread[Any],
        key_source: KeySource,
        key_sources: Mapping[ServiceName, KeySource],
        rules: Mapping[ServiceName, InputRules],
        doorman: Doorman,
        register: Register,
        clock: Callable[[], float],
    ) -> None:
        self.limits: Final = limits
        self.counters: Final = counters
        self.familiar: Final = FamiliarHeads()
        self.register: Final = register
        self.answers: Final = Answers(now_s=now_us() // 1_000_000)
        self.budget: Final = Budget(limits.max_bodies_in_flight_bytes)
        self._refusals = Refusals(clock=clock)
        self._sink = sink
        self._host = host
        self._routes = routes
        self._new_id = new_id
        self._now_us = now_us
        self._in_thread = in_thread
        self._reader = BodyReader(max_depth=limits.max_xml_depth)
        self._doorman = doorman
        self._rules = rules
        self._finder = finder_for(key_source)
        own = {service: finder_for(source) for service, source in key_sources.items()}
        self._finders = {service: finder for service, finder in own.items() if finder is not None}
        self._has_finders = bool(self._finders) or self._finder is not None

    def tick(self) -> None:
        """Let the answers know what time it is, and write the lines that are due."""
        self.answers.tick(self._now_us() // 1_000_000)
        self._refusals.tick()
        if self.budget.is_to_be_tidied():
            self._in_thread(tidy_up).addErrback(lambda failure: log.failure("memory cannot be given back", failure))

    def admit(self, slot: Slot, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Decide from the head alone where a request goes, and whether its sender may send.

        Raise `SenderError` 400, 401, 403, 404, 405, 429 or 503. Whoever may not send does not learn what there is.
        """
        fault: SenderError | None = None
        try:
            self._find(slot, method, target, headers)
        except SenderError as error:
            fault = error
        self._doorman.admit(slot, method, target)
        if fault is not None:
            if slot.doubt is None:
                raise fault
            slot.fault = fault

    def take(self, slot: Slot, body: bytes) -> None:
        """Take in a complete request that was admitted. Does not raise for anything the sender did."""
        slot.size_bytes = len(body)
        if slot.doubt is None:
            self._take(slot, body)
        else:
            self._doorman.resolve(slot, body, lambda: self._take(slot, body))

    def _find(self, slot: Slot, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        route = slot.route = self._routes.find(target)
        if not route.is_active:
            raise inactive_service(route.service)
        if route.is_platform and not self._host.hears_platform(route.service.client_id):
            raise self._routes.unknown(route.service.url_name)
        slot.is_asked = not (route.is_apxml or route.is_platform) and self._host.answers_http(route.service.client_id)
        if method != "POST" and not slot.is_asked:
            raise method_not_allowed(method)
        self._look_for_key(slot, headers)

    def _take(self, slot: Slot, body: bytes) -> None:
        if slot.is_asked:
            slot.asked = Deferred.fromCoroutine(self._ask(slot, body))
        elif len(body) >= THREAD_FROM_BYTES:
            self._take_large(slot, body)
        else:
            self._take_small(slot, body)

    def note_refusal(self, slot: Slot, error: SenderError) -> None:
        """Count a refusal, and see to its line."""
        self.counters.count("gateway.refused", error.code)
        self._refusals.tell(
            peer=slot.connection.peer,
            status=error.status,
            code=error.code,
            sentence=error.sentence,
            event_id=slot.event_id,
        )

    def _take_small(self, slot: Slot, body: bytes) -> None:
        charset = slot.head.charset if slot.head else None
        is_apxml = slot.route is not None and slot.route.is_apxml
        if slot.finder is None and not is_apxml and self._reader.is_plain(body, charset):
            # Nobody needs to look inside.
            self._sink.offer(self._event(slot, body, XML), slot)
            return
        try:
            read = self._read(self._reader, slot, body)
        except SenderError as error:
            slot.refused(error)
        else:
            self._offer(slot, read)

    def _take_large(self, slot: Slot, body: bytes) -> None:
        def read() -> _Read:
            # A parser belongs to one thread, and threads of the pool change.
            return self._read(BodyReader(max_depth=self.limits.max_xml_depth), slot, body)

        self._in_thread(read).addCallbacks(
            lambda found: self._offer(slot, found), lambda failure: self._check_failed(slot, failure)
        )

    def _check_failed(self, slot: Slot, failure: Failure) -> None:
        error = failure.value
        slot.refused(error if isinstance(error, SenderError) else self._our_fault(slot, failure))

    def _look_for_key(self, slot: Slot, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Find the idempotency key, or remember to look for it in the body. The sender's own header counts first."""
        slot.key = slot.head.marks.key if slot.head else ""
        if slot.key or not self._has_finders:
            return
        finder = self._finders.get(slot.route.service, self._finder) if slot.route else None
        if finder is None:
            return
        slot.key = finder.in_headers(headers)
        if not slot.key and finder.looks_into_bodies:
            slot.finder = finder

    def _read(self, reader: BodyReader, slot: Slot, body: bytes) -> _Read:
        """Check a body, and look into it for the idempotency key where there is none yet; raise `SenderError`."""
        charset = slot.head.charset if slot.head else None
        rules = self._rules.get(slot.route.service) if slot.route else None
        if slot.route is not None and slot.route.is_apxml and rules is not None:
            submission = take_submission(reader, body, charset, rules)
            return _Read(BodyKind.APXML, submission.body, slot.key, submission)
        if slot.route is not None and slot.route.is_platform and rules is not None:
            # Constants are for what is submitted.
            rules = attrs.evolve(rules, constants=())
        kind, root = reader.read(body, charset)
        key = slot.key if slot.finder is None or root is None else slot.finder.in_body(root)
        if rules is not None and (taken := take_if_apxml(root, rules)) is not None:
            return _Read(BodyKind.APXML, taken.body, key, taken)
        return _Read(kind, body, key)

    def _offer(self, slot: Slot, read: _Read) -> None:
        slot.key = read.key
        event = self._event(slot, read.body, read.kind)
        self._sink.offer(event if read.submission is None else read.submission.put_into(event), slot)

    def _event(self, slot: Slot, body: bytes, kind: BodyKind) -> Event:
        head, route = slot.head, slot.route
        assert head is not None and route is not None, "only admitted requests are taken"
        slot.event_id = slot.event_id or self._new_id()
        received_us = self._now_us()
        marks = head.marks
        priority = Priority.HIGH if marks.is_high else NORMAL
        # In the order of the fields: with their names it takes three times as long.
        return Event(
            slot.event_id,
            route.service.client_id,
            received_us,
            slot.connection.peer,
            kind,
            body,
            head.content_type,
            head.charset,
            route.path,
            route.query,
            priority,
            marks.group,
            slot.key,
        )

    async def _ask(self, slot: Slot, body: bytes) -> None:
        """Let the service answer. Ends without an exception, whatever the service does."""
        event = self._event(slot, body, guess_kind(body))
        request = HttpRequest(
            method=slot.head.method if slot.head else "",
            path=event.path,
            query=event.query,
            headers=tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in slot.headers
                # Credentials for the agent are no business of a service.
                if not slot.who or name.lower() != b"authorization"
            ),
            body=body,
            peer=event.peer,
        )
        try:
            response = await self._host.ask(event, request)
            self._tell(slot, body, response)
        except CancelledError:
            pass  # the sender has been told that the service was too slow
        except SenderError as error:
            slot.refused(error)
        except ServiceError as error:
            log.warn(
                "{service} did not answer: {sentence}",
                event_id=event.id,
                service=event.service,
                sentence=error.sentence,
            )
            slot.refused(_told_of(error, event.id))
        except Exception:
            failure = Failure()  # type: ignore[no-untyped-call]
            slot.refused(self._our_fault(slot, failure))

    def _tell(self, slot: Slot, body: bytes, response: HttpResponse | None) -> None:
        if response is None:
            slot.is_asked = False
            if slot.head is not None and slot.head.method != "POST":
                slot.refused(method_not_allowed(slot.head.method))
            else:
                self._take(slot, body)
            return
        try:
            slot.responded(response)
        except ValueError as error:
            log.warn("an answer of the service cannot be sent: {error}", event_id=slot.event_id, error=str(error))
            slot.refused(service_failed(slot.event_id))
            return
        self.counters.count("gateway.answered")
        log.info(
            "answered {status} for {service} to {peer}",
            event_id=slot.event_id,
            status=response.status,
            service=slot.route.service.client_id if slot.route else "",
            peer=slot.connection.peer,
        )

    def _our_fault(self, slot: Slot, failure: Failure) -> SenderError:
        log.failure(
            "a request of {peer} met a fault in the agent", failure, event_id=slot.event_id, peer=slot.connection.peer
        )
        return internal_error()


def _told_of(error: ServiceError, event_id: str) -> SenderError:
    """What the sender is told of a service that did not answer: when to come back, and no details."""
    if error.code == "service-timeout":
        return service_too_slow()
    if error.code in UNASKED:
        return service_busy(error.after_s or UNASKED[error.code])
    return service_failed(event_id)

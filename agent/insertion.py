"""Events that the operator puts in: a new one over the admin link, or once more one that was done.

What was done stays done: the same content is taken in as a new event under a new id, so that nothing of the old one's
road is lost, and receivers that know its requests by their ids do not take the new ones for doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from agent.boundaries import EventSink
from agent.committed import store
from agent.delivery import State
from agent.errors import SenderError
from agent.event import Event
from agent.event.body import BodyReader
from agent.mapping import InputRules, take_if_apxml
from agent.wire.content import charset_of

log = Logger(namespace="agent")

MAX_DEPTH: Final = 64
"""Of XML and JSON, as at a gateway that is not configured otherwise."""
PEER: Final = "operator"
TAKING: Final = frozenset({"on_event", "on_input", "on_response", "on_callback"})
"""Hooks for what is stored; `on_http` answers a sender, and here nobody waits for an answer."""


class EventJournal(Protocol):
    """What has been stored; blocking."""

    def whole(self, event_id: str) -> tuple[Event, State] | None: ...


class Services(Protocol):
    """The host."""

    def describe(self) -> Sequence[Mapping[str, Any]]: ...


class Offered(Protocol):
    """Which services take events."""

    @property
    def active_rules(self) -> Iterable[InputRules]: ...

    def is_refusing(self, service: str) -> bool: ...


class InThread(Protocol):
    """Runs a blocking function outside the reactor thread."""

    def __call__(self, function: Callable[[], Any]) -> Deferred[Any]: ...


class Insertion:
    """Raises `SenderError` for what cannot be taken in, and nothing is stored then."""

    def __init__(
        self,
        *,
        sink: EventSink,
        services: Services,
        offered: Offered,
        journal: EventJournal,
        new_id: Callable[[], str],
        now_us: Callable[[], int],
        in_thread: InThread,
    ) -> None:
        self._sink = sink
        self._services = services
        self._offered = offered
        self._journal = journal
        self._new_id = new_id
        self._now_us = now_us
        self._in_thread = in_thread

    async def take(self, service: str, body: bytes, content_type: str) -> str:
        """Store an event for a service (agent client id); return its id."""
        rules = self._open(service)
        event = await self._in_thread(lambda: self._read(rules, body, content_type))
        event_id = await store(self._sink, event)
        log.info(
            "accepted {count} bytes for {service} from the operator",
            count=len(body),
            service=service,
            event_id=event_id,
        )
        return event_id

    async def again(self, event_id: str) -> str:
        """Store once more what was done; return the new id."""
        found = await self._in_thread(lambda: self._journal.whole(event_id))
        if found is None:
            raise SenderError("no-such-event", f"there is no event {event_id}", status=404, title="No such event")
        event, state = found
        if state not in (State.DONE, State.SUPPRESSED):
            what = "is tried again with iadmin deadletter replay" if state is State.DEAD else "will be processed anyway"
            raise SenderError(
                "not-done", f"{event_id} is {state.label}: it {what}", status=409, title="Event is not done"
            )
        self._open(event.service)
        new_id = await store(self._sink, event._replace(id=self._new_id(), received_us=self._now_us(), peer=PEER))
        log.info("{old} is taken in again by the operator, as {new}", old=event_id, new=new_id, event_id=new_id)
        return new_id

    def _open(self, service: str) -> InputRules:
        rules = next((one for one in self._offered.active_rules if one.service.client_id == service), None)
        if rules is None or self._offered.is_refusing(service):
            raise SenderError(
                "service-inactive",
                f"{service} takes no events: it is unknown, inactive, or refuses them by the operator's order "
                "(iadmin service list)",
                status=409,
                title="Service takes no events",
            )
        found = next((one for one in self._services.describe() if one.get("service") == service), {})
        hooks = set(found.get("hooks") or ())
        if hooks and not hooks & TAKING:
            raise SenderError(
                "answers-senders",
                f"{service} only answers senders (on_http), and nobody waits for an answer here: use the gateway",
                status=409,
                title="Service answers senders",
            )
        return rules

    def _read(self, rules: InputRules, body: bytes, content_type: str) -> Event:
        """Blocks for large bodies; a parser belongs to one thread."""
        charset = charset_of(content_type)
        kind, root = BodyReader(max_depth=MAX_DEPTH).read(body, charset)
        event = Event(
            id=self._new_id(),
            service=rules.service.client_id,
            received_us=self._now_us(),
            peer=PEER,
            kind=kind,
            body=body,
            content_type=content_type,
            charset=charset,
        )
        submission = take_if_apxml(root, rules)
        return event if submission is None else submission.put_into(event)

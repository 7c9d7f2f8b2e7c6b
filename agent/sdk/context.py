"""The way out of a hook: what it sends, what it logs, and what it may know about itself.

`context` is one object for the whole service, and always means the hook call in which it is used: calls in other
threads, and other `async` calls, have their own. A thread that a hook starts itself belongs to no call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final

import attrs

from agent.delivery import OutboundRequest
from agent.event.apxml import Apxml
from agent.event.apxmltext import write_apxml
from agent.sdk.asking import Answer, Ask, Asked
from agent.sdk.dedup import Filter, Recall, Told
from agent.sdk.log import Log, LogSink, drop
from agent.sdk.request import check_text, compose
from agent.secret import Secret

MAX_TIMEOUT_S: Final = 1e6

PLATFORM: Final = "platform"
"""The destination that takes APXML, where there is one of this name."""


@attrs.frozen(kw_only=True)
class Surroundings:
    """What is the same for all calls of one service. An empty `destinations` means: not known, do not check. So does a
    `filters` of None; then `duplicates` names those that take everything for a duplicate."""

    service: str = ""
    agent_id: str = ""
    constants: Mapping[str, str] = MappingProxyType({})
    destination: str = "outbox"
    destinations: frozenset[str] = frozenset()
    filters: Mapping[str, Recall] | None = None
    duplicates: frozenset[str] = frozenset()
    urls: Mapping[str, str] = MappingProxyType({})
    """Of the destinations that have one, by name; without credentials."""
    platform: Mapping[str, str] = MappingProxyType({})
    settings: Mapping[str, str] = MappingProxyType({})
    """Globals of the script that are settings: `WEB_SERVICE_URL`."""
    secrets: Mapping[str, Secret] = MappingProxyType({})
    is_debug: bool = False
    log: LogSink = drop
    ask: Ask | None = None


@attrs.define(kw_only=True)
class Call:
    """One call of a hook: what it sent is collected here and stored when the hook has returned."""

    event_id: str = ""
    number: int = 0
    may_send: bool = True
    is_over: bool = False
    requests: list[OutboundRequest] = attrs.field(factory=list)
    remembered: list[tuple[str, str]] = attrs.field(factory=list)
    """What filters have counted: name of the filter, key."""
    asked: list[OutboundRequest] = attrs.field(factory=list)
    """What was asked in a test, with `answers` to be given in that order."""
    answers: deque[Answer] | None = None


class Context:
    """What a hook may do and know: see each member. There is one, `agent.sdk.context`."""

    def __init__(self) -> None:
        self._surroundings = Surroundings()
        self._call: ContextVar[Call | None] = ContextVar("agent.sdk call", default=None)
        self.log: Final = Log(self._log, lambda: self._surroundings.is_debug)

    @property
    def service(self) -> str:
        """This service's name: `applications|sample-plan`."""
        return self._surroundings.service

    @property
    def agent_id(self) -> str:
        """The agent's id from `iaconfig.xml`; callbacks find their way back by it."""
        return self._surroundings.agent_id

    @property
    def constants(self) -> Mapping[str, str]:
        """The texts of `<constants>` in the descriptor, by name. Example: `context.constants["site"]`."""
        return self._surroundings.constants

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """The `<encrypted-constant>`s of the descriptor, by name: `context.secrets["ticket_password"].reveal()`."""
        return self._surroundings.secrets

    @property
    def urls(self) -> Mapping[str, str]:
        """The URLs of the destinations that have one, by name."""
        return self._surroundings.urls

    @property
    def platform(self) -> Mapping[str, str]:
        """What `iaconfig.xml` says of the platform: its `user`, its `company`, and `url`, the first primary server.

        Its password comes as every other secret: by an `<encrypted-constant>` with the same file.
        """
        return self._surroundings.platform

    def setting(self, name: str, default: str = "") -> str:
        """Return a setting of the service: a global of its script, else a constant of its descriptor in any case."""
        found = self._surroundings.settings.get(name)
        if found is not None:
            return found
        wanted = name.lower()
        return next((text for key, text in self.constants.items() if key.lower() == wanted), default)

    def send_apxml(self, message: Apxml) -> None:
        """Send a message to the platform: to the destination `platform` where iaconfig.xml has one, else to the
        service's own. Stored and delivered as with `send`."""
        destination = PLATFORM if PLATFORM in self._surroundings.destinations else None
        self.send(destination, body=write_apxml(message), content_type="text/xml; charset=utf-8")

    def send(
        self,
        destination: str | None = None,
        *,
        json: Any = None,
        body: bytes | str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "",
        method: str = "",
    ) -> None:
        """Send something to a `<destination>` of `iaconfig.xml`; without a name, to the one of the descriptor.

        Nothing leaves while the hook runs. When the hook has returned, everything it sent is stored together with the
        event's end, all or nothing, and then delivered in order, retried as the destination's policy says. When the
        hook raises, nothing is sent. Give exactly one of

        * `json`: anything that `json.dumps` takes; the content type is `application/json`,
        * `body`: bytes, or text (becomes UTF-8); say what it is with `content_type`.

        `path` (empty, or beginning with `/` or `?`) is appended to the destination's URL; `headers` and `method`
        win over the destination's own. Raises `ValueError` or `TypeError` for what could not be sent, and
        `RuntimeError` outside `on_event` and `on_http`. Examples:

            context.send(json={"properties": {"building": "A"}})
            context.send("tickets", body="<ticket/>", content_type="text/xml", path="/new", headers={"X-Site": "7"})
        """
        call = self._current_call()
        call.requests.append(
            compose(
                self._destination(destination),
                json=json,
                body=body,
                content_type=content_type,
                headers=headers,
                path=path,
                method=method,
            )
        )

    def request(
        self,
        destination: str | None = None,
        *,
        json: Any = None,
        body: bytes | str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "",
        method: str = "",
        timeout_s: float | None = None,
    ) -> Asked:
        """Ask a `<destination>` and get its answer, whatever the status: look-ups, SOAP calls.

        It goes out at once, is not stored, and is over when the hook is: at most `timeout_s`, and in any case half a
        second before the hook's own time is up. Arguments are those of `send`; without `json` and `body` the method is
        GET. Raises `RequestFailed` (a `RetryableError`) where there is no answer. Examples:

            answer = await context.request("assets", path=f"/pumps/{pump}")          in an async hook
            answer = context.request("soap", body=envelope, content_type="text/xml").wait()    in a plain one
            answer.raise_for_status()
            site = answer.json()["site"]
        """
        call = self._current_call("context.request")
        if timeout_s is not None and not 0 < timeout_s < MAX_TIMEOUT_S:
            raise ValueError(f"timeout_s is {timeout_s!r}, expected a number of seconds above 0")
        is_bare = json is None and body is None
        request = compose(
            self._destination(destination),
            json=json,
            body=b"" if is_bare else body,
            content_type=content_type or ("" if is_bare else None),
            headers=headers,
            path=path,
            method=method or ("GET" if is_bare else ""),
        )
        if call.answers is not None:
            call.asked.append(request)
            told: Future[Answer] = Future()
            told.set_result(call.answers.popleft())
            return Asked(told)
        if self._surroundings.ask is None:
            raise RuntimeError("context.request needs an agent; in a test say calling(answers=[Answer(status=200)])")
        return self._surroundings.ask(request, call=call.number, timeout_s=timeout_s)

    def _destination(self, name: str | None) -> str:
        surroundings = self._surroundings
        wanted = surroundings.destination if name is None else check_text("destination", name)
        if surroundings.destinations and wanted not in surroundings.destinations:
            known = ", ".join(sorted(surroundings.destinations))
            raise ValueError(f"iaconfig.xml has no <destination> {wanted!r}; it has {known}")
        return wanted

    def dedup(self, name: str) -> Filter:
        """Return the filter of that name in `conf/deduplicator-filter.xml`; see `agent.sdk.dedup.Filter`.

        Raises `ValueError` for one that does not exist. Ask for it at the top of the script: then a misspelt name keeps
        the service from starting instead of letting duplicates through.
        """
        self._recall(name)
        return Filter(name=name, find=self._recall, count=self._count)

    def _recall(self, name: str) -> Recall:
        surroundings = self._surroundings
        if surroundings.filters is None:
            return Told(name in surroundings.duplicates)
        recall = surroundings.filters.get(name)
        if recall is None:
            known = ", ".join(sorted(surroundings.filters)) or "none"
            raise ValueError(f"deduplicator-filter.xml has no filter {name!r}; it has {known}")
        return recall

    def _count(self, name: str, key: str) -> None:
        self._current_call("increment_count").remembered.append((name, key))

    def _current_call(self, what: str = "context.send") -> Call:
        call = self._call.get()
        if call is None:
            raise RuntimeError(
                f"{what} works within hooks that are called with an event only, and there in the thread that the hook "
                "was called in"
            )
        if not call.may_send:
            raise RuntimeError(f"{what} works within hooks that are called with an event only: here is no event")
        if call.is_over:
            raise RuntimeError(f"{what} was called after the hook had returned: its event is settled already")
        return call

    def _log(self, level: str, text: str) -> None:
        self._surroundings.log(level, text, event_in_hand())


context: Final = Context()
"""The one context of this process; `from agent.sdk import context`."""


def settle_in(surroundings: Surroundings) -> None:
    """Tell the context where it is. For the worker process and for tests, not for services."""
    context._surroundings = surroundings


def call_in_hand() -> Call | None:
    """The call that this is; None outside of one. For the worker process."""
    return context._call.get()


def event_in_hand() -> str:
    """The id of the event of the call that this is; empty outside of one. For the worker process."""
    call = context._call.get()
    return call.event_id if call is not None else ""


@contextmanager
def calling(
    *,
    event_id: str = "",
    number: int = 0,
    may_send: bool = True,
    answers: Iterable[Answer] | None = None,
    constants: Mapping[str, str] | None = None,
    duplicates: Iterable[str] = (),
) -> Iterator[Call]:
    """Make `context` mean one call of a hook for as long as the block runs; gives what the hook sent.

    For tests of services, with the constants they need and the filters that are to take what comes for a duplicate, and
    for the worker process. Example:

        with calling(constants={"site": "plant-7"}) as call:
            pump_alarms.on_event(event)
        assert [...] == call.requests

    `answers` are given to what it asks with `context.request`, in that order; `call.asked` is what it asked.
    """
    call = Call(
        event_id=event_id,
        number=number,
        may_send=may_send,
        answers=None if answers is None else deque(answers),
    )
    token = context._call.set(call)
    surroundings = context._surroundings
    told = frozenset(duplicates)
    is_test = constants is not None or bool(told)
    if is_test:
        settle_in(attrs.evolve(surroundings, constants=constants or surroundings.constants, duplicates=told))
    try:
        yield call
    finally:
        if is_test:
            settle_in(surroundings)
        call.is_over = True
        context._call.reset(token)

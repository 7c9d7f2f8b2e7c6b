"""The way out of a hook: what it sends, what it logs, and what it may know about itself.

`context` is one object for the whole service, and always means the hook call in which it is used: calls in other
threads, and other `async` calls, have their own. A thread that a hook starts itself belongs to no call.
"""

from __future__ import annotations

import json as json_format
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Protocol

import attrs

from agent.delivery import OutboundRequest
from agent.sdk.asking import Answer, Ask, Asked
from agent.sdk.dedup import Filter, Recall, Told

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A header's name or a method (RFC 9110, section 5.6.2)."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What would end a header field early (RFC 9110, section 5.5), and halves of surrogate pairs, which UTF-8 has not."""


MAX_TIMEOUT_S: Final = 1e6


class LogSink(Protocol):
    """Where log lines go; the worker process has one."""

    def __call__(self, level: str, text: str, event_id: str) -> None: ...


def _drop(level: str, text: str, event_id: str) -> None:
    """Outside a worker process there is no agent to log to."""


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
    log: LogSink = _drop
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


@attrs.frozen
class Log:
    """`context.log`: lines in the agent's log, under the service's name and with the id of the event in hand.

    Arguments are put in with `%`, as in Python's own `logging`, which arrives in the agent's log as well:

        context.log.info("host %s is back after %d s", host, seconds)
    """

    _write: Callable[[str, str], None]

    def debug(self, text: str, *values: object) -> None:
        """What only helps to find a bug; not written by default."""
        self._write("debug", _put_in(text, values))

    def info(self, text: str, *values: object) -> None:
        """What happened; one line for each thing that matters."""
        self._write("info", _put_in(text, values))

    def warning(self, text: str, *values: object) -> None:
        """What somebody should mend."""
        self._write("warn", _put_in(text, values))

    def error(self, text: str, *values: object) -> None:
        """What failed."""
        self._write("error", _put_in(text, values))


def _put_in(text: object, values: tuple[object, ...]) -> str:
    return str(text) % values if values else str(text)


class Context:
    """What a hook may do and know: see each member. There is one, `agent.sdk.context`."""

    def __init__(self) -> None:
        self._surroundings = Surroundings()
        self._call: ContextVar[Call | None] = ContextVar("agent.sdk call", default=None)
        self.log: Final = Log(self._log)

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
        call.requests.append(self._outbound(destination, json, body, content_type or None, headers, path, method))

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
        request = self._outbound(
            destination,
            json,
            b"" if is_bare else body,
            content_type or ("" if is_bare else None),
            headers,
            path,
            method or ("GET" if is_bare else ""),
        )
        if call.answers is not None:
            call.asked.append(request)
            told: Future[Answer] = Future()
            told.set_result(call.answers.popleft())
            return Asked(told)
        if self._surroundings.ask is None:
            raise RuntimeError("context.request needs an agent; in a test say calling(answers=[Answer(status=200)])")
        return self._surroundings.ask(request, call=call.number, timeout_s=timeout_s)

    def _outbound(
        self,
        destination: str | None,
        json: Any,
        body: bytes | str | None,
        content_type: str | None,
        headers: Mapping[str, str] | None,
        path: str,
        method: str,
    ) -> OutboundRequest:
        surroundings = self._surroundings
        name = surroundings.destination if destination is None else _checked("destination", destination)
        if surroundings.destinations and name not in surroundings.destinations:
            known = ", ".join(sorted(surroundings.destinations))
            raise ValueError(f"iaconfig.xml has no <destination> {name!r}; it has {known}")
        if path and path[0] not in "/?":
            raise ValueError(f"path is {path!r}, expected nothing or something that begins with / or ?")
        if method and not _TOKEN.fullmatch(method):
            raise ValueError(f"method is {method!r}, expected a word such as POST")
        data, default_type = _to_bytes(json, body)
        return OutboundRequest(
            destination=name,
            body=data,
            content_type=_checked("content_type", default_type if content_type is None else content_type),
            headers=_checked_headers(headers or {}),
            path=_checked("path", path),
            method=method,
        )

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
                f"{what} works within on_event and on_http only, in the thread that the hook was called in"
            )
        if not call.may_send:
            raise RuntimeError(f"{what} works within on_event and on_http only: here is no event")
        if call.is_over:
            raise RuntimeError(f"{what} was called after the hook had returned: its event is settled already")
        return call

    def _log(self, level: str, text: str) -> None:
        self._surroundings.log(level, text, event_in_hand())


def _to_bytes(json: Any, body: bytes | str | None) -> tuple[bytes, str]:
    if (json is None) == (body is None):
        raise TypeError("context.send needs exactly one of json= and body=")
    if body is None:
        try:
            return _dumps(json, ensure_ascii=False), "application/json"
        except UnicodeEncodeError:
            # Half a surrogate pair, which JSON can spell and UTF-8 cannot.
            return _dumps(json, ensure_ascii=True), "application/json"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body), "application/octet-stream"
    raise TypeError(f"body is a {type(body).__name__}, expected bytes or str")


def _dumps(value: Any, *, ensure_ascii: bool) -> bytes:
    # Without allow_nan=False Python writes NaN, which no other JSON reader takes.
    text = json_format.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _checked_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header field")
        _checked(f"header {name}", value)
    return tuple(headers.items())


def _checked(what: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is a {type(value).__name__}, expected str")
    if _CONTROL.search(value):
        raise ValueError(f"{what} is {value!r}, expected a text without line breaks and control characters")
    return value


context: Final = Context()
"""The one context of this process; `from agent.sdk import context`."""


def settle_in(surroundings: Surroundings) -> None:
    """Tell the context where it is. For the worker process and for tests, not for services."""
    context._surroundings = surroundings


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

"""What the agent and a service's worker say to one another. Pure, and without Twisted: both ends use it.

    agent                                worker
      Load       ------------------------>            once, the first frame
                 <----------------------- Ready       or Broken, and the worker ends
      EventCall  ------------------------>            as many at a time as the service has threads
      HttpCall   ------------------------>
                 <----------------------- Result      one for each call, in any order
                 <----------------------- LogLine     at any time
      Finish     ------------------------>            on_shutdown runs, the worker ends

Each record turns itself into a frame; `from_agent` and `from_worker` turn frames back and raise `FrameError` for what
is none of these. The agent trusts nothing a worker says: fields are checked for their types before use.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs

from agent.delivery import OutboundRequest
from agent.wire.frames import Frame, FrameError

PROTOCOL: Final = 1
"""Agent and worker come from the same installation; a difference means an update under a running agent."""

MAX_REASON_CHARS: Final = 2000
MAX_DETAIL_CHARS: Final = 16 * 1024
"""A traceback of a deep recursion is long and says the same thing all over."""

MAX_SECONDS: Final = 1e9
"""Thirty years; more would not fit the microseconds of a database."""

Pairs = tuple[tuple[str, str], ...]


class Verdict(enum.StrEnum):
    """How a hook ended."""

    DONE = "done"
    RETRY = "retry"
    """`RetryableError`."""
    REJECT = "reject"
    """`RejectEvent`."""
    ERROR = "error"
    """Any other exception."""


class Message(Protocol):
    """Anything that is said."""

    def frame(self) -> Frame: ...


@attrs.frozen(kw_only=True)
class Load:
    """Load this script and be this service. `destinations` are all names there are, empty for unknown."""

    script: str
    service: str
    agent_id: str
    constants: Mapping[str, str]
    destination: str
    destinations: tuple[str, ...] = ()
    threads: Mapping[str, int]

    def frame(self) -> Frame:
        return Frame({"kind": "load", "protocol": PROTOCOL, **attrs.asdict(self)})


@attrs.frozen(kw_only=True)
class EventCall:
    """Call `on_event`. `lane` is the priority's name and decides which threads run it; `received_us` as in `Event`."""

    call: int
    lane: str
    id: str
    attempt: int
    event_kind: str
    body: bytes
    content_type: str
    charset: str | None
    path: str
    query: str
    group: str
    peer: str
    received_us: int

    def frame(self) -> Frame:
        # attrs.asdict takes five times as long, and this is done for each event.
        return Frame(
            {
                "kind": "event",
                "call": self.call,
                "lane": self.lane,
                "id": self.id,
                "attempt": self.attempt,
                "event_kind": self.event_kind,
                "content_type": self.content_type,
                "charset": self.charset,
                "path": self.path,
                "query": self.query,
                "group": self.group,
                "peer": self.peer,
                "received_us": self.received_us,
            },
            (self.body,),
        )


@attrs.frozen(kw_only=True)
class HttpCall:
    """Call `on_http`; runs in the threads of the lane `http`, so that no backlog of events keeps a sender waiting."""

    call: int
    id: str
    method: str
    path: str
    query: str
    headers: Pairs
    body: bytes
    charset: str | None
    peer: str

    lane: str = "http"

    def frame(self) -> Frame:
        return Frame({"kind": "http", **attrs.asdict(self, filter=lambda field, _: field.name != "body")}, (self.body,))


@attrs.frozen
class Finish:
    """No more calls will come: run `on_shutdown` and end."""

    def frame(self) -> Frame:
        return Frame({"kind": "finish"})


@attrs.frozen(kw_only=True)
class Ready:
    """The script is loaded and `on_startup` has returned."""

    hooks: tuple[str, ...]
    sdk: str

    def frame(self) -> Frame:
        return Frame({"kind": "ready", "protocol": PROTOCOL, "hooks": list(self.hooks), "sdk": self.sdk})


@attrs.frozen(kw_only=True)
class Broken:
    """The script cannot be loaded, or `on_startup` raised. `sentence` names file and line."""

    sentence: str
    detail: str = ""

    def frame(self) -> Frame:
        return Frame(
            {
                "kind": "broken",
                "sentence": _cut(self.sentence, MAX_REASON_CHARS),
                "detail": _cut(self.detail, MAX_DETAIL_CHARS),
            }
        )


@attrs.frozen(kw_only=True)
class Response:
    """What `on_http` returned."""

    status: int
    headers: Pairs
    body: bytes


@attrs.frozen(kw_only=True)
class Result:
    """How a call ended. `after_s` only with RETRY; `response` only from `on_http`, None where it declined."""

    call: int
    verdict: Verdict
    requests: tuple[OutboundRequest, ...] = ()
    response: Response | None = None
    reason: str = ""
    detail: str = ""
    after_s: float | None = None

    def frame(self) -> Frame:
        head: dict[str, Any] = {"kind": "result", "call": self.call, "verdict": self.verdict.value}
        if self.reason:
            head["reason"] = _cut(self.reason, MAX_REASON_CHARS)
        if self.detail:
            head["detail"] = _cut(self.detail, MAX_DETAIL_CHARS)
        if self.after_s is not None:
            head["after_s"] = self.after_s
        blobs = [request.body for request in self.requests]
        if self.requests:
            head["requests"] = [
                [request.destination, request.content_type, request.headers, request.path, request.method]
                for request in self.requests
            ]
        if self.response is not None:
            head["response"] = [self.response.status, self.response.headers]
            blobs.append(self.response.body)
        return Frame(head, tuple(blobs))


@attrs.frozen(kw_only=True)
class LogLine:
    """A line for the agent's log; `event_id` is empty outside a call."""

    level: str
    text: str
    event_id: str = ""

    def frame(self) -> Frame:
        return Frame({"kind": "log", "level": self.level, "text": self.text, "event_id": self.event_id})


FromAgent = Load | EventCall | HttpCall | Finish
FromWorker = Ready | Broken | Result | LogLine


def from_agent(frame: Frame) -> FromAgent:
    """What the agent said. Raises `FrameError`."""
    head = {**frame.head}
    kind = head.pop("kind", None)
    try:
        if kind == "event":
            return EventCall(body=frame.blobs[0], **head)
        if kind == "http":
            return HttpCall(body=frame.blobs[0], headers=_pairs(head.pop("headers")), **head)
        if kind == "load":
            _check_protocol(head.pop("protocol"))
            return Load(destinations=tuple(head.pop("destinations")), **head)
    except (TypeError, KeyError, IndexError) as error:
        raise FrameError(f"a frame of kind {kind!r} is not complete: {error}") from error
    if kind == "finish":
        return Finish()
    raise FrameError(f"a frame of kind {kind!r:.100}, which is not known")


def from_worker(frame: Frame) -> FromWorker:
    """What a worker said. Raises `FrameError`; what is returned holds nothing but what its types promise."""
    head = frame.head
    kind = head.get("kind")
    if kind == "result":
        return _result(head, frame.blobs)
    if kind == "log":
        return LogLine(level=_text(head, "level"), text=_text(head, "text"), event_id=_text(head, "event_id"))
    if kind == "ready":
        _check_protocol(head.get("protocol"))
        hooks = head.get("hooks")
        if not isinstance(hooks, list) or not all(isinstance(hook, str) for hook in hooks):
            raise FrameError(f"hooks are {hooks!r:.100}, expected a list of names")
        return Ready(hooks=tuple(hooks), sdk=_text(head, "sdk"))
    if kind == "broken":
        return Broken(sentence=_text(head, "sentence"), detail=_text(head, "detail"))
    raise FrameError(f"a frame of kind {kind!r:.100}, which is not known")


def _result(head: Mapping[str, Any], blobs: tuple[bytes, ...] | Any) -> Result:
    call = head.get("call")
    after_s = head.get("after_s")
    if type(call) is not int or not (after_s is None or _is_seconds(after_s)):
        raise FrameError(f"a result for call {call!r:.100} with after_s {after_s!r:.100}")
    try:
        verdict = Verdict(_text(head, "verdict"))
    except ValueError:
        raise FrameError(f"verdict is {head.get('verdict')!r:.100}") from None
    lines = head.get("requests", [])
    told = head.get("response")
    if not isinstance(lines, list) or len(blobs) != len(lines) + (told is not None):
        raise FrameError(f"a result with {len(blobs)} bodies that do not match its requests")
    return Result(
        call=call,
        verdict=verdict,
        requests=tuple(_request(line, body) for line, body in zip(lines, blobs, strict=False)),
        response=None if told is None else _response(told, blobs[-1]),
        reason=_text(head, "reason"),
        detail=_text(head, "detail"),
        after_s=after_s,
    )


def _request(line: Any, body: bytes) -> OutboundRequest:
    match line:
        case [str(destination), str(content_type), list(headers), str(path), str(method)]:
            return OutboundRequest(
                destination=_writable(destination),
                body=body,
                content_type=_writable(content_type),
                headers=_pairs(headers),
                path=_writable(path),
                method=_writable(method),
            )
    raise FrameError(f"a request is {line!r:.200}")


def _response(told: Any, body: bytes) -> Response:
    match told:
        case [int(status), list(headers)] if 200 <= status <= 599:
            return Response(status=status, headers=_pairs(headers), body=body)
    raise FrameError(f"a response is {told!r:.200}")


def _pairs(value: Any) -> Pairs:
    if not isinstance(value, list):
        raise FrameError(f"header fields are {value!r:.100}, expected a list")
    pairs = []
    for item in value:
        match item:
            case [str(name), str(text)]:
                pairs.append((_writable(name), _writable(text)))
            case _:
                raise FrameError(f"a header field is {item!r:.100}, expected name and value")
    return tuple(pairs)


def _text(head: Mapping[str, Any], key: str) -> str:
    value = head.get(key, "")
    if not isinstance(value, str):
        raise FrameError(f"{key} is {value!r:.100}, expected a text")
    return _writable(value)


def _writable(text: str) -> str:
    """JSON can spell half a surrogate pair, which no log, database or socket takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < MAX_SECONDS


def _check_protocol(found: Any) -> None:
    if found != PROTOCOL:
        raise FrameError(
            f"agent and worker are of different versions (protocol {found!r:.20} and {PROTOCOL}): restart the agent"
        )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 12] + " [cut short]"

"""What the agent and a service's worker say to one another. Pure, and without Twisted: both ends use it.

    agent                                worker
      Load       ------------------------>            once, the first frame
                 <----------------------- Ready       or Broken, and the worker ends
      EventCall  ------------------------>            as many at a time as the service has threads
      HttpCall   ------------------------>
      LifeCall   ------------------------>            a hook of the service's life, one at a time
                 <----------------------- Result      one for each call, in any order
                 <----------------------- Ask         a call in hand asks a destination, and gets
      Told       ------------------------>            the answer, or why there is none
                 <----------------------- LogLine     at any time
      Finish     ------------------------>            on_shutdown runs, the worker ends

Each record turns itself into a frame; `agent.host.reading` turns frames back.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs

from agent.delivery import OutboundRequest
from agent.wire.frames import Frame

PROTOCOL: Final = 2
"""Agent and worker come from the same installation; a difference means an update under a running agent."""

EVENT_HOOKS: Final = ("on_event", "on_input", "on_response", "on_callback")
"""The hooks that may be called with a stored event; which one decides the worker (`agent.sdk.roads`)."""

MAX_REASON_CHARS: Final = 2000
MAX_DETAIL_CHARS: Final = 16 * 1024
"""A traceback of a deep recursion is long and says the same thing all over."""

Pairs = tuple[tuple[str, str], ...]


class Verdict(enum.StrEnum):
    """How a hook ended."""

    DONE = "done"
    RETRY = "retry"
    """`RetryableError`."""
    REJECT = "reject"
    """`RejectEvent`."""
    SUPPRESS = "suppress"
    """The hook was not called: the declared filter holds the event to be a duplicate."""
    ERROR = "error"
    """Any other exception."""


class Message(Protocol):
    """Anything that is said."""

    def frame(self) -> Frame: ...


@attrs.frozen(kw_only=True)
class Filter:
    """A deduplication filter, as `agent.config.model.DedupFilter` describes it."""

    name: str
    predicates: tuple[str, ...]
    period_s: float
    window_size: int


@attrs.frozen(kw_only=True)
class SecretConstant:
    """An `<encrypted-constant>`, decrypted. `key` is its token's, `kind` that token's type."""

    name: str
    key: str
    value: str = attrs.field(repr=False)
    kind: str = "auto"
    is_overwriting: bool = False


@attrs.frozen(kw_only=True)
class Load:
    """Load this script and be this service. `destinations` are all names there are, empty for unknown.

    `threads` is the most of each lane, `kept_threads` how many of all lanes stay. `limits` are those of
    `agent.host.apart.hold_to`. `urls` are those of the destinations that have one. `platform` is what
    `iaconfig.xml` says of it. `is_debug`: debug lines are written.
    `filters` are those that the script may name, `dedup_filter` is the one that is held against each event (empty:
    none), `counted` what they have counted so far: filter, key, seconds since the start of the machine.
    """

    script: str
    service: str
    agent_id: str
    constants: Mapping[str, str]
    destination: str
    destinations: tuple[str, ...] = ()
    threads: Mapping[str, int]
    kept_threads: int = 0
    limits: Mapping[str, int] = attrs.field(factory=dict)
    urls: Mapping[str, str] = attrs.field(factory=dict)
    platform: Mapping[str, str] = attrs.field(factory=dict)
    secrets: tuple[SecretConstant, ...] = attrs.field(default=(), repr=False)
    is_debug: bool = False
    filters: tuple[Filter, ...] = ()
    dedup_filter: str = ""
    counted: tuple[tuple[str, str, float], ...] = ()

    def frame(self) -> Frame:
        head = attrs.asdict(self, filter=lambda field, _: field.name != "counted")
        # As a blob: some ten thousand of them do not fit into a head.
        return Frame({"kind": "load", "protocol": PROTOCOL, **head}, (json.dumps(self.counted).encode("ascii"),))


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


@attrs.frozen(kw_only=True)
class LifeCall:
    """Call a hook that no event has asked for: `on_suspend`, `on_resume`, `on_interrupt`."""

    call: int
    hook: str

    id: str = ""
    lane: str = "life"

    def frame(self) -> Frame:
        return Frame({"kind": "life", "call": self.call, "hook": self.hook})


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
    """How a call ended. `after_s` only with RETRY; `response` only from `on_http`, None where it declined.

    `remembered` is what filters have counted for it: name of the filter, key.
    """

    call: int
    verdict: Verdict
    requests: tuple[OutboundRequest, ...] = ()
    response: Response | None = None
    reason: str = ""
    detail: str = ""
    after_s: float | None = None
    remembered: tuple[tuple[str, str], ...] = ()

    def frame(self) -> Frame:
        head: dict[str, Any] = {"kind": "result", "call": self.call, "verdict": self.verdict.value}
        if self.reason:
            head["reason"] = _cut(self.reason, MAX_REASON_CHARS)
        if self.detail:
            head["detail"] = _cut(self.detail, MAX_DETAIL_CHARS)
        if self.after_s is not None:
            head["after_s"] = self.after_s
        if self.remembered:
            head["remembered"] = self.remembered
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


@attrs.frozen(kw_only=True)
class Ask:
    """The hook of `call` asks a destination. `timeout_s` None: as long as the hook has time."""

    number: int
    call: int
    request: OutboundRequest
    timeout_s: float | None = None

    def frame(self) -> Frame:
        head: dict[str, Any] = {"kind": "ask", "number": self.number, "call": self.call}
        if self.timeout_s is not None:
            head["timeout_s"] = self.timeout_s
        request = self.request
        head["request"] = [request.destination, request.content_type, request.headers, request.path, request.method]
        return Frame(head, (request.body,))


@attrs.frozen(kw_only=True)
class Told:
    """The answer to `Ask`, or with `trouble` why there is none; `may_pass`: another time there may be one."""

    number: int
    status: int = 0
    where: str = ""
    content_type: str = ""
    is_cut: bool = False
    body: bytes = b""
    trouble: str = ""
    may_pass: bool = True
    after_s: float | None = None
    """Seconds of patience that is asked for."""

    def frame(self) -> Frame:
        return Frame({"kind": "told", **attrs.asdict(self, filter=lambda field, _: field.name != "body")}, (self.body,))


Call = EventCall | HttpCall | LifeCall
FromAgent = Load | Call | Told | Finish
FromWorker = Ready | Broken | Result | Ask | LogLine


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 12] + " [cut short]"

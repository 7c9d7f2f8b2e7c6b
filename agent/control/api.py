"""The resource tree of the control API, version 1: plain values in, plain values out, whatever carries it.

`docs/control-api.rst` describes it for its users. Rules for changes: fields and resources may be added within `/v1`;
renaming, removing or giving another meaning makes a `/v2` beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote

import attrs

from agent.boundaries import AgentView
from agent.delivery import State
from agent.errors import SenderError

DEFAULT_EVENTS: Final = 50
MAX_EVENTS: Final = 1000
"""One answer stays around half a megabyte; whoever wants more asks again with `before`."""
EVENT_ID: Final = re.compile(r"[0-9a-fA-F-]{1,36}", re.ASCII)
EVENT_FILTERS: Final = ("service", "state", "limit", "after", "before")
"""`after` and `before` are event ids: pages of a long list stay put while new events come in."""
STATES: Final = tuple(state.label for state in State)


@attrs.frozen(kw_only=True)
class ApiRequest:
    """A request, freed of its transport. `path` is as sent, `query` the part behind `?`."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""


@attrs.frozen(kw_only=True)
class ApiAnswer:
    """What to answer: `document` is JSON-able."""

    status: int
    document: object
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> bytes:
        """The document as ASCII JSON with a line end: safe on any terminal, pleasant with curl."""
        return json.dumps(self.document, indent=1).encode("ascii") + b"\n"


def problem(error: SenderError) -> ApiAnswer:
    """Turn an error into a problem document (RFC 9457); `code` is our addition, stable for scripts."""
    return ApiAnswer(
        status=error.status,
        content_type="application/problem+json",
        headers=error.headers,
        document={
            "type": "about:blank",
            "title": error.title,
            "status": error.status,
            "detail": error.sentence,
            "code": error.code,
        },
    )


class ControlApi:
    """Answers requests from an `AgentView`."""

    def __init__(self, view: AgentView) -> None:
        self._view = view
        self._resources: Mapping[tuple[str, ...], Mapping[str, _Responder]] = {
            ("v1", "status"): {"GET": self._status},
            ("v1", "services"): {"GET": self._services},
            ("v1", "events"): {"GET": self._events},
            ("v1", "events", "*"): {"GET": self._event},
            ("v1", "stop"): {"POST": self._stop},
        }

    async def answer(self, request: ApiRequest) -> ApiAnswer:
        """Answer `request`; what its sender did wrong becomes a problem document. Faults of the view pass through."""
        try:
            return await self._respond(request)
        except SenderError as error:
            return problem(error)

    async def _respond(self, request: ApiRequest) -> ApiAnswer:
        segments = tuple(unquote(segment) for segment in request.path.strip("/").split("/"))
        methods = self._resources.get(segments)
        if methods is None and segments[:-1] == ("v1", "events"):
            methods = self._resources["v1", "events", "*"]
        if methods is None:
            raise SenderError(
                "no-such-resource",
                f"there is no {request.path[:200]!r} here; this agent speaks version 1: "
                "/v1/status, /v1/services, /v1/events, /v1/events/<id>, /v1/stop",
                status=404,
                title="Not found",
            )
        respond = methods.get(request.method)
        if respond is None:
            allowed = ", ".join(methods)
            raise SenderError(
                "method-not-allowed",
                f"{request.path[:200]!r} takes {allowed}, not {request.method[:20]!r}",
                status=405,
                title="Method not allowed",
                headers=(("Allow", allowed),),
            )
        return await respond(request)

    async def _status(self, request: ApiRequest) -> ApiAnswer:
        _no_query(request)
        return ApiAnswer(status=200, document=dict(self._view.status()))

    async def _services(self, request: ApiRequest) -> ApiAnswer:
        _no_query(request)
        return ApiAnswer(status=200, document={"services": [dict(service) for service in self._view.services()]})

    async def _events(self, request: ApiRequest) -> ApiAnswer:
        events = await self._view.events(_event_query(request.query))
        return ApiAnswer(status=200, document={"events": [dict(event) for event in events]})

    async def _event(self, request: ApiRequest) -> ApiAnswer:
        event_id = unquote(request.path.rstrip("/").rpartition("/")[2])
        found = await self._view.event(event_id.lower()) if EVENT_ID.fullmatch(event_id) else None
        if found is None:
            raise SenderError(
                "no-such-event",
                f"no event, or more than one, has an id that begins with {event_id[:40]!r}",
                status=404,
                title="No such event",
            )
        return ApiAnswer(status=200, document=dict(found))

    async def _stop(self, request: ApiRequest) -> ApiAnswer:
        now = _stop_now(request.body)
        self._view.stop(now=now)
        return ApiAnswer(status=202, document={"stopping": True, "now": now})


_Responder = Callable[[ApiRequest], Awaitable[ApiAnswer]]


def _bad_query(sentence: str) -> SenderError:
    return SenderError("bad-query", sentence, status=400, title="Bad query")


def _no_query(request: ApiRequest) -> None:
    if request.query:
        raise _bad_query(f"{request.path!r} takes no parameters, not {request.query[:200]!r}")


def _event_query(query: str) -> dict[str, str]:
    """Check the filters of an event list; `limit` is always in the result, decimal, and nothing is there empty."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=10)
    except ValueError:
        raise _bad_query(f"{query[:200]!r} is not a query of the form name=value&name=value") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise _bad_query("each parameter may be given once")
    filters = {name: value for name, value in pairs if value}
    for name in filters:
        if name not in EVENT_FILTERS:
            raise _bad_query(f"there is no parameter {name[:40]!r}; there are {', '.join(EVENT_FILTERS)}")
    state = filters.get("state", "")
    if state and state not in STATES:
        raise _bad_query(f"there is no state {state[:40]!r}; there are {', '.join(STATES)}")
    for name in ("after", "before"):
        if name in filters and not EVENT_ID.fullmatch(filters[name]):
            raise _bad_query(f"{name} is {filters[name][:40]!r}; it must be the id of an event")
    limit = filters.setdefault("limit", str(DEFAULT_EVENTS))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MAX_EVENTS):
        raise _bad_query(f"limit is {limit[:40]!r}; it must be a number from 1 to {MAX_EVENTS}")
    return filters


def _stop_now(body: bytes) -> bool:
    """Read `{"now": true}`; an empty body, or one without `now`, asks for an orderly stop."""
    fault = SenderError(
        "bad-body", 'the body must be empty or {"now": true} or {"now": false}', status=400, title="Bad body"
    )
    if not body.strip():
        return False
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise fault from None
    if not isinstance(document, dict) or not set(document) <= {"now"}:
        raise fault
    now = document.get("now", False)
    if not isinstance(now, bool):
        raise fault
    return now

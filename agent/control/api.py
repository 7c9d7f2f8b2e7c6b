"""The resource tree of the control API, version 1: plain values in, plain values out, whatever carries it.

`docs/control-api.rst` describes it for its users. Rules for changes: fields and resources may be added within `/v1`;
renaming, removing or giving another meaning makes a `/v2` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import unquote

import attrs

from agent.administered import AgentView
from agent.control.asking import (
    EVENT_ID,
    LETTER_ID,
    event_query,
    letter_ids,
    letter_query,
    no_body,
    no_query,
    question,
    stop_now,
    tail_query,
)
from agent.control.orders import LONG_PATIENCE_S, Orders
from agent.errors import AgentError, DestinationError, SenderError

ANSWER_PATIENCE_S: Final = 20.0
"""A list of events reads the disk; a disk that takes longer is the fault to report."""
ASK_PATIENCE_S: Final = 15.0
"""Below the 20 s in which this API answers at all."""


@attrs.frozen(kw_only=True)
class ApiRequest:
    """A request, freed of its transport. `path` is as sent, `query` the part behind `?`."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""


@attrs.frozen(kw_only=True)
class ApiAnswer:
    """What to answer: `document` is JSON-able, or bytes to be given out as they are."""

    status: int
    document: object
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> bytes:
        """The document as ASCII JSON with a line end: safe on any terminal, pleasant with curl."""
        if isinstance(self.document, bytes):
            return self.document
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
            ("v1", "dead-letters"): {"GET": self._letters},
            ("v1", "dead-letters", "replay"): {"POST": self._replay},
            ("v1", "dead-letters", "purge"): {"POST": self._purge},
            ("v1", "dead-letters", "*", "body"): {"GET": self._letter_body, "PUT": self._edit},
            ("v1", "dead-letters", "*", "*", "body"): {"GET": self._letter_body, "PUT": self._edit},
            ("v1", "destinations"): {"GET": self._destinations},
            ("v1", "destinations", "*", "pause"): {"POST": self._pause},
            ("v1", "destinations", "*", "resume"): {"POST": self._resume},
            ("v1", "destinations", "*", "ask"): {"POST": self._ask},
            ("v1", "tail"): {"GET": self._tail},
            ("v1", "strangers"): {"GET": self._strangers},
            ("v1", "certificates"): {"GET": self._certificates},
            ("v1", "stop"): {"POST": self._stop},
            **Orders(
                view, answer=lambda document: ApiAnswer(status=200, document=document), segments=_segments
            ).resources,
        }

    async def answer(self, request: ApiRequest) -> ApiAnswer:
        """Answer `request`; what was wrong becomes a problem document. Faults of the view pass through."""
        try:
            return await self._respond(request)
        except SenderError as error:
            return problem(error)
        except AgentError as error:
            # The spool cannot be read or written: its own sentence says why, and the asker is the operator.
            return problem(SenderError(error.code, error.sentence, status=503, title="Not possible now"))

    def patience_s(self, request: ApiRequest) -> float:
        """How long an answer may take."""
        return LONG_PATIENCE_S if request.method == "POST" and _is_long(_segments(request)) else ANSWER_PATIENCE_S

    async def _respond(self, request: ApiRequest) -> ApiAnswer:
        methods = self._resource(_segments(request))
        if methods is None:
            raise SenderError(
                "no-such-resource",
                f"there is no {request.path[:200]!r} here; this agent speaks version 1: "
                "/v1/status, /v1/services, /v1/events, /v1/events/<id>, /v1/dead-letters, "
                "/v1/destinations, /v1/tail, /v1/strangers, /v1/certificates, /v1/queues, /v1/settings, "
                "/v1/log-level, /v1/reload, /v1/stop",
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

    def _resource(self, segments: tuple[str, ...]) -> Mapping[str, _Responder] | None:
        """The methods of a resource: its path as it stands, else one that has `*` in place of some segments."""
        found = self._resources.get(segments)
        if found is not None:
            return found
        for pattern, methods in self._resources.items():
            if len(pattern) == len(segments) and all(p in ("*", s) for p, s in zip(pattern, segments, strict=True)):
                return methods
        return None

    async def _status(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return ApiAnswer(status=200, document=dict(await self._view.status()))

    async def _services(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return ApiAnswer(status=200, document={"services": [dict(service) for service in self._view.services()]})

    async def _events(self, request: ApiRequest) -> ApiAnswer:
        events = await self._view.events(event_query(request.query))
        return ApiAnswer(status=200, document={"events": [dict(event) for event in events]})

    async def _event(self, request: ApiRequest) -> ApiAnswer:
        event_id = _segments(request)[-1]
        found = await self._view.event(event_id.lower()) if EVENT_ID.fullmatch(event_id) else None
        if found is None:
            raise SenderError(
                "no-such-event",
                f"no event, or more than one, has an id that begins with {event_id[:40]!r}",
                status=404,
                title="No such event",
            )
        return ApiAnswer(status=200, document=dict(found))

    async def _letters(self, request: ApiRequest) -> ApiAnswer:
        letters = await self._view.dead_letters(letter_query(request.query))
        return ApiAnswer(status=200, document={"dead_letters": [dict(letter) for letter in letters]})

    async def _replay(self, request: ApiRequest) -> ApiAnswer:
        ids = letter_ids(request.body)
        return ApiAnswer(status=200, document={"asked": len(ids), "replayed": await self._view.replay(ids)})

    async def _purge(self, request: ApiRequest) -> ApiAnswer:
        ids = letter_ids(request.body)
        return ApiAnswer(status=200, document={"asked": len(ids), "purged": await self._view.purge(ids)})

    async def _letter_body(self, request: ApiRequest) -> ApiAnswer:
        letter_id = _letter_id(request)
        body = await self._view.letter_body(letter_id)
        if body is None:
            raise _no_letter(letter_id)
        return ApiAnswer(status=200, document=body, content_type="application/octet-stream")

    async def _edit(self, request: ApiRequest) -> ApiAnswer:
        letter_id = _letter_id(request)
        if not await self._view.edit(letter_id, request.body):
            raise _no_letter(letter_id)
        return ApiAnswer(status=200, document={"id": letter_id, "size_bytes": len(request.body)})

    async def _destinations(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return ApiAnswer(status=200, document={"destinations": [dict(one) for one in self._view.destinations()]})

    async def _pause(self, request: ApiRequest) -> ApiAnswer:
        return self._set_paused(request, is_paused=True)

    async def _resume(self, request: ApiRequest) -> ApiAnswer:
        return self._set_paused(request, is_paused=False)

    def _set_paused(self, request: ApiRequest, *, is_paused: bool) -> ApiAnswer:
        no_body(request.body)
        name = _segments(request)[2]
        if not self._view.pause(name, is_paused=is_paused):
            raise _no_destination(name)
        return ApiAnswer(status=200, document={"destination": name, "paused": is_paused})

    async def _ask(self, request: ApiRequest) -> ApiAnswer:
        name = _segments(request)[2]
        asked = question(name, request.body)
        try:
            answer = await self._view.ask(asked, timeout_s=ASK_PATIENCE_S)
        except DestinationError as error:
            if error.code == "no-destination":
                raise _no_destination(name) from error
            raise SenderError(error.code, error.sentence, status=502, title="No answer") from error
        return ApiAnswer(
            status=200,
            document={
                "destination": name,
                "status": answer.status,
                "where": answer.where,
                "content_type": answer.content_type,
                "body": answer.body.decode("utf-8", "replace"),
                "body_cut": answer.is_cut,
            },
        )

    async def _tail(self, request: ApiRequest) -> ApiAnswer:
        after, wanted, wait_s = tail_query(request.query)
        page = await self._view.tail(after, wanted, wait_s=wait_s)
        # Hundreds of lines a time: without line breaks json takes a tenth of the reactor's time for them.
        return ApiAnswer(status=200, document=json.dumps(page).encode("ascii") + b"\n")

    async def _strangers(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return ApiAnswer(status=200, document=dict(self._view.strangers()))

    async def _certificates(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return ApiAnswer(status=200, document={"certificates": [dict(one) for one in self._view.certificates()]})

    async def _stop(self, request: ApiRequest) -> ApiAnswer:
        now = stop_now(request.body)
        self._view.stop(now=now)
        return ApiAnswer(status=202, document={"stopping": True, "now": now})


_Responder = Callable[[ApiRequest], Awaitable[ApiAnswer]]


def _is_long(segments: tuple[str, ...]) -> bool:
    """Whether workers are waited for."""
    return segments == ("v1", "reload") or (len(segments) == 4 and segments[:2] == ("v1", "services"))


def _segments(request: ApiRequest) -> tuple[str, ...]:
    return tuple(unquote(segment) for segment in request.path.strip("/").split("/"))


def _letter_id(request: ApiRequest) -> str:
    """The id in `/v1/dead-letters/<event id>[/<number>]/body`; raises 404 for what cannot be one."""
    letter_id = "/".join(_segments(request)[2:-1]).lower()
    if not LETTER_ID.fullmatch(letter_id):
        raise _no_letter(letter_id)
    return letter_id


def _no_destination(name: str) -> SenderError:
    return SenderError(
        "no-such-destination",
        f"the running agent has no destination {name[:60]!r}",
        status=404,
        title="No such destination",
    )


def _no_letter(letter_id: str) -> SenderError:
    return SenderError(
        "no-such-letter", f"there is no dead letter with the id {letter_id[:60]!r}", status=404, title="No such letter"
    )

"""What hooks are called with and what they return, between the frames of the pipes and the records of the sdk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agent import sdk
from agent.event.apxml import Token
from agent.host.messages import EventCall, HttpCall, Response
from agent.sdk.failures import WrongReturn

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def argument(
    call: EventCall | HttpCall, service: str, constants: Sequence[tuple[Token, bool]] = ()
) -> sdk.Event | sdk.HttpRequest:
    """Return what a hook is called with. `constants` are the encrypted ones, for events that are messages."""
    if isinstance(call, EventCall):
        return sdk.Event(
            id=call.id,
            service=service,
            received=EPOCH + timedelta(microseconds=call.received_us),
            body=call.body,
            kind=call.event_kind,
            attempt=call.attempt,
            priority=call.lane,
            group=call.group,
            path=call.path,
            query=call.query,
            content_type=call.content_type,
            charset=call.charset,
            peer=call.peer,
            constants=constants,
        )
    return sdk.HttpRequest(
        id=call.id,
        service=service,
        method=call.method,
        path=call.path,
        query=call.query,
        headers=call.headers,
        body=call.body,
        charset=call.charset,
        peer=call.peer,
    )


def response(returned: Any) -> Response | None:
    if returned is None:
        return None
    if not isinstance(returned, sdk.HttpResponse):
        raise WrongReturn(f"on_http returned a {type(returned).__name__}, expected an HttpResponse or None")
    headers = {"Content-Type": returned.content_type, **returned.headers} if returned.body else returned.headers
    return Response(status=returned.status, headers=tuple(headers.items()), body=returned.body)

"""Frames back into the records of `agent.host.messages`. Pure.

The agent trusts nothing a worker says: fields are checked for their types before use, and what is none of the records
raises `FrameError`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from agent.delivery import OutboundRequest
from agent.host.messages import (
    PROTOCOL,
    Ask,
    Broken,
    EventCall,
    Filter,
    Finish,
    FromAgent,
    FromWorker,
    HttpCall,
    LifeCall,
    Load,
    LogLine,
    Pairs,
    Ready,
    Response,
    Result,
    SecretConstant,
    Told,
    Verdict,
)
from agent.wire.frames import Frame, FrameError

MAX_SECONDS: Final = 1e9
"""Thirty years; more would not fit the microseconds of a database."""


def from_agent(frame: Frame) -> FromAgent:
    """What the agent said. Raises `FrameError`."""
    head = {**frame.head}
    kind = head.pop("kind", None)
    try:
        if kind == "event":
            return EventCall(body=frame.blobs[0], **head)
        if kind == "http":
            return HttpCall(body=frame.blobs[0], headers=_pairs(head.pop("headers")), **head)
        if kind == "life":
            return LifeCall(**head)
        if kind == "told":
            return Told(body=frame.blobs[0], **head)
        if kind == "load":
            _check_protocol(head.pop("protocol"))
            return Load(
                destinations=tuple(head.pop("destinations")),
                filters=tuple(
                    Filter(**{**each, "predicates": tuple(each["predicates"])}) for each in head.pop("filters")
                ),
                secrets=tuple(SecretConstant(**each) for each in head.pop("secrets")),
                counted=tuple((name, key, at_s) for name, key, at_s in json.loads(frame.blobs[0])),
                **head,
            )
    except (TypeError, KeyError, IndexError, ValueError) as error:
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
    if kind == "ask":
        return _ask(head, frame.blobs)
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
        remembered=_pairs(head.get("remembered", [])),
    )


def _ask(head: Mapping[str, Any], blobs: tuple[bytes, ...] | Any) -> Ask:
    number, call, timeout_s = head.get("number"), head.get("call"), head.get("timeout_s")
    if type(number) is not int or type(call) is not int or not (timeout_s is None or _is_seconds(timeout_s)):
        raise FrameError(f"a question {number!r:.100} of call {call!r:.100} with timeout_s {timeout_s!r:.100}")
    if len(blobs) != 1:
        raise FrameError(f"a question with {len(blobs)} bodies")
    return Ask(number=number, call=call, timeout_s=timeout_s, request=_request(head.get("request"), blobs[0]))


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
        raise FrameError(f"pairs are {value!r:.100}, expected a list")
    pairs = []
    for item in value:
        match item:
            case [str(name), str(text)]:
                pairs.append((_writable(name), _writable(text)))
            case _:
                raise FrameError(f"a pair is {item!r:.100}, expected name and value")
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

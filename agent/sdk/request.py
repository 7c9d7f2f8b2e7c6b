"""What a hook wants sent -> `OutboundRequest`, or an error in the hook's own line. Pure."""

from __future__ import annotations

import json as json_format
import re
from collections.abc import Mapping
from typing import Any, Final

from agent.delivery import OutboundRequest

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A header's name or a method (RFC 9110, section 5.6.2)."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What would end a header field early (RFC 9110, section 5.5), and halves of surrogate pairs, which UTF-8 has not."""


def compose(
    destination: str,
    *,
    json: Any,
    body: bytes | str | None,
    content_type: str | None,
    headers: Mapping[str, str] | None,
    path: str,
    method: str,
) -> OutboundRequest:
    """Make a request of what `context.send` was given; raise `ValueError` or `TypeError` for what could not be sent."""
    if path and path[0] not in "/?":
        raise ValueError(f"path is {path!r}, expected nothing or something that begins with / or ?")
    if method and not _TOKEN.fullmatch(method):
        raise ValueError(f"method is {method!r}, expected a word such as POST")
    data, default_type = _to_bytes(json, body)
    return OutboundRequest(
        destination=destination,
        body=data,
        content_type=check_text("content_type", default_type if content_type is None else content_type),
        headers=_checked_headers(headers or {}),
        path=check_text("path", path),
        method=method,
    )


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
        check_text(f"header {name}", value)
    return tuple(headers.items())


def check_text(what: str, value: str) -> str:
    """Return a text that may go into the head of a request; `what` is its name in what is raised."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a {type(value).__name__}, expected str")
    if _CONTROL.search(value):
        raise ValueError(f"{what} is {value!r}, expected a text without line breaks and control characters")
    return value

"""What a stored request becomes as an HTTP message: method, URL, headers and body, all of them checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from twisted.web.http_headers import Headers

from agent.boundaries import StoredRequest
from agent.config.model import HttpDestination
from agent.config.template import filled
from agent.delivery import OutboundRequest
from agent.errors import DestinationError
from agent.upstream.login import fields_of

USER_AGENT: Final = "integration-agent"

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, 5.6.2: names of headers and methods."""

VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, 5.5: no line ends, no NUL. What is not Latin-1 has no agreed spelling."""

OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection or frame the message: a service that sets one could smuggle a request."""

PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"


def method_of(destination: HttpDestination, request: OutboundRequest) -> str:
    """The method, in capitals; raises `DestinationError` when it is none."""
    method = request.method or destination.method
    if not TOKEN.fullmatch(method):
        raise _unfit(f"{method!r} is not a method")
    return method.upper()


def body_of(destination: HttpDestination, request: StoredRequest) -> bytes:
    """The body of a request: the service's own, or the destination's template filled from it."""
    sent = request.request
    if not destination.body_template:
        return sent.body
    values = {
        "id": request.id,
        "event-id": request.id.partition("/")[0],
        "service": request.service,
        "group": request.group,
        "destination": destination.name,
        "body": sent.body.decode("utf-8", "replace"),
    }
    return filled(destination.body_template, values).encode("utf-8", "replace")


def url_of(base: str, path: str) -> str:
    """`base` with `path` behind its own path, percent-encoded where needed; a query in `path` joins that of `base`.

    Raises `DestinationError` for `.` and `..`: a path built from an event must not leave the destination's own.
    """
    if not path:
        return base
    parts = urlsplit(base)
    tail, _, query = path.partition("?")
    if any(unquote(segment) in (".", "..") for segment in unquote(tail).replace("\\", "/").split("/")):
        raise _unfit(f"the path {path[:200]!r} holds a dot segment")
    joined = f"{parts.path.rstrip('/')}/{quote(tail.lstrip('/'), safe=PATH_SAFE)}"
    queries = "&".join(part for part in (parts.query, quote(query, safe=PATH_SAFE + "?")) if part)
    return parts._replace(path=joined, query=queries, fragment="").geturl()


def headers_of(destination: HttpDestination, request: StoredRequest, login: Mapping[str, str] | None = None) -> Headers:
    """All headers of a request: ours, the destination's, the service's; the later wins over the earlier.

    `login` takes the place of the destination's own credentials, which may be older.
    Raises `DestinationError` for a name or value that would be more than one header, and for headers of the connection.
    """
    chosen: dict[str, list[str]] = {"user-agent": [USER_AGENT]}
    content_type = destination.body_type or request.request.content_type
    if content_type:
        chosen["content-type"] = [content_type]
    for name, value in (fields_of(destination.credentials) if login is None else login).items():
        chosen[name] = [value]
    for given in (destination.headers, request.request.headers):
        chosen.update(_by_name(given))
    chosen["idempotency-key"] = [request.id]
    headers = Headers()
    for name, values in chosen.items():
        for value in values:
            # The value is not shown: it may be a credential.
            if not VALUE.fullmatch(value):
                raise _unfit(f"the value of header {name} holds a line end or what is not Latin-1")
            headers.addRawHeader(name.encode("ascii"), value.strip().encode("latin-1"))
    return headers


def _by_name(given: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in given:
        if not TOKEN.fullmatch(name):
            raise _unfit(f"{name[:200]!r} is not the name of a header")
        if name.lower() in OURS:
            raise _unfit(f"the header {name} is set by the agent itself")
        found.setdefault(name.lower(), []).append(value)
    return found


def _unfit(sentence: str) -> DestinationError:
    return DestinationError("unfit-request", f"this request cannot be sent: {sentence}", retryable=False)

"""What a stored request becomes as an HTTP message: method, URL, header fields and body, all of them checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from agent.boundaries import StoredRequest
from agent.config.model import HttpDestination
from agent.config.template import filled
from agent.delivery import OutboundRequest
from agent.errors import DestinationError

USER_AGENT: Final = "integration-agent"

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110, 5.6.2: names of headers and methods."""

VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, 5.5: no line ends, no NUL. What is not Latin-1 has no agreed spelling."""

Fields = tuple[tuple[str, bytes], ...]
"""Header fields: the name in lower case, and the whole line with its end."""

MAX_KEPT: Final = 16
"""Content types times newest credentials."""

BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})

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


class Letterhead:
    """The header fields of one destination's requests: ours, the destination's, the service's; the later wins over the
    earlier. Of requests without fields of their own, all but the id are made once.
    """

    def __init__(self, destination: HttpDestination) -> None:
        self._destination: Final = destination
        self._kept: dict[tuple[object, ...], Fields] = {}

    def fields(self, request: StoredRequest, login: Mapping[str, str]) -> Fields:
        """All fields of a request but those of the connection. `login` are the credentials.

        Raises `DestinationError` for a name or value that would be more than one header, and for headers of the
        connection.
        """
        own = ("idempotency-key", f"Idempotency-Key: {_fit('idempotency-key', request.id)}\r\n".encode("latin-1"))
        if request.request.headers:
            return (*self._made(request.request, login), own)
        key = (request.request.content_type, *login.items())
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            kept = self._kept[key] = self._made(request.request, login)
        return (*kept, own)

    def _made(self, request: OutboundRequest, login: Mapping[str, str]) -> Fields:
        chosen: dict[str, list[str]] = {"user-agent": [USER_AGENT]}
        content_type = self._destination.body_type or request.content_type
        if content_type:
            chosen["content-type"] = [content_type]
        chosen.update({name: [value] for name, value in login.items()})
        for given in (self._destination.headers, request.headers):
            chosen.update(_by_name(given))
        chosen.pop("idempotency-key", None)
        return tuple(_line(name, value) for name, values in chosen.items() for value in values)


def rendered(*, method: str, target: bytes, host: bytes, fields: Fields, login: str, body: bytes) -> bytes:
    """A whole request, to be written at once. `login` is for a proxy that gets it in absolute form, or empty."""
    lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method.encode("ascii"), target, host)]
    lines += [line for _, line in fields]
    if login:
        # In UTF-8, as to a tunnel: RFC 7616 lets the challenge say so for Digest, and nobody says anything else.
        if not login.isprintable():
            raise _unfit("the login for the proxy holds a line end or the like")
        lines.append(b"Proxy-Authorization: %b\r\n" % login.encode("utf-8"))
    # RFC 9110, 8.6: a length of 0 says something only where the method expects a body.
    lines.append(b"Content-Length: %d\r\n\r\n" % len(body) if body or method not in BODILESS else b"\r\n")
    lines.append(body)
    return b"".join(lines)


def _line(name: str, value: str) -> tuple[str, bytes]:
    spelled = "-".join(word.capitalize() for word in name.split("-"))
    return name, f"{spelled}: {_fit(name, value)}\r\n".encode("latin-1")


def _fit(name: str, value: str) -> str:
    # The value is not shown: it may be a credential.
    if not VALUE.fullmatch(value):
        raise _unfit(f"the value of header {name} holds a line end or what is not Latin-1")
    return value.strip()


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

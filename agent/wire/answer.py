"""Answers as bytes: heads rendered once a second, only the id set in for each event.

Rendering the Date for each answer costs 30 % of a request, headers out of a dictionary 15 % (measured): so `tick` is
told the time now and then, and what does not change between two ticks is kept.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from agent.errors import SenderError

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
PROBLEM_TYPE: Final = "urn:integration-agent:problem:"

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Not `xml.sax.saxutils`, which brings all of `urllib` and `ssl` along: workers import this module, too."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS: Final = frozenset(
    {"connection", "content-length", "transfer-encoding", "date", "keep-alive", "upgrade", "trailer", "te"}
)
"""Headers that frame the answer: the gateway writes them, a service cannot."""


class Persistence(bytes, enum.Enum):
    """What an answer says about the connection: header lines."""

    KEEP = b""
    KEEP_SAID = b"Connection: keep-alive\r\n"
    """To HTTP/1.0 senders, which expect the end of the connection unless told otherwise."""
    CLOSE = b"Connection: close\r\n"


def http_date(now_s: int) -> str:
    """A moment as headers have it, whatever the locale (RFC 9110, section 5.6.7). `email.utils` can do it, too, and
    brings a dozen modules along."""
    at = datetime.fromtimestamp(now_s, UTC)
    return f"{_DAYS[at.weekday()]}, {at:%d} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} GMT"


class Answers:
    """Renders all answers of a gateway. Call `tick` with the wall clock in whole seconds, at least once a second."""

    def __init__(self, *, now_s: int) -> None:
        self._now_s = -1
        self._date = b""
        self._accepted: dict[tuple[bool, Persistence, int], tuple[bytes, bytes]] = {}
        self.tick(now_s)

    def tick(self, now_s: int) -> None:
        """Set the Date of the answers that follow."""
        if now_s != self._now_s:
            self._now_s = now_s
            self._date = b"Date: " + http_date(now_s).encode("ascii") + b"\r\n"
            self._accepted.clear()

    def accepted(self, event_id: str, *, xml: bool, persistence: Persistence) -> bytes:
        """The 202: the event is on disk, and this is its id."""
        key = (xml, persistence, len(event_id))
        parts = self._accepted.get(key)
        if parts is None:
            parts = self._accepted[key] = self._render_accepted(xml, persistence, len(event_id))
        before, after = parts
        return before + event_id.encode("ascii") + after

    def _render_accepted(self, xml: bool, persistence: Persistence, id_bytes: int) -> tuple[bytes, bytes]:
        if xml:
            before, after = b"<accepted><requestId>", b"</requestId></accepted>\n"
            media = b"application/xml"
        else:
            before, after = b'{"requestId": "', b'"}\n'
            media = b"application/json"
        size = len(before) + id_bytes + len(after)
        return self._head(202, persistence, size, b"Content-Type: " + media + b"\r\n") + before, after

    def problem(
        self, error: SenderError, *, xml: bool, persistence: Persistence, bodiless: bool = False, event_id: str = ""
    ) -> bytes:
        """An error as an RFC 9457 problem document. `bodiless`: the answer to HEAD, whose body is only announced."""
        fields = {
            "type": PROBLEM_TYPE + error.code,
            "title": error.title,
            "status": error.status,
            "detail": error.sentence,
        }
        if event_id:
            fields["requestId"] = event_id
        body = _as_xml(fields) if xml else _as_json(fields)
        media = "xml" if xml else "json"
        lines = f"Content-Type: application/problem+{media}\r\nX-Content-Type-Options: nosniff\r\n"
        lines += "".join(f"{name}: {value}\r\n" for name, value in error.headers)
        head = self._head(error.status, persistence, len(body), lines.encode("latin-1"))
        return head if bodiless else head + body

    def response(
        self,
        status: int,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        persistence: Persistence,
        bodiless: bool = False,
    ) -> bytes:
        """An answer that a service has made itself; raise `ValueError` when it cannot be sent as it is."""
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is not a status that a service can answer (200 to 599)")
        lines = []
        for name, value in headers:
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name!r}: {value!r} holds characters that HTTP does not allow")
            if name.lower() not in _OURS:
                lines.append(f"{name}: {value}\r\n")
        if status in (204, 304):
            body = b""
        head = self._head(
            status, persistence, None if status in (204, 304) else len(body), "".join(lines).encode("latin-1")
        )
        return head if bodiless else head + body

    def _head(self, status: int, persistence: Persistence, size: int | None, lines: bytes) -> bytes:
        length = b"" if size is None else b"Content-Length: %d\r\n" % size
        return b"HTTP/1.1 %d %b\r\n%b%b%b%b\r\n" % (
            status,
            _phrase(status),
            self._date,
            lines,
            length,
            persistence,
        )


_PHRASES: Final = {413: b"Content Too Large", 414: b"URI Too Long", 422: b"Unprocessable Content"}
"""Of RFC 9110, where Python 3.11 still has those of 1999."""


def _phrase(status: int) -> bytes:
    if status in _PHRASES:
        return _PHRASES[status]
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b"Other"


def _as_json(fields: dict[str, object]) -> bytes:
    """JSON that stays harmless where someone shows it as a page: no markup character is left as it is."""
    text = json.dumps(fields, indent=1)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode("ascii") + b"\n"


def _as_xml(fields: dict[str, object]) -> bytes:
    """RFC 9457, appendix B; the name space kept the number of its first edition."""
    inside = "".join(f"<{name}>{_clean(str(value)).translate(_ESCAPES)}</{name}>\n" for name, value in fields.items())
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<problem xmlns="urn:ietf:rfc:7807">\n{inside}</problem>\n'
    return text.encode("utf-8", "replace")


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

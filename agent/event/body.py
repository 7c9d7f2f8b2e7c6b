"""What kind of body is this, and is it whole? Decided from the bytes, whatever the Content-Type says.

`curl -d` sends XML as `application/x-www-form-urlencoded`, and many a management system sends `text/plain`; the first
character of the body does not lie.
"""

from __future__ import annotations

import codecs
from typing import Final

from lxml import etree

from agent.errors import SenderError
from agent.event.json import JsonReader
from agent.event.model import BodyKind
from agent.event.plain import is_plain
from agent.event.xml import MAX_ATTRIBUTES, XmlReader

_BOMS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLANK: Final = b" \t\r\n\0"
"""White space, and the zero bytes that stand beside it in UTF-16."""

_UTF8: Final = (None, "utf-8", "UTF-8")
"""Charset parameters, as senders write them, with which a document without a mark is UTF-8."""


class BodyReader:
    """Finds out the kind of a body and checks that it can be read. Owns an XML parser: use one reader per thread.

    `max_depth` limits how deeply elements, objects and arrays nest.
    """

    def __init__(self, *, max_depth: int) -> None:
        self._max_depth = max_depth
        self._xml = XmlReader(max_depth=max_depth)
        self._json = JsonReader(max_depth=max_depth)

    def check(self, body: bytes, charset: str | None = None) -> BodyKind:
        """Return the kind of `body`; raise `SenderError` 400 or 415 when it cannot be read."""
        return BodyKind.XML if self.is_plain(body, charset) else self.read(body, charset)[0]

    def is_plain(self, body: bytes, charset: str | None = None) -> bool:
        """Whether `body` is plain XML, in UTF-8 and well-formed. Quick; when it is not, `read` has to find out."""
        return charset in _UTF8 and is_plain(body, max_depth=self._max_depth, max_attributes=MAX_ATTRIBUTES)

    def read(self, body: bytes, charset: str | None = None) -> tuple[BodyKind, etree._Element | None]:
        """As `check`, and return the root element as well, None for JSON."""
        kind = body_kind(body)
        if kind is BodyKind.XML:
            return kind, self._xml.read(body, charset)
        self._json.check(body, charset)
        return kind, None


def body_kind(body: bytes) -> BodyKind:
    """XML or JSON, by the first character that is not white space; raise `SenderError` 400 or 415 for anything else."""
    for bom in _BOMS:
        if body.startswith(bom):
            body = body[len(bom) :]
            break
    first = body[:1]
    if first not in (b"<", b"{", b"["):
        first = body.lstrip(_BLANK)[:1]
    if first == b"<":
        return BodyKind.XML
    if first in (b"{", b"["):
        return BodyKind.JSON
    if not first:
        raise SenderError(
            "empty-body",
            "The body is empty; an event is an XML document or a JSON object in the body of the POST.",
            status=400,
            title="Empty body",
        )
    raise SenderError(
        "unknown-body",
        f"The body begins with {_first_character(first)}, so it is neither XML (which begins with '<') nor JSON (which "
        "begins with '{' or '['). Send the event itself as the body, not a form and not compressed without a "
        "Content-Encoding header.",
        status=415,
        title="Neither XML nor JSON",
    )


def guess_kind(body: bytes) -> BodyKind:
    """As `body_kind`, for bodies that nobody checks: `OTHER` instead of an error."""
    try:
        return body_kind(body)
    except SenderError:
        return BodyKind.OTHER


def _first_character(first: bytes) -> str:
    return repr(first.decode("ascii")) if 0x20 <= first[0] < 0x7F else f"the byte 0x{first[0]:02x}"

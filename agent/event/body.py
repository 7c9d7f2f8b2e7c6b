"""What kind of body is this, and is it whole? Decided from the bytes, whatever the Content-Type says.

`curl -d` sends XML as `application/x-www-form-urlencoded`, and many a management system sends `text/plain`; the first
character of the body does not lie.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, Final, NoReturn

from lxml import etree

from agent.errors import SenderError
from agent.event.model import BodyKind
from agent.event.xml import XmlReader

_BOMS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLANK: Final = b" \t\r\n\0"
"""White space, and the zero bytes that stand beside it in UTF-16."""


class BodyReader:
    """Finds out the kind of a body and checks that it can be read. Owns an XML parser: use one reader per thread.

    `max_depth` limits how deeply elements, objects and arrays nest.
    """

    def __init__(self, *, max_depth: int) -> None:
        self._xml = XmlReader(max_depth=max_depth)
        self._max_depth = max_depth
        self._json = json.JSONDecoder(parse_constant=_refuse_constant)

    def check(self, body: bytes, charset: str | None = None) -> BodyKind:
        """Return the kind of `body`; raise `SenderError` 400 or 415 when it cannot be read."""
        return self.read(body, charset)[0]

    def read(self, body: bytes, charset: str | None = None) -> tuple[BodyKind, etree._Element | None]:
        """As `check`, and return the root element as well, None for JSON."""
        kind = body_kind(body)
        if kind is BodyKind.XML:
            return kind, self._xml.read(body, charset)
        self._check_json(body)
        return kind, None

    def _check_json(self, body: bytes) -> None:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _bad_json(f"Byte {error.start + 1} is not valid UTF-8, the only encoding of JSON.") from None
        try:
            root = self._json.decode(text)
        except json.JSONDecodeError as error:
            raise _bad_json(
                f"The JSON is broken at line {error.lineno}, column {error.colno}: {_plain(error)}."
            ) from None
        except RecursionError:
            raise self._too_deep() from None
        except ValueError as error:  # a number with thousands of digits
            raise _bad_json(f"The JSON holds a value that is not accepted: {error}.") from None
        # Each level needs its own opening bracket, so most documents prove to be shallow without a walk.
        if body.count(b"[") + body.count(b"{") > self._max_depth and _deeper_than(root, self._max_depth):
            raise self._too_deep()

    def _too_deep(self) -> SenderError:
        return SenderError(
            "json-too-deep",
            f"The JSON nests more than {self._max_depth} objects and arrays into one another. Send a flatter document.",
            status=400,
            title="The JSON is nested too deeply",
        )


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


def _deeper_than(root: Any, limit: int) -> bool:
    level = [root]
    for _ in range(limit):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; send null or a number")


def _plain(error: json.JSONDecodeError) -> str:
    """Python's words, with the two that senders misread put plainly."""
    if error.pos >= len(error.doc.rstrip()):
        return "it is cut off"
    if error.msg == "Extra data":
        return "something follows its end"
    return error.msg[:1].lower() + error.msg[1:]


def _bad_json(sentence: str) -> SenderError:
    return SenderError("bad-json", sentence, status=400, title="The JSON cannot be read")

"""APXML as XML: read from untrusted bytes, and written."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from lxml import etree

from agent.errors import SenderError
from agent.event.apxml import Apxml, Token, TokenType
from agent.event.xml import parse_xml
from agent.event.xmlfaults import shown

MAX_DEPTH: Final = 64
"""A message nests three deep; tokens may hold the XML of others (the gateway's own default)."""
MAX_TOKENS: Final = 10_000
"""The longest known mappings have some thirty; whole tickets some hundred."""

ROOT: Final = "transaction"

_STRING: Final = etree.XPath("string()")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


@cache
def _unwritable() -> re.Pattern[str]:
    """What XML cannot hold, not even as `&#number;` (XML 1.0, section 2.2). Compiled on first use: that takes 3 ms."""
    return re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_apxml(body: bytes, charset: str | None = None, *, max_depth: int = MAX_DEPTH) -> Apxml:
    """Read a message. Raises `SenderError` 400 for what is none, 415 for an encoding that is not supported."""
    return apxml_of(parse_xml(body, charset, max_depth=max_depth))


def is_apxml(root: etree._Element) -> bool:
    """Whether a document is a message: a `transaction` whose `header` has a `method`."""
    if local_name(root) != ROOT:
        return False
    header = _child(root, "header")
    return header is not None and _child(header, "method") is not None


def apxml_of(root: etree._Element) -> Apxml:
    """Read a message from its root element; raises as `read_apxml` does. Namespaces and unknown elements do not matter.

    A token that holds elements has their XML as its value; of an unknown type it is `AUTO`.
    """
    if local_name(root) != ROOT:
        raise _not_apxml(root, f"the root element is <{shown(local_name(root))}>, expected <{ROOT}>")
    header = _child(root, "header")
    method = None if header is None else _child(header, "method")
    if header is None or method is None:
        raise _not_apxml(root, f"<{ROOT}> has no <header> with a <method>")
    data = _child(root, "data")
    if data is not None and len(data) > MAX_TOKENS:
        raise _not_apxml(root, f"the message has {len(data)} tokens, at most {MAX_TOKENS} are allowed")
    tokens = () if data is None else tuple(_token(element) for element in _elements(data))
    subclass, transaction_id = _child(header, "subclass"), _child(header, "transaction-id")
    return Apxml(
        method=_text(method).strip(),
        subclass="" if subclass is None else _text(subclass).strip(),
        transaction_id="" if transaction_id is None else _text(transaction_id).strip(),
        tokens=tokens,
    )


def write_apxml(message: Apxml) -> bytes:
    """Write a message as UTF-8, without an XML declaration: it travels as a text inside other documents, too.

    What `read_apxml` reads from it is the same message, but for characters that XML does not have: they are written as
    U+FFFD, because one stray byte of a terminal must not keep an alarm back.
    """
    header = _element("method", message.method)
    if message.subclass:
        header += _element("subclass", message.subclass)
    if message.transaction_id:
        header += _element("transaction-id", message.transaction_id)
    data = "".join(
        _element(token.key, token.value, "" if token.type is TokenType.AUTO else f' type="{token.type}"')
        for token in message
    )
    return f"<{ROOT}><header>{header}</header><data>{data}</data></{ROOT}>".encode()


def local_name(element: etree._Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _element(name: str, text: str, attributes: str = "") -> str:
    return f"<{name}{attributes}>{_unwritable().sub(chr(0xFFFD), text).translate(_ESCAPES)}</{name}>"


def _token(element: etree._Element) -> Token:
    try:
        kind = TokenType(element.get("type", "").strip().lower() or TokenType.AUTO)
    except ValueError:
        kind = TokenType.AUTO
    inside = [child for child in element if isinstance(child.tag, str)]
    value = _inner_xml(element) if inside else _text(element)
    try:
        return Token(local_name(element), value, kind)
    except ValueError as error:
        raise _not_apxml(element, str(error)) from None


def _text(element: etree._Element) -> str:
    """All text within; `itertext` would count comments in."""
    return str(_STRING(element)) if len(element) else element.text or ""


def _inner_xml(element: etree._Element) -> str:
    pieces = [(element.text or "").translate(_ESCAPES)]
    pieces += [etree.tostring(child, encoding="unicode") for child in element]
    return "".join(pieces)


def _elements(parent: etree._Element) -> list[etree._Element]:
    # The tag of a comment or a processing instruction is a function.
    return [child for child in parent if isinstance(child.tag, str)]


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in _elements(parent) if local_name(child) == name), None)


def _not_apxml(element: etree._Element, what: str) -> SenderError:
    return SenderError(
        "bad-apxml",
        f"Line {element.sourceline}: {what}; an APXML message reads <transaction><header><method>..</method></header>"
        "<data>one element for each token</data></transaction>.",
        status=400,
        title="Not an APXML message",
    )

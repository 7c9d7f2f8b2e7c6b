"""Values of XML made into values of JSON.

XML knows only text. `guess_value` reads the types that senders of the original agent write into that text;
`to_properties` turns the children of an element into a dict.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from lxml import etree

from agent.errors import SenderError
from agent.event.apxml import Apxml
from agent.event.apxmltext import apxml_of
from agent.event.xml import parse_xml
from agent.sdk.failures import RejectEvent

MAX_XML_DEPTH: Final = 256
"""libxml2's own limit. The gateway has checked events against the configured one, which may be lower, before."""

_FEW: Final = 64
"""Attributes of an element up to which lxml's own list is quicker; beyond, it takes the square of their number."""

_ATTRIBUTES: Final = etree.XPath("@*")
_BOOLEANS: Final = {f"{quote}{word}{quote}": word == "true" for quote in "\"'" for word in ("true", "false")}


def guess_value(text: str) -> Any:
    """Return the value that `text` stands for, by the rules of the original agent, in this order:

    =============================================  ======================
    text                                           value
    =============================================  ======================
    `"true"`, `'False'`: in quotes, any case       True or False
    `[1, 2]`, `{"a": 1}`: brackets around JSON     list or dict
    `"Building A"`: double quotes around JSON      Building A
    anything else, also a bare `true` or `42`      the text as it is
    =============================================  ======================

    Text that only looks like JSON stays text: `[disk full] on [sda]` is a message, not a list. The rules see the
    whole text, blanks included. What JSON could not carry further (NaN, 1e999) stays text, too. Never raises. Example:

        guess_value('"true"')  ->  True
        guess_value("true")    ->  "true"
    """
    flag = _BOOLEANS.get(text.lower()) if len(text) <= len('"false"') else None
    if flag is not None:
        return flag
    if len(text) < 2 or text[0] + text[-1] not in ("[]", "{}", '""'):
        return text
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def read_xml(data: bytes | str) -> etree._Element:
    """Return the root element (lxml) of untrusted XML: no DOCTYPE, no entities, nothing is fetched, limited depth.

    Raises `RejectEvent` with line and fault.
    """
    try:
        # A text has no encoding any more, whatever its declaration says.
        octets, charset = (data.encode(), "utf-8") if isinstance(data, str) else (data, None)
        return parse_xml(octets, charset, max_depth=MAX_XML_DEPTH)
    except UnicodeEncodeError as error:
        raise RejectEvent("the XML holds half a surrogate pair, which no encoding has") from error
    except SenderError as error:
        raise RejectEvent(error.sentence) from error


def read_apxml(data: bytes | str) -> Apxml:
    """Return the APXML message that an XML document holds. Raises `RejectEvent` where it holds none."""
    try:
        return apxml_of(read_xml(data))
    except SenderError as error:
        raise RejectEvent(error.sentence) from error


def to_properties(element: etree._Element) -> dict[str, Any]:
    """Return the children of `element` as a dict, in document order.

    A child with children of its own becomes a dict; one that occurs several times becomes a list at the place of its
    first occurrence; every other one becomes its text without the white space around it. Names come without their
    namespace. Attributes are kept under `@name`, and the text of an element with attributes under `#text`, so nothing
    that the sender said is dropped except comments. Example:

        <event><host id="7">db1</host><disk>sda</disk><disk>sdb</disk></event>
        {"host": {"@id": "7", "#text": "db1"}, "disk": ["sda", "sdb"]}
    """
    properties: dict[str, Any] = {f"@{local_name(name)}": value for name, value in _attributes(element)}
    children = [child for child in element if isinstance(child.tag, str)]
    text = _text_beside_children(element).strip()
    if text:
        properties["#text"] = text
    repeated: set[str] = set()
    for child in children:
        name = local_name(child.tag)
        value = _value(child)
        if name not in properties:
            properties[name] = value
        elif name in repeated:
            properties[name].append(value)
        else:
            repeated.add(name)
            properties[name] = [properties[name], value]
    return properties


def text_of(element: etree._Element) -> str:
    """Return all text within the element, without the white space around it."""
    # XPath's string value, because `itertext` would count comments in.
    return str(element.xpath("string()")).strip()


def local_name(tag: object) -> str:
    """Return an element's or attribute's name without its namespace: `{urn:x}event` is `event`."""
    return str(tag).rpartition("}")[2]


def _attributes(element: etree._Element) -> Iterable[tuple[str, str]]:
    found: Any
    if len(element.attrib) <= _FEW:
        found = element.attrib.items()
        return found  # type: ignore[no-any-return]
    found = _ATTRIBUTES(element)
    return [(each.attrname, str(each)) for each in found]


def _value(element: etree._Element) -> Any:
    properties = to_properties(element)
    if set(properties) <= {"#text"}:
        return properties.get("#text", "")
    return properties


def _text_beside_children(element: etree._Element) -> str:
    # Comments and processing instructions have tails, too: what stands behind them is text of the parent.
    return (element.text or "") + "".join(child.tail or "" for child in element)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large for a number")
    return number

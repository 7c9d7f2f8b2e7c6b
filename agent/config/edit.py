"""Sets one attribute in the octets of an XML file, or adds one element to a list, and leaves every other octet as it
is: comments, layout, line ends.

A parser that writes the tree again would not: it changes quotes, the declaration, blanks between attributes. So this
walks over the text from tag to tag and changes only what is inside one. The file must have been read without fault
before, by `parse_document`; each edit reads its own result again and compares, so that it cannot do harm to a file that
it misunderstood.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from agent.config.document import local_name, parse_document
from agent.config.problem import Problem

_SPACE: Final = "[ \t\r\n]"
_PIECE: Final = re.compile(
    rf"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|</[^>]*>"
    rf"|<(?P<name>[^\s/>!?]+)(?P<attributes>(?:{_SPACE}+[^\s=/>]+{_SPACE}*={_SPACE}*(?:\"[^\"]*\"|'[^']*'))*)"
    rf"{_SPACE}*/?>",
    re.DOTALL,
)
"""What begins with "<" in a well-formed document without a DOCTYPE. Start tags have a name."""

_ATTRIBUTE: Final = re.compile(rf"{_SPACE}+(?P<name>[^\s=/>]+){_SPACE}*={_SPACE}*(?P<value>\"[^\"]*\"|'[^']*')")
_ESCAPES: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord('"'): "&quot;", ord("'"): "&apos;"}
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class NotEditable(ValueError):
    """The edit was not made; the message is the sentence for the operator."""


def set_attribute(data: bytes, element: str, name: str, value: str | None, *, number: int | None = None) -> bytes:
    """Return `data` with `name="value"` on every `element` (by local name); None takes the attribute away.

    `number` chooses one of several elements, counted from 0 in the order of the file.

    Raises `NotEditable` when the file is not well-formed, has no such element, or when reading the result again shows
    any other difference than the one asked for.
    """
    encoding = _UTF16.get(data[:2], "latin-1")
    # Every other encoding in use has ASCII as it is; Latin-1 gives each octet back as it came.
    text = data.decode(encoding)
    pieces: list[str] = []
    done = found = 0
    for tag in _start_tags(text):
        if tag["name"].rpartition(":")[2] == element:
            found += 1
            if number not in (None, found - 1):
                continue
            start, end = tag.span("attributes")
            pieces += [text[done:start], _changed(tag["attributes"], name, value)]
            done = end
    if not found or (number is not None and number >= found):
        raise NotEditable(f"there is no <{element}> in the file; write one, then do it again")
    result = "".join([*pieces, text[done:]]).encode(encoding)
    _require_only_that(data, result, element, name, value, number)
    return result


def add_child(data: bytes, element: str, child: str, content: str) -> bytes:
    """Return `data` with `<child>content</child>` as the last in the first `element` (local names), laid out as the
    children before it.

    Raises `NotEditable` as `set_attribute` does.
    """
    encoding = _UTF16.get(data[:2], "latin-1")
    text = data.decode(encoding)
    pieces = _pieces(text)
    parent = next((piece for piece in pieces if _local(piece) == element), None)
    if parent is None:
        raise NotEditable(f"there is no <{element}> in the file; write one, then do it again")
    prefix = "".join(parent["name"].rpartition(":")[:2])
    written = content.translate(_ESCAPES).encode("ascii", "xmlcharrefreplace").decode("ascii")
    added = f"<{prefix}{child}>{written}</{prefix}{child}>"
    if parent[0].endswith("/>"):
        begun = text[: parent.end()].removesuffix("/>").rstrip()
        result = f"{begun}>{added}</{parent['name']}>{text[parent.end() :]}"
    else:
        at = parent.end()
        indent = None
        for piece in pieces:
            if piece[0].startswith("</") and piece[0][2:].rstrip("> \t\r\n") == parent["name"]:
                at = piece.start()
                break
            if _local(piece) == child:
                indent = _blanks_before(text, piece.start())
        result = text[:at] + added + text[at:]
        own = _blanks_before(text, at)
        if own is not None:
            end = "\r\n" if "\r\n" in text else "\n"
            line = at - len(own)
            result = text[:line] + (own + "  " if indent is None else indent) + added + end + text[line:]
    encoded = result.encode(encoding)
    _require_only_one_more(data, encoded, element, child, content)
    return encoded


def _blanks_before(text: str, at: int) -> str | None:
    """What stands before on the same line where that is white space, else None."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return None if line.strip() else line


def _local(piece: re.Match[str]) -> str:
    return (piece["name"] or "").rpartition(":")[2]


def _start_tags(text: str) -> Iterator[re.Match[str]]:
    return (piece for piece in _pieces(text) if piece["name"] is not None)


def _pieces(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while (at := text.find("<", at)) >= 0:
        piece = _PIECE.match(text, at)
        if piece is None:
            raise NotEditable("the file is not well-formed XML, or has a DOCTYPE")
        yield piece
        at = piece.end()


def _changed(attributes: str, name: str, value: str | None) -> str:
    there = next((one for one in _ATTRIBUTE.finditer(attributes) if one["name"] == name), None)
    if value is None:
        return attributes if there is None else attributes[: there.start()] + attributes[there.end() :]
    # References need no knowledge of the file's encoding.
    written = '"' + value.translate(_ESCAPES).encode("ascii", "xmlcharrefreplace").decode("ascii") + '"'
    if there is None:
        return f"{attributes} {name}={written}"
    start, end = there.span("value")
    return attributes[:start] + written + attributes[end:]


def _require_only_that(
    before: bytes, after: bytes, element: str, name: str, value: str | None, number: int | None
) -> None:
    old, new = parse_document("file", before), parse_document("file", after)
    if isinstance(old, Problem):
        raise NotEditable(old.text)
    if isinstance(new, Problem):
        raise NotEditable(f"{value!r} cannot stand in an attribute")
    alike = [one for one in old.iter() if local_name(one) == element]
    for place, one in enumerate(alike):
        if number in (None, place):
            if name in one.attrib:
                del one.attrib[name]
            if value is not None:
                one.set(name, value)
    if list(_nodes(old)) != list(_nodes(new)):
        raise NotEditable("the file is written in a way that cannot be edited safely here; change it by hand")


def _require_only_one_more(before: bytes, after: bytes, element: str, child: str, content: str) -> None:
    old, new = parse_document("file", before), parse_document("file", after)
    if isinstance(old, Problem):
        raise NotEditable(old.text)
    if isinstance(new, Problem):
        raise NotEditable(f"{content!r} cannot stand in an element")
    parent = next(one for one in new.iter() if local_name(one) == element)
    is_there = len(parent) > 0 and local_name(parent[-1]) == child and parent[-1].text == content
    if is_there:
        parent.remove(parent[-1])
    if not is_there or [_stripped(one) for one in _nodes(old)] != [_stripped(one) for one in _nodes(new)]:
        raise NotEditable("the file is written in a way that cannot be edited safely here; change it by hand")


def _stripped(node: tuple[object, ...]) -> tuple[object, ...]:
    """Without white space, which a new line adds to."""
    return tuple((part or "").strip() if part is None or isinstance(part, str) else part for part in node)


def _nodes(root: etree._Element) -> Iterator[tuple[object, ...]]:
    for one in root.iter():
        yield one.tag, sorted(one.attrib.items()), one.text, one.tail, len(one)

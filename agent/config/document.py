"""Bytes of a configuration file -> a tree that is safe to look at, or the one sentence why not.

All elements are moved into the vendor's namespace, so that a file in any namespace, or in none, reads the same.
Comments and processing instructions are gone. A document type declaration is refused: nothing here needs one, and it
is the road to entities that read files. lxml counts the line of a start tag at its end, so a tag over several lines
is reported at its last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from agent.config.problem import Problem, shown

NAMESPACE: Final = "http://www.alarmpoint.com/schema"
MAX_FILE_BYTES: Final = 1024 * 1024
"""The vendor's own file has 13 kB, mostly comments; a hundred destinations with long URLs have 100 kB."""
MAX_DEPTH: Final = 32
"""The deepest known element stands five levels down."""

_SENTENCES: Final = (
    (r"Opening and ending tag mismatch: (\S+) line (\d+) and (\S+)", r"<\1> of line \2 is closed by </\3>"),
    (r"Premature end of data in tag (\S+) line (\d+)", r"the file ends before <\1> of line \2 is closed"),
    (r"Document is empty", r"the file is empty"),
    (r"Start tag expected, '<' not found", r"the file does not begin with an XML element"),
    (r"Extra content at the end of the document", r"something follows after the end of the root element"),
    (r"xmlParseEntityRef: no name", r'"&" must be written as &amp;'),
    (r"EntityRef: expecting ';'", r'"&" must be written as &amp;'),
    (r"Entity '(\S+)' not defined", r'the entity "\1" is not known; "&" itself is written as &amp;'),
    (r"StartTag: invalid element name", r'a tag begins without a name; "<" itself is written as &lt;'),
    (r"Unescaped '<' not allowed in attributes values", r'"<" must be written as &lt; in an attribute'),
    (r"AttValue: .* expected", r"the value of an attribute must stand in quotes"),
    (r"Attribute (\S+) redefined", r'the attribute "\1" stands twice'),
    (r"Unsupported encoding:? (\S+)", r'the encoding "\1" is not known; use UTF-8'),
    (r"Invalid bytes in character encoding", r"the bytes do not fit the encoding of the file; save it as UTF-8"),
    (r"Input is not proper UTF-8.*", r"the bytes are not UTF-8; save the file as UTF-8"),
)


def parse_document(file: str, data: bytes) -> etree._Element | Problem:
    """Return the root element of `data`, normalised, or the problem that keeps it from being read.

    `file` is the name that the problem shows.
    """
    if len(data) > MAX_FILE_BYTES:
        return Problem(file=file, text=f"the file is larger than {MAX_FILE_BYTES} bytes, the limit for it")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        return _malformed(file, error)
    except (etree.LxmlError, LookupError, ValueError) as error:
        return Problem(file=file, line=1, text=f"not readable as XML: {error}")
    if root.getroottree().docinfo.internalDTD is not None:
        line = data[: max(data.find(b"<!DOCTYPE"), 0)].count(b"\n") + 1
        return Problem(file=file, line=line, text="a DOCTYPE is not allowed in this file; take it out")
    deep = next((element for element, depth in _with_depth(root) if depth > MAX_DEPTH), None)
    if deep is not None:
        return Problem(file=file, line=line_of(deep), text=f"elements are nested more than {MAX_DEPTH} deep")
    for element in root.iter():
        element.tag = f"{{{NAMESPACE}}}{local_name(element)}"
    return root


def comments_at(data: bytes, name: str) -> list[tuple[str, ...]]:
    """Return for each element `name`, in document order, the comments in it and directly in front of it.

    For data that `parse_document` has taken.
    """
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False)
    told: list[tuple[str, ...]] = []
    for element in etree.fromstring(data, parser).iter(etree.Element):
        if local_name(element) != name:
            continue
        comments = [*element.iter(etree.Comment)]
        before = element.getprevious()
        while before is not None and before.tag is etree.Comment:
            comments.append(before)
            before = before.getprevious()
        told.append(tuple(comment.text or "" for comment in comments))
    return told


def local_name(element: etree._Element) -> str:
    """Return the name of an element without its namespace."""
    return etree.QName(element).localname


def line_of(element: etree._Element) -> int:
    """Return the line of an element, 0 where it is not known (an element that was not parsed)."""
    line = element.sourceline
    return line if isinstance(line, int) else 0


def _with_depth(root: etree._Element) -> Iterator[tuple[etree._Element, int]]:
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if event == "start":
            yield element, depth


def _malformed(file: str, error: etree.XMLSyntaxError) -> Problem:
    line, column = error.position
    message = (error.msg or "unknown fault").rsplit(", line ", 1)[0].strip()
    sentence = f"libxml2 says {shown(message)}"
    for pattern, words in _SENTENCES:
        if match := re.match(pattern, message):
            sentence = match.expand(words)
            break
    return Problem(file=file, line=line or 1, where=f"column {max(column, 1)}", text=f"not well-formed XML: {sentence}")

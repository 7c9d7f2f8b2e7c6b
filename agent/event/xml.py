"""The hardened XML reader: untrusted bytes in, a checked document or a plain sentence out.

Parsing is lxml's (libxml2), told to leave everything alone that is not the document itself: no DTD, no entities, no
files, no network, libxml2's own limits kept (256 levels, 10 MB per text). On top of that:

* any DOCTYPE is refused before the parser sees it: entities are the root of most XML attacks, and events need none;
* the encoding is decided here (`charset`), and everything but UTF-8 is decoded by Python first, so that exactly one
  decoder of libxml2 ever runs;
* the depth is limited, in C: one XPath that asks for a node below the limit.

* the attributes of one element are limited, likewise: whoever reads them all one after the other (lxml, and services
  with it) takes the square of their number, 57 s for 100,000 of them, which is 1 MiB.

The number of elements is bounded by the size of the body: 10 MB of empty ones take libxml2 0.8 s, outside the
interpreter's lock, so they need no limit of their own.

XInclude, schema locations and style sheet instructions stay what they are: text. Nothing here follows them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from agent.errors import SenderError
from agent.event.charset import decide_codec, decode, why_codec
from agent.event.xmlfaults import fault, place, syntax_fault, too_deep, too_many_attributes

MAX_ATTRIBUTES: Final = 1000
"""Of one element (Woodstox: the same; Java's own parser 10,000, since JDK 24 200). Events have a handful. lxml lists
1000 in 3 ms."""

_PROLOG: Final = re.compile(rb"(?:[ \t\r\n]+|<\?(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->)*+")
_DOCTYPE: Final = re.compile(rb"<!DOCTYPE", re.IGNORECASE)


class XmlReader:
    """Reads documents of at most `max_depth` nested elements. Owns its parser; use one reader per thread.

    libxml2 keeps all element and attribute names it has met for the life of the thread; a reader cannot change that.
    """

    def __init__(self, *, max_depth: int) -> None:
        self.max_depth: Final = max_depth
        self._too_deep = etree.XPath("boolean(" + "/*" * (max_depth + 1) + ")")
        self._crowded = etree.XPath(f"(//*[@*[{MAX_ATTRIBUTES + 1}]])[1]")
        self._parser = _new_parser()

    def check(self, body: bytes, charset: str | None = None) -> None:
        """Raise `SenderError` (400, or 415 for an encoding that is not supported) unless `body` is an acceptable event.

        `charset` is the parameter of the Content-Type, None where there is none.
        """
        self.read(body, charset)

    def read(self, body: bytes, charset: str | None = None) -> etree._Element:
        """Return the root element; raises as `check` does."""
        codec = decide_codec(body, charset)
        text = body.removeprefix(b"\xef\xbb\xbf") if codec == "utf-8" else _as_utf8(body, charset, codec)
        _refuse_doctype(text)
        try:
            root = etree.fromstring(text, self._parser)
        except etree.XMLSyntaxError as error:
            self._parser = _new_parser()  # the old one keeps the log of its errors, and the text of this one
            if codec == "utf-8":
                decode(text, codec, why=why_codec(body, charset))  # says more about bytes that are not UTF-8
            raise syntax_fault(error, text, self.max_depth) from None
        except (ValueError, LookupError, AssertionError) as error:
            raise fault(f"The document cannot be read as XML: {error}.") from None
        # Each level but the innermost needs an end tag, so most documents prove to be shallow without an XPath.
        if text.count(b"</") >= self.max_depth and self._too_deep(root):
            raise too_deep(text, self.max_depth)
        # Each attribute needs its own sign of equality.
        crowded: Any = self._crowded(root) if text.count(b"=") > MAX_ATTRIBUTES else ()
        if crowded:
            raise too_many_attributes(crowded[0], MAX_ATTRIBUTES)
        return root


def parse_xml(body: bytes, charset: str | None = None, *, max_depth: int) -> etree._Element:
    """Read one document, with a reader of its own; see `XmlReader.read`."""
    return XmlReader(max_depth=max_depth).read(body, charset)


def _new_parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",  # wins over the declaration: the bytes are UTF-8 by now whatever it says
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
    )


def _as_utf8(body: bytes, charset: str | None, codec: str) -> bytes:
    try:
        return decode(body, codec, why=why_codec(body, charset)).encode("utf-8")
    except UnicodeEncodeError as error:  # a lone surrogate out of UTF-16
        raise fault(f"Character {error.start + 1} is half of a surrogate pair, which is not a character.") from None


def _refuse_doctype(text: bytes) -> None:
    """A DOCTYPE is only one in front of the root element; elsewhere it is text in a comment, or a syntax error."""
    if b"<!" not in text:
        return
    start = _PROLOG.match(text)
    end = start.end() if start else 0
    if not _DOCTYPE.match(text, end):
        return
    line, column = place(text, end)
    raise SenderError(
        "xml-doctype",
        f"Line {line}, column {column}: a DOCTYPE is not accepted, because it can define entities. Leave it out; "
        "write characters as they are, or as &#number;.",
        status=400,
        title="DOCTYPE in the XML",
    )

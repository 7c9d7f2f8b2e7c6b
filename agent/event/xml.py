"""The hardened XML reader: untrusted bytes in, a checked document or a plain sentence out.

Parsing is lxml's (libxml2), told to leave everything alone that is not the document itself: no DTD, no entities, no
files, no network, libxml2's own limits kept (256 levels, 10 MB per text). On top of that:

* any DOCTYPE is refused before the parser sees it: entities are the root of most XML attacks, and events need none;
* the encoding is decided here (`charset`), and everything but UTF-8 is decoded by Python first, so that exactly one
  decoder of libxml2 ever runs;
* the depth is limited, in C: one XPath that asks for a node below the limit.

The number of elements and attributes is bounded by the size of the body: 10 MB of nothing but attributes take libxml2
0.8 s, as do 10 MB of empty elements, so neither needs a limit of its own.

XInclude, schema locations and style sheet instructions stay what they are: text. Nothing here follows them.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from agent.errors import SenderError
from agent.event.charset import decide_codec, decode

_PROLOG: Final = re.compile(rb"(?:[ \t\r\n]+|<\?(?:[^?]|\?(?!>))*+\?>|<!--(?:[^-]|-(?!->))*+-->)*+")
_DOCTYPE: Final = re.compile(rb"<!DOCTYPE", re.IGNORECASE)


class XmlReader:
    """Reads documents of at most `max_depth` nested elements. Owns its parser; use one reader per thread.

    libxml2 keeps all element and attribute names it has met for the life of the thread; a reader cannot change that.
    """

    def __init__(self, *, max_depth: int) -> None:
        self.max_depth: Final = max_depth
        self._too_deep = etree.XPath("boolean(" + "/*" * (max_depth + 1) + ")")
        self._parser = _new_parser()

    def check(self, body: bytes, charset: str | None = None) -> None:
        """Raise `SenderError` (400, or 415 for an encoding that is not supported) unless `body` is an acceptable event.

        `charset` is the parameter of the Content-Type, None where there is none.
        """
        self.read(body, charset)

    def read(self, body: bytes, charset: str | None = None) -> etree._Element:
        """Return the root element; raises as `check` does."""
        codec = decide_codec(body, charset)
        text = body.removeprefix(b"\xef\xbb\xbf") if codec == "utf-8" else _as_utf8(decode(body, codec))
        _refuse_doctype(text)
        try:
            root = etree.fromstring(text, self._parser)
        except etree.XMLSyntaxError as error:
            self._parser = _new_parser()  # the old one keeps the log of its errors, and the text of this one
            raise _syntax_fault(error, text, self.max_depth) from None
        except (ValueError, LookupError, AssertionError) as error:
            raise _fault(f"The document cannot be read as XML: {error}.") from None
        # Each level but the innermost needs an end tag, so most documents prove to be shallow without an XPath.
        if text.count(b"</") >= self.max_depth and self._too_deep(root):
            raise _too_deep(self.max_depth)
        return root


def check_xml(body: bytes, charset: str | None = None, *, max_depth: int) -> None:
    """Check one document, with a reader of its own; see `XmlReader.check`."""
    XmlReader(max_depth=max_depth).check(body, charset)


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


def _as_utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:  # a lone surrogate out of UTF-16
        raise _fault(f"Character {error.start + 1} is half of a surrogate pair, which is not a character.") from None


def _refuse_doctype(text: bytes) -> None:
    """A DOCTYPE is only one in front of the root element; elsewhere it is text in a comment, or a syntax error."""
    if b"<!" not in text:
        return
    start = _PROLOG.match(text)
    end = start.end() if start else 0
    if not _DOCTYPE.match(text, end):
        return
    line, column = _place(text, end)
    raise SenderError(
        "xml-doctype",
        f"Line {line}, column {column}: a DOCTYPE is not accepted, because it can define entities. Leave it out; "
        "write characters as they are, or as &#number;.",
        status=400,
        title="DOCTYPE in the XML",
    )


def _place(text: bytes, offset: int) -> tuple[int, int]:
    """Line and column (characters) of a byte offset, both from 1."""
    line_start = text.rfind(b"\n", 0, offset) + 1
    return text.count(b"\n", 0, offset) + 1, len(text[line_start:offset].decode("utf-8", "replace")) + 1


def _fault(sentence: str, *, code: str = "bad-xml", title: str = "The XML is not well-formed") -> SenderError:
    return SenderError(code, sentence, status=400, title=title)


def _too_deep(max_depth: int, where: str = "The") -> SenderError:
    return _fault(
        f"{where} XML nests more than {max_depth} elements into one another. Send a flatter document.",
        code="xml-too-deep",
        title="The XML is nested too deeply",
    )


# libxml2's error codes (xmlerror.h), and what to tell the sender. `{0}`, `{1}` are names found in libxml2's own words.
_SENTENCES: Final[dict[int, str]] = {
    4: "the document does not begin with an element",
    5: "something follows the end of the document; a document has one root element and nothing but comments after it",
    9: "a control character is not allowed in XML, not even as &#number;",
    8: "the character that is written as &#number; is not allowed in XML",
    20: "only the five entities &amp; &lt; &gt; &quot; &apos; and &#number; can be used",
    23: "an '&' begins a reference that is not ended by ';'; write a plain '&' as &amp;",
    26: "the entity &{0}; is not defined; only &amp; &lt; &gt; &quot; &apos; and &#number; can be used",
    38: "a '<' inside an attribute value must be written as &lt;",
    39: "an attribute value must stand in quotes",
    41: "the attribute {0!r} has no value",
    42: "the attribute {0!r} is given twice",
    45: "a comment is not ended by -->",
    62: "']]>' in text must be written as ]]&gt;",
    63: "a CDATA section is not ended by ]]>",
    64: "the XML declaration <?xml ...?> must be the very first thing, without white space in front of it",
    65: "a blank is missing, between two attributes or in the XML declaration",
    68: "a name is expected: a plain '<' or '&' must be written as &lt; or &amp;",
    73: "a start tag is not ended by '>'",
    76: "</{1}> does not end the element <{0}> that was begun last",
    80: "'--' is not allowed inside a comment",
    81: "the bytes are not valid UTF-8; send the document in the encoding it declares",
    108: 'the XML version is not supported; write version="1.0"',
    201: "the namespace prefix {0!r} is not declared",
}
_CUT_OFF: Final = frozenset({45, 63, 73, 77})
_QUOTED: Final = re.compile(r"(?:Entity|attribute|Attribute|mismatch:|prefix) '?([^' ]+)'?")
_MISMATCH_END: Final = re.compile(r" and (\S+)$")


def _syntax_fault(error: etree.XMLSyntaxError, text: bytes, max_depth: int) -> SenderError:
    """Put libxml2's finding into plain words."""
    line, column = error.position
    code: int = getattr(error, "code", 0) or 0  # missing in the type stubs
    message = (error.msg or "").partition("\n")[0].rpartition(", line ")[0] or (error.msg or "")
    where = f"Line {line}, column {column}"
    if not text.strip():
        return _fault("The body is empty; an XML document is expected.", code="empty-body", title="Empty body")
    if "Excessive depth" in message:
        return _too_deep(max_depth, f"{where}: the")
    if "too long" in message or "huge" in message.lower():
        return _fault(f"{where}: one piece of text, name or attribute is too long (libxml2's limit is 10 MB).")
    at_end = (line, column) >= _place(text, len(text.rstrip()))
    if code == 77 or (at_end and code in _CUT_OFF | {40, 65, 68}):
        name = re.search(r"tag (\S+) line (\d+)", message)
        begun = f": the element <{_shown(name[1])}> begun in line {name[2]} has no end tag" if name else ""
        return _fault(f"{where}: the document is cut off{begun}.", code="xml-truncated", title="The XML is cut off")
    names = [_shown(found[1]) for found in (_QUOTED.search(message), _MISMATCH_END.search(message)) if found]
    sentence = _SENTENCES.get(code, "")
    try:
        plain = sentence.format(*names)
    except IndexError:
        plain = ""
    return _fault(f"{where}: {plain or _shown(message) or 'this is not well-formed XML'}.")


def _shown(name: str) -> str:
    """A name out of the document, short and without anything a terminal or a page would obey."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= 80 else shown[:77] + "..."

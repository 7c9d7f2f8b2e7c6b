"""What is wrong with an XML document, in sentences that a sender can act upon: libxml2's findings put plainly."""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from agent.errors import SenderError

_TAGS: Final = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    rb"|<(/?)[^\s/>]++(?:[^>\"'/]++|/(?!>)|\"[^\"]*+\"|'[^']*+')*+(/?)>",
    re.DOTALL,
)
"""Everything in a well-formed document that begins with `<`. The groups are the slash of an end tag, and that of an
empty element."""


def place(text: bytes, offset: int) -> tuple[int, int]:
    """Line and column (characters) of a byte offset, both from 1."""
    line_start = text.rfind(b"\n", 0, offset) + 1
    return text.count(b"\n", 0, offset) + 1, len(text[line_start:offset].decode("utf-8", "replace")) + 1


def too_many_attributes(element: etree._Element, limit: int) -> SenderError:
    """The fault of a document with this element in it."""
    return fault(
        f"Line {element.sourceline}: the element <{shown(etree.QName(element).localname)}> has more than {limit} "
        "attributes. Send them as elements, or in several.",
        code="xml-too-many-attributes",
        title="An element has too many attributes",
    )


def fault(sentence: str, *, code: str = "bad-xml", title: str = "The XML is not well-formed") -> SenderError:
    return SenderError(code, sentence, status=400, title=title)


def too_deep(text: bytes, max_depth: int) -> SenderError:
    """The fault of a document that is well-formed at least up to its first element that is too deep."""
    depth = offset = 0
    for tag in _TAGS.finditer(text):
        if tag[2] is None:
            continue
        depth += -1 if tag[1] else 1
        if depth > max_depth:
            offset = tag.start()
            break
        depth -= bool(tag[2])
    line, column = place(text, offset)
    return fault(
        f"Line {line}, column {column}: the XML nests more than {max_depth} elements into one another. Send a flatter "
        "document.",
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
    81: "the bytes are not valid UTF-8",
    108: 'the XML version is not supported; write version="1.0"',
    201: "the namespace prefix {0!r} is not declared",
}
_NAME_TOO_LONG: Final = 110
_CUT_OFF: Final = frozenset({45, 63, 73, 77})
_QUOTED: Final = re.compile(r"(?:Entity|attribute|Attribute|mismatch:|prefix) '?([^' ]+)'?")
_MISMATCH_END: Final = re.compile(r" and (\S+)$")


def syntax_fault(error: etree.XMLSyntaxError, text: bytes, max_depth: int) -> SenderError:
    """Put libxml2's finding into plain words."""
    line, column = error.position
    code: int = getattr(error, "code", 0) or 0  # missing in the type stubs
    message = (error.msg or "").partition("\n")[0].rpartition(", line ")[0] or (error.msg or "")
    where = f"Line {line}, column {column}"
    if not text.strip():
        return fault("The body is empty; an XML document is expected.", code="empty-body", title="Empty body")
    if "Excessive depth" in message:
        return too_deep(text, max_depth)
    if code == _NAME_TOO_LONG:
        return fault(f"{where}: a name is too long (libxml2's limit for names is 50,000 bytes).")
    if "too long" in message or "too big" in message or "huge" in message.lower():
        return fault(f"{where}: one text, attribute value or comment is too long (libxml2's limit is 10 MB).")
    at_end = (line, column) >= place(text, len(text.rstrip()))
    if code == 77 or (at_end and code in _CUT_OFF | {40, 65, 68}):
        name = re.search(r"tag (\S+) line (\d+)", message)
        begun = f": the element <{shown(name[1])}> begun in line {name[2]} has no end tag" if name else ""
        return fault(f"{where}: the document is cut off{begun}.", code="xml-truncated", title="The XML is cut off")
    names = [shown(found[1]) for found in (_QUOTED.search(message), _MISMATCH_END.search(message)) if found]
    sentence = _SENTENCES.get(code, "")
    try:
        plain = sentence.format(*names)
    except IndexError:
        plain = ""
    return fault(f"{where}: {plain or shown(message) or 'this is not well-formed XML'}.")


def shown(name: str) -> str:
    """A name out of the document, short and without anything a terminal or a page would obey."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= 80 else shown[:77] + "..."

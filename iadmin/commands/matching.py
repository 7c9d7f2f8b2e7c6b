"""`--match`: dead letters by what their reason or body says, as text or as XPath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from lxml import etree

from agent.errors import ExitStatus, OperatorError, SenderError
from agent.event.xml import parse_xml

MAX_DEPTH: Final = 1000
"""Of a body that is searched; it was within the gateway's own limit when it came in."""

Fits = Callable[[str, bytes], bool]
"""Whether a letter with this reason and this body is meant."""


@attrs.frozen
class Text:
    """Reason or body contain these words, whatever their case."""

    words: str

    def __call__(self, reason: str, body: bytes) -> bool:
        words = self.words.casefold()
        return words in reason.casefold() or words in as_text(body).casefold()


@attrs.frozen
class Path:
    """The body is XML and the expression finds something in it (or is true, not 0, or not empty).

    Namespaces are taken off before: whoever searches at three in the morning writes `//severity`, whatever prefix the
    sender chose.
    """

    expression: etree.XPath

    def __call__(self, reason: str, body: bytes) -> bool:
        try:
            root = parse_xml(body, max_depth=MAX_DEPTH)
        except SenderError:
            return False
        for element in root.iter(etree.Element):
            element.tag = etree.QName(element).localname
        found: Any = self.expression(root)
        return bool(found)


def matcher(text: str) -> Fits:
    """Read `--match`: `/...`, `(...` and `xpath:...` are XPath, everything else, and `text:...`, is text."""
    if text.startswith("text:"):
        return Text(text.removeprefix("text:"))
    if not text.startswith(("xpath:", "/", "(")):
        return Text(text)
    expression = text.removeprefix("xpath:")
    try:
        path = Path(etree.XPath(expression))
        # Some mistakes (unknown functions, prefixes) show at the first document only.
        path("", b"<a/>")
        return path
    except etree.XPathError as error:
        raise OperatorError(
            "bad-xpath",
            f"{expression!r} is not an XPath ({error}); to search for it as text, write --match 'text:{expression}'",
            exit_status=ExitStatus.USAGE,
        ) from None


def as_text(body: bytes) -> str:
    """A body to search in: UTF-8, or UTF-16 where it says so with its first bytes."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    return body.decode("utf-8", "replace")

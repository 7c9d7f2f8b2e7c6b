"""`--match`: text and XPath."""

from __future__ import annotations

import pytest

from agent.errors import OperatorError
from iadmin.commands.matching import matcher

BODY = '<e:event xmlns:e="urn:x"><severity>high</severity><city>Zürich</city></e:event>'.encode()


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("zürich", True),
        ("ZÜRICH", True),
        ("broken pipe", True),
        ("Geneva", False),
        ("//severity", True),
        ("/event/severity", True),
        ("//severity[. = 'low']", False),
        ("xpath:count(//city)", True),
        ("xpath:count(//town)", False),
        ("xpath:string(//town)", False),
        ("xpath:boolean(//city)", True),
        ("(//city)[2]", False),
        ("text:<city>", True),
        ("text:xpath:", False),
    ],
)
def test_text_and_xpath(match: str, fits: bool) -> None:
    """Nodes, numbers, texts and truths as XPath has them; names without namespaces."""
    assert fits == matcher(match)("Broken Pipe", BODY)


def test_text_is_found_in_utf_16() -> None:
    """Which management systems on Windows send."""
    assert matcher("zürich")("", "<a>Zürich</a>".encode("utf-16"))


def test_an_xpath_fits_no_json_and_no_broken_xml() -> None:
    """There is nothing in it to be found; and nothing outside is read by it."""
    for body in (b"{}", b"<a>", b"", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'):
        assert not matcher("//*")("", body)


@pytest.mark.parametrize("match", ["//[", "xpath:", "/a/b/", "(", "xpath:nonsense("])
def test_what_is_no_xpath_is_refused(match: str) -> None:
    """Before anything is searched."""
    with pytest.raises(OperatorError, match="is not an XPath"):
        matcher(match)

"""agent.sdk.http: the request a service sees, and the answers it can give."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from agent.sdk import HttpRequest, HttpResponse, RejectEvent


def request(body: bytes = b"", **more: Any) -> HttpRequest:
    return HttpRequest(id="e", service="a|b", method="POST", body=body, **more)


def test_headers_are_found_in_any_case() -> None:
    """The first field of a name counts."""
    asked = request(headers=(("soapaction", "urn:a"), ("soapaction", "urn:b")))

    assert ("urn:a", "none") == (asked.header("SOAPAction"), asked.header("X-Other", "none"))


def test_body_is_read_as_asked() -> None:
    """XML safely, JSON, or text in the declared encoding."""
    assert "e" == request(b"<e/>").xml.tag
    assert {"a": 1} == request(b'{"a": 1}').json
    assert "é" == request(b"\xe9", charset="latin-1").text


@pytest.mark.parametrize("look", [lambda r: r.xml, lambda r: r.json])
def test_what_cannot_be_read_is_rejected(look: Any) -> None:
    """A body of another kind rejects the request."""
    with pytest.raises(RejectEvent):
        look(request(b"<!DOCTYPE e><e/>"))


def test_text_answers_become_utf8() -> None:
    """Text and bytes can be given."""
    assert "é".encode() == HttpResponse(body="é").body
    assert b"\xff" == HttpResponse(body=b"\xff").body


def test_elements_are_written_out() -> None:
    """As the original does it with XML objects; what follows an element in its document does not belong to it."""
    element = etree.fromstring("<a><b>ä</b>tail</a>")[0]
    assert "<?xml version='1.0' encoding='UTF-8'?>\n<b>ä</b>".encode() == HttpResponse(body=element).body


@pytest.mark.parametrize(
    "wrong",
    [{"status": 99}, {"status": 600}, {"headers": {"a": 1}}, {"content_type": None}, {"body": 5}, {"body": ["a"]}],
)
def test_impossible_answers_are_refused(wrong: dict[str, Any]) -> None:
    """What HTTP cannot say fails in the hook."""
    with pytest.raises((ValueError, TypeError)):
        HttpResponse(**wrong)

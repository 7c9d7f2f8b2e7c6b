"""What a hook wants sent, and what it is told in its own line."""

from typing import Any

import pytest

from agent.delivery import OutboundRequest
from agent.sdk.request import compose


def composed(**arguments: Any) -> OutboundRequest:
    absent: dict[str, Any] = {"json": None, "body": None, "content_type": None, "headers": None}
    return compose("outbox", **{**absent, "path": "", "method": "", **arguments})


@pytest.mark.parametrize(
    ("arguments", "body", "content_type"),
    [
        ({"json": {"city": "Zürich"}}, '{"city":"Zürich"}'.encode(), "application/json"),
        ({"json": "\ud83d"}, b'"\\ud83d"', "application/json"),
        ({"body": "<ü/>"}, "<ü/>".encode(), "text/plain; charset=utf-8"),
        ({"body": bytearray(b"\xff")}, b"\xff", "application/octet-stream"),
        ({"body": b"", "content_type": ""}, b"", ""),
    ],
)
def test_bodies_become_bytes_of_a_type(arguments: dict[str, Any], body: bytes, content_type: str) -> None:
    """Half a surrogate pair, which UTF-8 cannot hold, is spelled as JSON spells it."""
    request = composed(**arguments)
    assert (body, content_type) == (request.body, request.content_type)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, TypeError, "exactly one of json= and body="),
        ({"json": 1, "body": b""}, TypeError, "exactly one of json= and body="),
        ({"body": 3}, TypeError, "body is a int"),
        ({"json": float("nan")}, ValueError, "not JSON compliant"),
        ({"json": object()}, TypeError, "not JSON serializable"),
        ({"json": 1, "path": "new"}, ValueError, "path is 'new'"),
        ({"json": 1, "path": "/a\r\nHost: x"}, ValueError, "without line breaks"),
        ({"json": 1, "method": "GET /"}, ValueError, "method is 'GET /'"),
        ({"json": 1, "content_type": "a\nb"}, ValueError, "content_type is"),
        ({"json": 1, "headers": {"a b": "c"}}, ValueError, "'a b' is not the name of a header field"),
        ({"json": 1, "headers": {"a": "c\r\nd: e"}}, ValueError, "header a is"),
        ({"json": 1, "headers": {"a": 1}}, TypeError, "header a is a int, expected str"),
    ],
)
def test_what_could_not_be_sent_is_said(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    """With the value found."""
    with pytest.raises(error) as caught:
        composed(**arguments)
    assert words in str(caught.value)

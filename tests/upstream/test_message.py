"""What a stored request becomes as an HTTP message."""

from __future__ import annotations

import pytest

from agent.config.model import HttpDestination
from agent.config.outbound import BasicCredentials
from agent.errors import DestinationError
from agent.secret import Secret
from agent.upstream.login import fields_of
from agent.upstream.message import MAX_KEPT, Letterhead, method_of, rendered, url_of
from tests.support.fake_spool import FakeSpool

URL = "http://x.example/api?k=1"


def test_the_services_headers_win_over_the_destinations():
    """Whatever the case of their names; the id is nobody's to set."""
    destination = HttpDestination(name="o", url=URL, headers=(("X-A", "1"), ("x-b", "2"), ("Idempotency-Key", "no")))
    request = FakeSpool().put(headers=(("x-a", "3"), ("Content-Type", "text/plain")))
    found = dict(Letterhead(destination).fields(request, {}))
    assert b"X-A: 3\r\n" == found["x-a"]
    assert b"X-B: 2\r\n" == found["x-b"]
    assert b"Content-Type: text/plain\r\n" == found["content-type"]
    assert b"Idempotency-Key: event-1/1\r\n" == found["idempotency-key"]


def test_credentials_are_sent_and_never_shown():
    """Not in a refusal of the request's own headers either."""
    credentials = BasicCredentials(user="äda", password=Secret("s3cr:t"))
    letterhead = Letterhead(HttpDestination(name="o", url=URL))
    found = dict(letterhead.fields(FakeSpool().put(), fields_of(credentials)))
    assert b"Authorization: Basic w6RkYTpzM2NyOnQ=\r\n" == found["authorization"]
    with pytest.raises(DestinationError) as caught:
        letterhead.fields(FakeSpool().put(headers=(("X-Token", "hunter2\r\n"),)), {})
    assert "hunter2" not in caught.value.sentence


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "a\r\nX-B: b"),
        ("X-A", "a\nb"),
        ("X-A", "a\0b"),
        ("X-A", "\u20ac"),
        ("X-A: b\r\nX-B", "c"),
        ("", "a"),
        ("X A", "a"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("Host", "other.example"),
        ("Connection", "close"),
    ],
)
def test_no_header_becomes_two_or_reframes_the_message(header):
    """And it is final: the same request would be as wrong the next time."""
    with pytest.raises(DestinationError) as caught:
        Letterhead(HttpDestination(name="o", url=URL)).fields(FakeSpool().put(headers=(header,)), {})
    assert ("unfit-request", False) == (caught.value.code, caught.value.retryable)


@pytest.mark.parametrize("method", ["GE T", "POST\r\n", "", "GÉT"])
def test_a_method_is_a_token(method):
    """An empty one means the destination's."""
    request = FakeSpool().put(method=method).request
    destination = HttpDestination(name="o", url=URL, method="put")
    if not method:
        assert "PUT" == method_of(destination, request)
        return
    with pytest.raises(DestinationError, match="is not a method"):
        method_of(destination, request)


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://h/api", "", "https://h/api"),
        ("https://h/api", "/x", "https://h/api/x"),
        ("https://h/api/", "x", "https://h/api/x"),
        ("https://h", "/x/", "https://h/x/"),
        ("https://h/api?k=1", "/x", "https://h/api/x?k=1"),
        ("https://h/api?k=1", "/x?b=2", "https://h/api/x?k=1&b=2"),
        ("https://h/api", "/a b\r\nc#d\u00e4", "https://h/api/a%20b%0D%0Ac%23d%C3%A4"),
        ("https://h/api", "/a%2Fb", "https://h/api/a%2Fb"),
        ("https://h/api", "//evil.example/x", "https://h/api/evil.example/x"),
    ],
)
def test_a_path_goes_behind_the_destinations_own(base, path, url):
    """Encoded where needed, never another host."""
    assert url == url_of(base, path)


@pytest.mark.parametrize("path", ["/../x", "/a/./b", "/%2e%2e/x", "/%252e%252e/x", "/..%2fx", "\\..\\x", "/.."])
def test_a_path_cannot_leave_the_destinations_own(path):
    """A path that was built from an event is the sender's choice."""
    with pytest.raises(DestinationError, match="dot segment"):
        url_of("https://h/api", path)


def test_each_request_has_its_own_id_type_and_login():
    """What is kept of the requests before is not theirs; and not more is kept than there are kinds."""
    letterhead = Letterhead(HttpDestination(name="o", url=URL))
    spool = FakeSpool()
    for number in range(1, 2 * MAX_KEPT):
        request = spool.put(content_type=f"text/{number}")
        found = dict(letterhead.fields(request, {"authorization": f"Bearer {number}"}))
        assert b"Idempotency-Key: event-%d/1\r\n" % number == found["idempotency-key"]
        assert b"Content-Type: text/%d\r\n" % number == found["content-type"]
        assert b"Authorization: Bearer %d\r\n" % number == found["authorization"]
    assert found == dict(letterhead.fields(request, {"authorization": f"Bearer {number}"}))
    assert "authorization" not in dict(letterhead.fields(request, {}))


@pytest.mark.parametrize(
    ("method", "body", "end"),
    [
        ("POST", b"hi", b"Content-Length: 2\r\n\r\nhi"),
        ("POST", b"", b"Content-Length: 0\r\n\r\n"),
        ("GET", b"", b"Host: x.example\r\n\r\n"),
        ("DELETE", b"hi", b"Content-Length: 2\r\n\r\nhi"),
    ],
)
def test_a_request_is_one_piece(method, body, end):
    """It names a length where its method expects a body."""
    whole = rendered(method=method, target=b"/in?k=1", host=b"x.example", fields=(), login="", body=body)
    assert whole.startswith(method.encode() + b" /in?k=1 HTTP/1.1\r\nHost: x.example\r\n")
    assert whole.endswith(end)


def test_the_login_for_a_proxy_is_a_field_of_its_own():
    """Which cannot become two, whatever the proxy made us say."""
    whole = rendered(method="GET", target=b"/", host=b"h", fields=(("x", b"X: 1\r\n"),), login="Basic dTpw", body=b"")
    assert b"X: 1\r\nProxy-Authorization: Basic dTpw\r\n\r\n" in whole
    with pytest.raises(DestinationError):
        rendered(method="GET", target=b"/", host=b"h", fields=(), login='Digest realm="\r\nX: y"', body=b"")

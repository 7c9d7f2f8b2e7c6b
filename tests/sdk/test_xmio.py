"""agent.sdk.xmio: requests to the platform by the words of the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from agent.sdk import Answer, Form, xmio
from agent.sdk.context import Surroundings, calling, settle_in

URLS = {"xm": "https://acme.example.com", "deep": "https://acme.example.com/api/integration/1/", "self": "http://h/a"}


def settled(*, settings: Mapping[str, str] = MappingProxyType({}), **constants: str) -> None:
    settle_in(
        Surroundings(urls=URLS, destinations=frozenset({*URLS, "outbox"}), settings=settings, constants=constants)
    )


@pytest.fixture(autouse=True)
def elsewhere_afterwards() -> Iterator[None]:
    yield
    settle_in(Surroundings())


def test_methods_store_requests() -> None:
    """Body, type and method; what is JSON text already stays as it is."""
    settled()
    with calling() as call:
        xmio.post({"a": 1}, "/x")
        xmio.put('{"b":2}', "/y", headers={"X-A": "1"})
        xmio.patch([1])
        xmio.delete("/z")

    assert [
        ("POST", "/x", b'{"a":1}', "application/json"),
        ("PUT", "/y", b'{"b":2}', "application/json"),
        ("PATCH", "", b"[1]", "application/json"),
        ("DELETE", "/z", b"", ""),
    ] == [(each.method, each.path, each.body, each.content_type) for each in call.requests]
    assert (("X-A", "1"),) == call.requests[1].headers


def test_asking_gives_the_answer() -> None:
    """Each method at once; a get is always asked."""
    settled()
    with calling(answers=[Answer(status=200, body=b"[1]"), Answer(status=409), *[Answer(status=204)] * 3]) as call:
        got = xmio.get("/api/xm/1/events?status=ACTIVE").wait()
        refused = xmio.asking.post({"id": 1}).wait()
        for asked in (xmio.asking.put(1), xmio.asking.patch(1), xmio.asking.delete("/e/1")):
            asked.wait()

    assert (200, [1], 409) == (got.status, got.json(), refused.status)
    assert ["GET", "POST", "PUT", "PATCH", "DELETE"] == [each.method for each in call.asked]
    assert [] == call.requests


@pytest.mark.parametrize(
    ("url", "destination", "path"),
    [
        ("https://acme.example.com", "xm", ""),
        ("https://acme.example.com/reapi/2015-04-01/forms/u/triggers", "xm", "/reapi/2015-04-01/forms/u/triggers"),
        ("https://acme.example.com?a=b", "xm", "?a=b"),
        ("https://acme.example.com/api/integration/1/functions/u/triggers", "deep", "/functions/u/triggers"),
        ("/events", "outbox", "/events"),
        ("", "outbox", ""),
        ("self", "self", ""),
    ],
)
def test_urls_lead_to_destinations(url: str, destination: str, path: str) -> None:
    """The longest destination that a URL begins with; the rest is the path."""
    settled()
    with calling() as call:
        xmio.post({}, url)

    assert (destination, path) == (call.requests[0].destination, call.requests[0].path)


@pytest.mark.parametrize(
    "url", ["https://acme.example.com.evil.example/x", "https://other.example/x?key=secret", "http://h/ab"]
)
def test_url_that_no_destination_leads_to(url: str) -> None:
    """The sentence says what iaconfig.xml lacks, and does not repeat a query, which may hold a key."""
    settled()
    with calling(), pytest.raises(ValueError, match="no destination leads to") as caught:
        xmio.post({}, url)

    assert "secret" not in str(caught.value)
    assert "xm (https://acme.example.com)" in str(caught.value)


def test_default_url() -> None:
    """A global of the script, else a constant in any case, else the destination itself."""
    for settings, constants, expected in (
        ({"WEB_SERVICE_URL": "/a"}, {"WEB_SERVICE_URL": "/b"}, "/a"),
        ({}, {"web_service_url": "/b"}, "/b"),
        ({}, {}, ""),
    ):
        settled(settings=settings, **constants)
        with calling() as call:
            xmio.post({})
        assert expected == call.requests[0].path


def test_a_form_is_posted_as_the_platform_takes_it() -> None:
    """Nobody has to remember `to_dict`."""
    with calling() as call:
        xmio.post(Form(properties={"pump": "P-101"}, priority="high"))
    assert b'{"properties":{"pump":"P-101"},"priority":"high"}' == call.requests[0].body

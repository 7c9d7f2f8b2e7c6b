"""The way to the agent, without a network."""

import socket
from contextlib import suppress
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apclient.gateway import Answer, BadUrl, Trust, Unreachable, Url, authorization, post, read_answer, request
from apclient.submission import Submission

SENT = Submission(service="a_b", content_type="application/json", body=b"{}", key="k1")


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "is_tls"),
    [
        ("http://127.0.0.1:8081", "127.0.0.1", 8081, "", False),
        ("https://agent.example.com/", "agent.example.com", 443, "", True),
        ("http://[::1]:80/ia/", "::1", 80, "/ia", False),
        ("http://[::1]", "::1", 80, "", False),
    ],
)
def test_urls_of_gateways(text: str, host: str, port: int, path: str, is_tls: bool) -> None:
    """Names, addresses and what a proxy puts in front."""
    url = Url(text)
    assert (host, port, path, is_tls) == (url.host, url.port, url.path, url.is_tls)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:8081",
        "ftp://x",
        "http://",
        "http://u:p@h",
        "http://h:x",
        "http://h\n:1",
        "http://h:0",
        "http://h:65536",
    ],
)
def test_what_is_no_url_is_said(text: str) -> None:
    """With the value found and the value expected."""
    with pytest.raises(BadUrl, match="is not the URL of a gateway, such as"):
        Url(text)


def test_the_request() -> None:
    """The key makes it the same event when it comes twice."""
    assert (
        b"POST /apxml/a_b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: apclient\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\nIdempotency-Key: k1\r\nAccept: application/json\r\nConnection: close\r\n"
        b"Authorization: Bearer t\r\n\r\n{}"
    ) == request(Url("http://h:1"), SENT, authorization("t"))


def test_credentials_are_a_user_or_a_token() -> None:
    """A colon tells."""
    assert "Basic bmFnaW9zOnfDtnJ0OjE=" == authorization("nagios:wört:1")
    assert "" == authorization("")


def test_an_answer_and_its_sentence() -> None:
    """Control characters would move a terminal's cursor."""
    answer = read_answer(b'HTTP/1.1 404 Not Found\r\nContent-Length: 23\r\n\r\n{"detail": "no\\u001bsuch"}')
    assert (404, "no?such") == (answer.status, answer.detail)
    assert "" == Answer(500, b"[]").detail


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15\x03\x03\x00\x02\x02\x0a",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 202 Accepted\r\n",
        b"HTTP/1.1 2020 x\r\n\r\n",
        b"HTTP/1.1 2\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_what_is_no_whole_answer_promises_nothing(data: bytes) -> None:
    """The event may not be stored."""
    with pytest.raises(Unreachable):
        read_answer(data)


@given(st.binary())
def test_rubbish_is_an_answer_or_none(data: bytes) -> None:
    """There is no third way out."""
    with suppress(Unreachable):
        assert 200 <= read_answer(b"HTTP/1.1 2" + data).status <= 299


def test_a_name_service_that_is_silent_counts_against_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up of a name has no time-out of its own."""
    over = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait() and [])
    with pytest.raises(Unreachable, match="no answer within"):
        post(Url("http://agent.example.com"), SENT, authorization="", trust=Trust(), timeout_s=0.01)
    over.set()


def test_a_name_without_an_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the look-up raises is raised where somebody waits for it."""

    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match="name or service not known"):
        post(Url("http://agent.example.com"), SENT, authorization="", trust=Trust(), timeout_s=9)

"""Bad input gets one clear sentence, and the agent goes on."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest

from tests.support.live import LiveHome


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHome]:
    """One agent for all refusals of this file: what one of them does to it, the others must not notice."""
    live = LiveHome(tmp_path_factory.mktemp("refusals") / "home")
    live.start()
    yield live
    live.close()


GOOD = "<event><properties><city>Victoria</city></properties></event>"


def raw(agent: LiveHome, data: bytes) -> bytes:
    """Send bytes as they are; return all that comes until the agent closes the connection."""
    with socket.create_connection(("127.0.0.1", agent.port), 10) as connection:
        connection.sendall(data)
        connection.settimeout(10)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /http/applications_sample-plan HTTP/1.1", "Host: agent", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"<event><properties>", "line 1", id="truncated"),
        pytest.param(b"<a>" * 100_000 + b"</a>" * 100_000, "nests", id="100,000 levels"),
        pytest.param(b'<!DOCTYPE e [<!ENTITY x "y">]><e>&x;</e>', "DOCTYPE", id="doctype"),
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"{not json", "JSON", id="broken JSON"),
    ],
)
def test_a_bad_document_is_a_400_with_a_sentence(agent: LiveHome, body: bytes, words: str) -> None:
    """The sender reads what is wrong with the document, and where."""
    status, response_head, answer = agent.post(body)
    assert 400 == status, answer
    assert "application/problem+json" in response_head
    assert words.lower() in json.loads(answer)["detail"].lower()
    assert 202 == agent.post(GOOD)[0]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(head("Content-Length: 2147483648"), b" 413 ", id="2 GB declared"),
        pytest.param(head("Content-Length: 5", "Content-Length: 6") + b"hello", b" 400 ", id="two lengths"),
        pytest.param(head("Transfer-Encoding: chunked") + b"zz\r\nhello\r\n0\r\n\r\n", b" 400 ", id="chunk size"),
        pytest.param(
            head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n", b" 400 ", id="chunk size of 18 digits"
        ),
        pytest.param(head("Transfer-Encoding: chunked", "Content-Length: 5") + b"hello", b" 400 ", id="both framings"),
        pytest.param(b"GET / HTTP/3.0\r\n\r\n", b" 505 ", id="other major version"),
        pytest.param(b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b" 414 ", id="long target"),
        pytest.param(head("X-Long: " + "a" * 40_000), b" 431 ", id="long header"),
    ],
)
def test_a_bad_request_is_refused_with_its_status(agent: LiveHome, request_bytes: bytes, status: bytes) -> None:
    """Framing that cannot be trusted ends in one answer and a closed connection; others do not notice."""
    answer = raw(agent, request_bytes)
    assert status in answer.split(b"\r\n")[0] + b" ", answer
    assert b"connection: close" in answer.lower()
    assert 202 == agent.post(GOOD)[0]


def test_an_unknown_service_is_a_404(agent: LiveHome) -> None:
    """The answer names the form of the URL and echoes nothing unescaped."""
    status, _, body = agent.post(GOOD, "applications_no-such<b>")
    assert 404 == status
    assert "<b>" not in body


def test_get_on_a_service_is_a_405(agent: LiveHome) -> None:
    """And the answer says what is allowed."""
    status, response_head, _ = agent.curl(f"{agent.url}/http/applications_sample-plan")
    assert 405 == status
    assert "allow: post" in response_head.lower()


def test_pipelined_requests_are_answered_in_order(agent: LiveHome) -> None:
    """Ten requests in one write: ten answers in order, the bad one in its place."""
    good = f"POST /http/applications_sample-plan HTTP/1.1\r\nHost: a\r\nContent-Length: {len(GOOD)}\r\n\r\n{GOOD}"
    bad = "POST /http/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    last = good.replace("Host: a", "Host: a\r\nConnection: close")
    answer = raw(agent, (good * 4 + bad + good * 4 + last).encode())
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answer)
    assert [b"202"] * 4 + [b"404"] + [b"202"] * 5 == statuses


def test_expect_100_continue_is_honoured(agent: LiveHome) -> None:
    """curl sends Expect with large bodies and waits; it must not wait in vain."""
    filler = "x" * 2_000_000
    status, _, body = agent.post(
        GOOD.replace("Victoria", filler), "applications_sample-plan", "-H", "Expect: 100-continue"
    )
    assert 202 == status, body


def test_utf_16_without_byte_order_mark_is_read(agent: LiveHome) -> None:
    """It is no XML to the letter, but its first bytes leave no doubt; the service must read what the sender wrote."""
    event = agent.settled(agent.accept(GOOD.encode("utf-16-le")))
    assert "done" == event["state"]
    assert {"city": "Victoria"} == json.loads(event["requests"][0]["body"])["properties"]


def test_tls_on_the_plain_port_gets_a_tls_alert(agent: LiveHome) -> None:
    """A TLS client understands nothing else; it must not hang or print rubbish."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40
    assert raw(agent, hello).startswith(b"\x15\x03")

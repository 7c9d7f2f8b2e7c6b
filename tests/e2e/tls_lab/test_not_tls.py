"""On a TLS port what is not TLS, on a plain port TLS: recognised, refused in its own language, and told once."""

from __future__ import annotations

import json

import pytest

from tests.e2e.tls_lab.lab import PATH, Lab, alert, problem, request

GATEWAYS = {
    "main": 'ssl="true" certificate="{folder}/server.pem"',
    "plain": 'ssl="false"',
}
LIMITS = "<handshake-timeout-s>2</handshake-timeout-s><header-timeout-s>2</header-timeout-s>"

SSL2_HELLO = bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + bytes(16)
SSL23_HELLO = bytes.fromhex(
    "802e0103010015000000100000160000130000 0a0700c0000066000007000004".replace(" ", "")
) + bytes(16)
"""As OpenSSL 0.9.8 and Java 6 greet: the form of SSL 2.0, offering TLS 1.0."""

CALLED = "PEER called port PORT, which speaks HTTPS, and what it sent looks like"
LOOK_AT_IT = "if it is a sender of events, its settings are wrong; otherwise somebody scans this machine's ports"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND"])
def test_http_of_any_method_is_refused_with_the_right_url(lab: Lab, method: str) -> None:
    """curl gets 400 with the URL to use; nothing of the event is taken; the operator reads the familiar words."""
    peer = lab.peer()
    # curl would wait for a body after HEAD; nobody sends an event so.
    done = lab.curl(peer, "-X", method, scheme="http")
    body, _, status = done.stdout.rpartition(b"\n")
    assert b"400" == status
    if method != "HEAD":
        document = json.loads(body)
        assert document["type"].endswith("needs-tls")
        assert lab.url() in document["detail"]
    cause, sentence = lab.told(peer)
    assert "plaintext" == cause
    assert (
        f'Unrecognized SSL message, plaintext connection? PEER sent "{method} {PATH}" without TLS; it must use '
        f"https://agent.example:PORT{PATH}"
    ) == sentence
    assert [] == lab.events_of(peer)


def test_plaintext_byte_by_byte(lab: Lab) -> None:
    """However the request is cut, the verdict is the same."""
    peer = lab.peer()
    with lab.connect(peer) as sender:
        for byte in request()[:40]:
            sender.sendall(bytes([byte]))
        sender.sendall(request()[40:])
        assert 400 == problem(sender.recv(65536))[0]
    assert "plaintext" == lab.told(peer)[0]


@pytest.mark.parametrize(
    ("said", "answer", "sentence"),
    [
        pytest.param(
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
            b"This port speaks HTTPS, not SSH\r\n",
            f'{CALLED} an SSH client, it began with "SSH-2.0-OpenSSH_9.2p1 Debian-2"; {LOOK_AT_IT}',
            id="ssh",
        ),
        pytest.param(
            b"EHLO mail.example.com\r\n",
            b"554 This port speaks HTTPS, not SMTP\r\n",
            f'{CALLED} a mail client (SMTP), it began with "EHLO mail.example.com"; {LOOK_AT_IT}',
            id="smtp",
        ),
        pytest.param(
            b"PROXY TCP4 192.0.2.7 192.0.2.1 51000 8081\r\n",
            b"",
            f"{CALLED} the PROXY protocol of a load balancer, which is not switched on here, it began "
            'with "PROXY TCP4 192.0.2.7 192.0.2.1 51000 8081"; switch the PROXY protocol off for this port in the '
            "load balancer",
            id="proxy-1",
        ),
        pytest.param(
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\xc7\x38\x1f\x91",
            b"",
            f"{CALLED} the PROXY protocol of a load balancer, which is not switched on here; switch "
            "the PROXY protocol off for this port in the load balancer",
            id="proxy-2",
        ),
        pytest.param(
            b"<?xml version='1.0'?><event/>",
            b"This port speaks HTTPS\r\n",
            f"{CALLED} an XML document without an HTTP request around it, it began with "
            f"\"<?xml version='1.0'?><event/>\"; {LOOK_AT_IT}",
            id="xml",
        ),
        pytest.param(
            b"\x15\x03\x03\x00\x02\x02\x28",
            b"",
            f"{CALLED} a TLS alert, the end of a connection that it began elsewhere; something between it and here (a "
            "load balancer, a firewall after a failover) sends on what belongs to another connection; if it happens "
            "more than once, look there",
            id="tls-alert",
        ),
        pytest.param(
            b"\x00\x01\xfe\xff" * 30,
            b"",
            f"{CALLED} binary data; {LOOK_AT_IT}",
            id="garbage",
        ),
        pytest.param(
            b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
            b"",
            f"{CALLED} a remote desktop client (RDP); {LOOK_AT_IT}",
            id="rdp",
        ),
    ],
)
def test_other_protocols(lab: Lab, said: bytes, answer: bytes, sentence: str) -> None:
    """Each is named, and answered where it has a language for that."""
    peer = lab.peer()
    assert answer == lab.talk(peer, said)
    assert ("other-protocol", sentence) == lab.told(peer)


def test_connect(lab: Lab) -> None:
    """A program that takes us for a proxy is told so; nothing is tunnelled."""
    peer = lab.peer()
    status, document = problem(lab.talk(peer, b"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n"))
    assert (400, "HTTPS needed") == (status, document["title"])
    cause, sentence = lab.told(peer)
    assert "plaintext" == cause
    assert "CONNECT 192.0.2.1:443" in sentence


@pytest.mark.parametrize("hello", [SSL2_HELLO, SSL23_HELLO], ids=["ssl2", "ssl23"])
@pytest.mark.parametrize("port", ["main", "plain"])
def test_hello_of_ssl_2(lab: Lab, hello: bytes, port: str) -> None:
    """A greeting in the old form gets an alert, on either kind of port."""
    peer = lab.peer()
    assert (2, 40) == alert(lab.talk(peer, hello, port))
    offered = "SSL 2.0" if hello is SSL2_HELLO else "TLS 1.0"
    assert (
        "ssl2",
        (
            f"PEER greeted port PORT in the form of SSL 2.0 (it offers {offered}), which no server takes any more; "
            "switch "
            "SSLv2Hello off in that program, or renew it: Java 8, OpenSSL 1.0.1, .NET 4.6 and everything newer speak "
            "TLS 1.2"
        ),
    ) == lab.told(peer)


def test_tls_to_the_plain_port(lab: Lab) -> None:
    """curl gets an alert, the operator both ways out."""
    peer = lab.peer()
    done = lab.curl(peer, "--cacert", lab.papers.ca, port="plain")
    assert 35 == done.returncode, "CURLE_SSL_CONNECT_ERROR"
    assert b"alert handshake failure" in done.stderr
    assert (
        "tls-on-plain-port",
        (
            'PEER began a TLS handshake (for "agent.example") on port PORT, which speaks plain HTTP; it must use '
            "http://agent.example:PORT/..., or switch HTTPS on here: iadmin tls on"
        ),
    ) == lab.told(peer)


def test_connect_and_close(lab: Lab) -> None:
    """Health checks are told, and hidden behind --all."""
    peer = lab.peer()
    lab.connect(peer).close()
    assert (
        "left",
        (
            "PEER connected to port PORT and left without a byte, as health checks and port scanners do; there is "
            "nothing "
            "to mend"
        ),
    ) == lab.told(peer)
    assert peer not in str(lab.home.iadmin_json("tls", "strangers"))


def test_silence(lab: Lab) -> None:
    """Who says nothing is closed at the deadline."""
    peer = lab.peer()
    assert b"" == lab.talk(peer, b"")
    cause, sentence = lab.told(peer)
    assert "silent" == cause
    assert sentence.startswith("PEER connected to port PORT and sent nothing within 2 s, as port scanners and")


def test_two_letters_and_silence(lab: Lab) -> None:
    """Too little for a guess is not guessed at."""
    peer = lab.peer()
    assert b"" == lab.talk(peer, b"\x16\x03")
    cause, sentence = lab.told(peer)
    assert "cut-short" == cause
    assert sentence.startswith("PEER sent too few bytes to port PORT for a guess at what it wants")


def test_one_line_for_many_mistakes(lab: Lab) -> None:
    """A sender that goes on and on makes one line in the log, and a count on the desk."""
    peer = lab.peer()
    for _ in range(25):
        lab.talk(peer, request())
    _, sentence = lab.told(peer)
    assert 25 == lab.stranger(peer)["count"]
    assert 1 == lab.home.log.count(f"{peer} sent")
    assert sentence


def test_iadmin_tells_the_same(lab: Lab) -> None:
    """`iadmin tls strangers` shows whom the log has told."""
    lab.talk(lab.peer(), b"QUIT")
    lab.assert_iadmin_shows_the_same()

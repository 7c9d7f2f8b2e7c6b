"""The way to a destination, walked over loopback to far ends that behave in every way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial

import pytest

from agent.secret import Secret
from agent.upstream.trust import TrustedPeer, system_context
from iadmin.hops import Walker
from iadmin.model import Hop, HopRoute


def tls_for(route, judge, *, is_proxys):
    return TrustedPeer(context=system_context(), host=route.host).clientConnectionForTLS(judge)


def walk(port: int, **more) -> list[Hop]:
    route = HopRoute(
        **{"destination": "out", "scheme": "http", "host": "127.0.0.1", "port": port, "timeout_s": 5.0} | more
    )
    return Walker(tls_for=tls_for).walk(route)


def serving(open_ones: list[socket.socket], *answers: bytes, each_its_own: bool = False) -> tuple[int, list[bytes]]:
    listening = socket.create_server(("127.0.0.1", 0))
    open_ones.append(listening)
    heads: list[bytes] = []

    def serve() -> None:
        for batch in [[answer] for answer in answers] if each_its_own else [answers]:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            with peer:
                for answer in batch:
                    heads.append(peer.recv(65536))
                    peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1], heads


@pytest.fixture
def far_end():
    """Starts far ends: each answers the heads it gets with the next of its texts, and notes them."""
    open_ones: list[socket.socket] = []

    yield partial(serving, open_ones)
    for one in open_ones:
        one.close()


@pytest.fixture
def proxy_end():
    """The same with a connection for each answer."""
    open_ones: list[socket.socket] = []
    yield partial(serving, open_ones, each_its_own=True)
    for one in open_ones:
        one.close()


FarEnd = Callable[..., tuple[int, list[bytes]]]


def test_a_good_way_is_walked_to_its_end(far_end: FarEnd) -> None:
    """HEAD with the credentials, and nothing that the receiver would act on."""
    port, heads = far_end(b"HTTP/1.1 204 No Content\r\n\r\n")
    hops = walk(port, path="/in?a=1", headers=(("Authorization", Secret("Basic eA==")),), has_credentials=True)
    assert ["name", "TCP", "HTTP", "credentials"] == [hop.name for hop in hops]
    assert all(hop.is_good for hop in hops)
    assert heads[0].startswith(f"HEAD /in?a=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
    assert b"\r\nAuthorization: Basic eA==\r\n" in heads[0]


@pytest.mark.parametrize(
    ("answer", "hop", "sentence"),
    [
        (b"HTTP/1.1 401 U\r\n\r\n", "credentials", "does not let the destination in (401, asked without credentials)"),
        (b"HTTP/1.1 403 F\r\n\r\n", "credentials", "does not allow this (403"),
        (b"HTTP/1.1 404 N\r\n\r\n", "credentials", "has nothing at / (404)"),
        (b"HTTP/1.1 503 B\r\n\r\n", "credentials", "in trouble itself (503 Service Unavailable)"),
        (b"SSH-2.0-x\r\n\r\n", "HTTP", "answers 'SSH-2.0-x', which is not HTTP"),
        (b"", "HTTP", "closes the connection without an answer"),
    ],
)
def test_the_hop_that_is_broken_is_the_last(far_end: FarEnd, answer: bytes, hop: str, sentence: str) -> None:
    """With a sentence, and what to do."""
    hops = walk(far_end(answer)[0])
    assert (hop, False) == (hops[-1].name, hops[-1].is_good)
    assert sentence in hops[-1].sentence
    assert hops[-1].cure
    assert all(one.is_good for one in hops[:-1])


def test_nobody_listens_and_nobody_has_this_name() -> None:
    """The first hops have sentences of their own."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = walk(closed.getsockname()[1])
    assert ("TCP", False) == (refused[-1].name, refused[-1].is_good)
    unknown = walk(80, host="no..name")
    assert [("name", False)] == [(hop.name, hop.is_good) for hop in unknown]


def test_a_plain_port_behind_an_https_url(far_end: FarEnd) -> None:
    """The handshake is broken, and the cure names the port."""
    hops = walk(far_end(b"HTTP/1.1 400 Bad\r\n\r\n")[0], scheme="https")
    assert ("TLS", False) == (hops[-1].name, hops[-1].is_good)
    assert "does not speak TLS on this port" in hops[-1].cure


def test_a_proxy_that_wants_a_user_and_one_that_gets_it(far_end: FarEnd) -> None:
    """The tunnel is a hop; credentials go to the proxy and not through it."""
    port, heads = far_end(b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n")
    way = {"scheme": "https", "host": "far.example", "proxy_host": "127.0.0.1", "proxy_port": port}
    hops = walk(443, **way)
    assert ["name", "proxy", "tunnel"] == [hop.name for hop in hops]
    assert "wants a user and a password (407)" in hops[-1].sentence
    assert heads[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")
    port, heads = far_end(b"HTTP/1.1 200 OK\r\n\r\n")
    plain = {"host": "far.example", "proxy_host": "127.0.0.1", "proxy_port": port}
    hops = walk(80, **plain)
    assert all(hop.is_good for hop in hops)
    assert heads[0].startswith(b"HEAD http://far.example/ HTTP/1.1\r\nHost: far.example\r\n")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (b"Basic realm=x", b"\r\nProxy-Authorization: Basic dTpw\r\n"),
        (b'Digest realm="x", nonce="n"', b'\r\nProxy-Authorization: Digest username="u"'),
    ],
)
def test_a_proxy_is_logged_in_to_as_it_asks(proxy_end: FarEnd, asked: bytes, given: bytes) -> None:
    """Nothing before it has asked; then a connection of its own, with the proof. Another 407 is a wrong password."""
    wants = b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: " + asked + b"\r\n\r\n"
    login = {"proxy_host": "127.0.0.1", "proxy_user": "u", "proxy_password": Secret("p"), "host": "far.example"}
    port, heads = proxy_end(wants, b"HTTP/1.1 200 OK\r\n\r\n")
    assert all(hop.is_good for hop in walk(80, proxy_port=port, **login))
    assert [False, True] == [given in head for head in heads]
    port, heads = proxy_end(wants, wants)
    last = walk(443, proxy_port=port, scheme="https", **login)[-1]
    assert ("tunnel", False, True) == (last.name, last.is_good, "refuses the user and password" in last.sentence)
    assert "Proxy/password-file" in last.cure


def test_a_proxy_that_speaks_ntlm_only(proxy_end: FarEnd) -> None:
    """Said before anybody is asked for a user that would not help."""
    port, _ = proxy_end(b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: NTLM\r\n\r\n")
    last = walk(80, proxy_port=port, proxy_host="127.0.0.1")[-1]
    assert ("HTTP", True, True) == (last.name, "offers NTLM only" in last.sentence, "cntlm" in last.cure)


def test_a_far_end_that_never_answers_is_given_up(far_end: FarEnd) -> None:
    """The whole way has one deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hops = walk(silent.getsockname()[1], timeout_s=0.2)
    assert ("HTTP", False) == (hops[-1].name, hops[-1].is_good)
    assert "nothing comes back within 0.2 s" in hops[-1].sentence


def test_a_tls_port_behind_an_http_url(proxy_end: FarEnd) -> None:
    """A 400 is looked into: TLS records come back on the second connection."""
    port, _ = proxy_end(b"HTTP/1.1 400 Bad\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28")
    last = walk(port)[-1]
    assert (False, True) == (last.is_good, "speaks TLS (400)" in last.sentence)
    port, _ = proxy_end(b"HTTP/1.1 400 Bad\r\n\r\n", b"HTTP/1.1 400 Bad\r\n\r\n")
    last = walk(port)[-1]
    assert (True, True) == (last.is_good, "HEAD itself is not taken there (400)" in last.sentence)


def test_a_proxy_that_is_none(far_end: FarEnd) -> None:
    """A web server in the place of the proxy is named as what it is."""
    port, _ = far_end(b"HTTP/1.1 501 No\r\n\r\n")
    last = walk(443, scheme="https", host="far.example", proxy_host="127.0.0.1", proxy_port=port)[-1]
    assert ("tunnel", True) == (last.name, "makes no tunnels" in last.sentence)

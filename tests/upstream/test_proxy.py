"""Which hosts go by the proxy, how it is logged in to, and what its refusals mean."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport

from agent.config.outbound import Proxy
from agent.errors import DestinationError
from agent.secret import Secret
from agent.upstream.exchange import Exchange
from agent.upstream.proxy import ProxyAccess, ProxyHop, TunnelEndpoint, is_bypassed
from tests.support.twisted_results import failure_of, result_of


@pytest.mark.parametrize(
    ("host", "entry", "bypassed"),
    [
        ("a.example.com", "example.com", True),
        ("example.com", ".example.com", True),
        ("A.Example.COM", "*.example.com", True),
        ("badexample.com", "example.com", False),
        ("a.example.com", "example.com:443", True),
        ("a.example.com", "example.com:8443", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("::1", "::1", True),
        ("::1", "[::1]:443", True),
        ("anything", "*", True),
        ("10.1.2.3", "0.1.2.3", False),
    ],
)
def test_no_proxy(host, entry, bypassed):
    """Names with all that ends in them, addresses, networks, each with a port where one is given."""
    assert bypassed is is_bypassed(host, 443, ["else.example", entry])


class ProxyEnd:
    """Plays the proxy: each connection gets the next answer and the request is noted."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def connect(self, factory):
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = lambda: None
        protocol.makeConnection(transport)
        self.requests.append(transport.value().decode())
        protocol.dataReceived(self.answers.pop(0))
        return _fired(protocol)


def _fired(value):
    deferred = Deferred()
    deferred.callback(value)
    return deferred


class Inner(Protocol):
    data = b""

    def dataReceived(self, data):
        self.data += data


def tunnel(*answers, user="u", password="p", hop=None, read=None):
    end = ProxyEnd(*answers)
    access = ProxyAccess(
        Proxy(
            host="proxy.example",
            port=3128,
            user=user,
            password=Secret(password) if user else None,
            password_path=PurePath("/conf/pw"),
        ),
        cnonce=lambda: "c",
        read=read,
    )
    endpoint = TunnelEndpoint(hop=hop or end, access=access, host="x.example", port=443, exchange=Exchange())
    return end, endpoint.connect(Factory.forProtocol(Inner))


OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


def asks(*challenges):
    lines = "".join(f"Proxy-Authenticate: {each}\r\n" for each in challenges)
    return f"HTTP/1.1 407 Nope\r\n{lines}\r\n".encode()


def test_a_tunnel_hands_everything_through():
    """Also what came together with the answer."""
    end, connecting = tunnel(OK + b"early")
    inner = result_of(connecting)
    assert ["CONNECT x.example:443 HTTP/1.1\r\nHost: x.example:443\r\n\r\n"] == end.requests
    assert b"early" == inner.data


def test_credentials_are_sent_only_when_they_are_asked_for():
    """Basic then carries both."""
    end, connecting = tunnel(asks('Basic realm="x"'), OK)
    result_of(connecting)
    assert ["Proxy-Authorization" in request for request in end.requests] == [False, True]
    assert "Proxy-Authorization: Basic dTpw\r\n" in end.requests[1]


def test_digest_is_taken_before_basic():
    """The password does not leave then."""
    end, connecting = tunnel(asks("Basic", 'Digest realm="x", nonce="n", qop="auth"', "NTLM"), OK)
    result_of(connecting)
    assert 'Proxy-Authorization: Digest username="u", realm="x", nonce="n", uri="x.example:443"' in end.requests[1]


def test_a_nonce_that_ran_out_is_renewed():
    """That is no wrong password."""
    end, connecting = tunnel(asks("Digest nonce=a"), asks("Digest nonce=b, stale=true"), OK)
    result_of(connecting)
    assert 'nonce="b"' in end.requests[2]


@pytest.mark.parametrize(
    ("answers", "user", "words"),
    [
        ([asks("Basic")], "", "put them into Proxy/user and Proxy/password-file"),
        ([asks("Basic"), asks("Basic")], "u", "does not take the password of 'u'"),
        ([asks("Digest nonce=a"), asks("Digest nonce=b")], "u", "does not take the password of 'u'"),
        ([asks("Negotiate", "NTLM")], "u", "offers NEGOTIATE, NTLM only, which the agent does not speak"),
        ([b"HTTP/1.1 403 No\r\n\r\n"], "u", "have it allowed there, or name the host in no-proxy"),
        ([b"HTTP/1.1 502 No\r\n\r\n"], "u", "it cannot reach that"),
        ([b"SSH-2.0-x\r\n\r\n"], "u", "is no HTTP proxy"),
        ([b"x" * 20_000], "u", "is no HTTP proxy"),
    ],
)
def test_each_refusal_has_its_sentence(answers, user, words):
    """Which names the proxy, and all of them wait for their mending."""
    error = failure_of(tunnel(*answers, user=user)[1])
    assert words in error.sentence
    assert error.retryable


def test_a_refused_password_is_read_again():
    """Whoever mends the file need not restart the agent; the same password again is told to be wrong."""
    end, connecting = tunnel(asks("Basic"), asks("Basic"), OK, read=lambda path: succeed(Secret("new")))
    result_of(connecting)
    assert "Proxy-Authorization: Basic dTpuZXc=" in end.requests[2]
    _, connecting = tunnel(asks("Basic"), asks("Basic"), read=lambda path: succeed(Secret("p")))
    assert "does not take the password of 'u'" in failure_of(connecting).sentence


def test_an_empty_user_sends_no_credentials():
    """The original sends an empty one, which some proxies refuse."""
    end, connecting = tunnel(OK, user="")
    result_of(connecting)
    assert "Proxy-Authorization" not in end.requests[0]


def test_a_proxy_that_is_down_is_not_called_the_destination():
    """The sentence says whom to look at."""

    class Down:
        def connect(self, factory):
            return fail(ConnectionRefusedError())

    error = failure_of(tunnel(hop=ProxyHop(endpoint=Down(), shown="proxy.example:3128"))[1])
    assert isinstance(error, DestinationError)
    assert "proxy-unreached" == error.code
    assert error.sentence.startswith("the proxy proxy.example:3128: connection refused")

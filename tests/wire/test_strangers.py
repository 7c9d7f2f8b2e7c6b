"""The sentences that the operator reads about connections that went wrong."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from agent.wire.clientcert import ClientCertificate
from agent.wire.hello import ClientHello
from agent.wire.misuse import Cause, Misuse
from agent.wire.strangers import CHECK_PROTOCOL, covers_name, explain, is_own_check

HELLO = ClientHello(server_name="agent.example.com", versions=("TLS 1.3", "TLS 1.2"), ciphers=("AES",))
OLD = ClientHello(versions=("TLS 1.0",), ciphers=("RSA-RC4-MD5", "RSA-RC4-SHA"))
GOOD = ClientHello(versions=("TLS 1.3",), ciphers=("RSA-AES128-SHA", "TLS_AES_128_GCM_SHA256"))
CLIENT = ClientCertificate(
    subject="CN=plant7", issuer="CN=Other CA", names=(), fingerprint="ab" * 32, not_after="2024-03-01T00:00:00+00:00"
)


def seen(cause: Cause, **facts: Any) -> Misuse:
    given: dict[str, Any] = {
        "peer": "10.2.3.4",
        "port": 8081,
        "expects_tls": True,
        "our_names": ("agent.example.com", "10.0.0.1"),
    }
    return attrs.evolve(Misuse(peer="", port=0, expects_tls=True, cause=cause), **(given | facts))


CASES: list[tuple[Cause, dict[str, Any], list[str]]] = [
    (Cause.TLS_ON_PLAIN_PORT, {"hello": HELLO}, ["plain HTTP", "http://agent.example.com:8081", "iadmin tls on"]),
    (Cause.SSL2, {"hello": OLD}, ["SSL 2.0", "TLS 1.0", "SSLv2Hello"]),
    (Cause.OTHER_PROTOCOL, {"tongue": "ssh", "first_line": "SSH-2.0-x"}, ["an SSH client", '"SSH-2.0-x"', "HTTPS"]),
    (Cause.OTHER_PROTOCOL, {"tongue": "proxy-protocol"}, ["PROXY protocol", "load balancer"]),
    (Cause.OTHER_PROTOCOL, {"tongue": "tls-alert"}, ["a TLS alert", "belongs to another connection"]),
    (Cause.SILENT, {"duration_s": 10.0}, ["sent nothing within 10 s"]),
    (Cause.LEFT, {}, ["left without a byte", "nothing to mend"]),
    (Cause.CUT_SHORT, {"first_line": "PO"}, ["too few bytes", '"PO"']),
    (Cause.HANDSHAKE_TIMEOUT, {"duration_s": 10.2}, ["did not end it within 10 s", "firewall"]),
    (Cause.HANDSHAKE_RESET, {"hello": HELLO}, ["without saying why", "agent.example.com", "iadmin tls export"]),
    (Cause.NOT_TRUSTED, {"alert": "unknown ca"}, ["does not trust our certificate", "unknown ca", "iadmin tls export"]),
    (
        Cause.NOT_TRUSTED,
        {"alert": "certificate unknown"},
        ["does not trust our certificate, or calls us by", "iadmin tls export", "agent.example.com, 10.0.0.1"],
    ),
    (Cause.EXPIRED, {}, ["dates", "iadmin tls expiry", "clock"]),
    (Cause.WRONG_NAME, {"hello": HELLO, "our_names": ("a", "b")}, ['"agent.example.com"', "covers a, b", "--name"]),
    (Cause.REFUSED_BY_PEER, {"alert": "access denied"}, ['"access denied"', "iadmin tls check"]),
    (Cause.NO_SHARED_VERSION, {"hello": OLD}, ["TLS 1.0 at most", "on no port here", "Java 8"]),
    (
        Cause.NO_SHARED_VERSION,
        {"hello": attrs.evolve(OLD, versions=("TLS 1.2",))},
        ["TLS 1.2 at most", 'policy="intermediate"'],
    ),
    (Cause.NO_SHARED_CIPHER, {"hello": OLD}, ["RSA-RC4-MD5, RSA-RC4-SHA", 'policy="legacy"']),
    (
        Cause.NO_SHARED_CIPHER,
        {"hello": GOOD, "reasons": ("no suitable key share",)},
        ["takes (TLS_AES_128_GCM_SHA256), but no curve", "X25519 or P-256"],
    ),
    (
        Cause.NO_SHARED_CIPHER,
        {"hello": GOOD, "reasons": ("no suitable signature algorithm",)},
        ["no kind of signature", "--key-type rsa-2048"],
    ),
    (
        Cause.NO_SHARED_CIPHER,
        {"hello": GOOD, "reasons": ("no shared cipher",)},
        ["none that goes with the key of our certificate, or no curve", "X25519", "rsa-2048"],
    ),
    (
        Cause.NOT_TRUSTED,
        {"alert": "unsupported certificate", "hello": HELLO},
        ["made for another purpose", "serverAuth", "--name agent.example.com"],
    ),
    (
        Cause.NOT_TRUSTED,
        {"alert": "unknown ca", "hello": HELLO, "our_gap": "the issuer is missing; add it"},
        ["does not trust our certificate", "iadmin tls export. Besides, the issuer is missing; add it"],
    ),
    (
        Cause.LEFT_AFTER_HANDSHAKE,
        {"our_names": ("agent.example.com",)},
        ["or it calls us by an address, and must call us by one of these: agent.example.com"],
    ),
    (Cause.REFUSED_BY_PEER, {"alert": "internal error"}, ['said "internal error"', "trustStorePassword"]),
    (Cause.CLIENT_CERTIFICATE_MISSING, {}, ["no client certificate", 'client-auth="optional"']),
    (
        Cause.CLIENT_CERTIFICATE_UNKNOWN,
        {"client_certificate": CLIENT, "verify_error": "it is self-signed and unknown", "culprit": "CN=Root\x1b 7"},
        ['certificate "CN=plant7"', '(of its chain "CN=Root? 7": it is self-signed and unknown)', "the truststore"],
    ),
    (
        Cause.CLIENT_CERTIFICATE_UNKNOWN,
        {"client_certificate": CLIENT, "verify_error": "its issuer is unknown"},
        ['"CN=plant7"', '"CN=Other CA"', "its issuer is unknown", "truststore"],
    ),
    (Cause.CLIENT_CERTIFICATE_EXPIRED, {"client_certificate": CLIENT}, ['"CN=plant7"', "2024-03-01", "new one"]),
    (Cause.CLIENT_CERTIFICATE_REFUSED, {"verify_error": "it is not meant for TLS clients (purpose)"}, ["purpose"]),
    (Cause.LEFT_AFTER_HANDSHAKE, {"hello": HELLO}, ["left without a request", "iadmin tls export"]),
    (Cause.BROKEN_TLS, {"reasons": ("bad record mac",)}, ["no sound TLS", '"bad record mac"']),
]


@pytest.mark.parametrize(("cause", "facts", "words"), CASES, ids=lambda value: getattr(value, "value", ""))
def test_each_cause_names_the_peer_what_happened_and_the_remedy(
    cause: Cause, facts: dict[str, Any], words: list[str]
) -> None:
    """One sentence, with what was seen and what to do."""
    sentence = explain(seen(cause, **facts))
    assert sentence.startswith("10.2.3.4 ")
    for word in words:
        assert word in sentence
    assert not sentence.endswith(".")


def test_every_cause_has_a_sentence_without_any_facts() -> None:
    """A record may hold nothing but peer, port and cause."""
    for cause in Cause:
        sentence = explain(Misuse(peer="::1", port=1, expects_tls=True, cause=cause))
        assert "::1" in sentence and sentence.isprintable()


def test_plaintext_is_told_in_the_words_of_the_original_agent() -> None:
    """Operators search for these words; the URL to use stands behind them."""
    plain = seen(Cause.PLAINTEXT, first_line="POST /http/a_b", host="agent.example.com")
    assert (
        'Unrecognized SSL message, plaintext connection? 10.2.3.4 sent "POST /http/a_b" without TLS; '
        "it must use https://agent.example.com:8081/http/a_b"
    ) == explain(plain)


@pytest.mark.parametrize(
    ("names", "host", "port", "url"),
    [
        (("a.example", "*.b.example"), "x.b.example", 8081, "https://x.b.example:8081/http/x"),
        (("a.example",), "other.example", 8081, "https://a.example:8081/http/x"),
        (("a.example",), "", 443, "https://a.example/http/x"),
        (("::1",), "[0:0:0:0:0:0:0:1]", 8081, "https://[0:0:0:0:0:0:0:1]:8081/http/x"),
        (("::1",), "", 8081, "https://[::1]:8081/http/x"),
        ((), "", 8081, "https://THIS-MACHINE:8081/http/x"),
        (("*.b.example",), "elsewhere", 8081, "https://elsewhere:8081/http/x"),
    ],
)
def test_the_url_to_use_has_a_name_that_the_certificate_covers(
    names: tuple[str, ...], host: str, port: int, url: str
) -> None:
    """Sending somebody to a name that fails next would be half a remedy."""
    told = explain(seen(Cause.PLAINTEXT, first_line="POST /http/x", host=host, our_names=names, port=port))
    assert told.endswith(f" {url}")


def test_names_match_as_clients_match_them() -> None:
    """A star is one label; addresses compare as addresses."""
    assert covers_name(["*.a.example"], "x.A.example.")
    assert not covers_name(["*.a.example"], "y.x.a.example")
    assert covers_name(["2001:db8::1"], "[2001:db8:0::1]")


def test_our_own_check_is_no_stranger() -> None:
    """Its trials of old versions are refused on purpose; from another machine the word alone does not count."""
    hello = attrs.evolve(OLD, alpn=(CHECK_PROTOCOL,))
    assert is_own_check(seen(Cause.NO_SHARED_VERSION, hello=hello, peer="127.0.0.1"))
    assert is_own_check(seen(Cause.NO_SHARED_VERSION, hello=hello, peer="::1"))
    assert not is_own_check(seen(Cause.NO_SHARED_VERSION, hello=hello))
    assert not is_own_check(seen(Cause.NO_SHARED_VERSION, hello=OLD, peer="::1"))


def test_texts_from_outside_are_bounded_and_printable() -> None:
    """A certificate's subject may hold escapes, a request line anything."""
    nasty = attrs.evolve(CLIENT, subject="CN=\x1b[2J" + "x" * 5000)
    told = explain(seen(Cause.CLIENT_CERTIFICATE_UNKNOWN, client_certificate=nasty))
    assert told.isprintable() and len(told) < 600

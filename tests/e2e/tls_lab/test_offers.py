"""Senders with nothing to agree on, and handshakes that end halfway."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct

import pytest

from tests.e2e.tls_lab.lab import Lab, alert, read_all, request

GATEWAYS = {
    "main": 'ssl="true" certificate="{folder}/server.pem"',
    "modern": 'ssl="true" certificate="{folder}/server.pem" policy="modern"',
    "legacy": 'ssl="true" certificate="{folder}/server.pem" policy="legacy"',
}
LIMITS = "<handshake-timeout-s>2</handshake-timeout-s>"

RENEW = "Java 8, OpenSSL 1.0.1, .NET 4.6 and everything newer speak TLS 1.2"
OLD = ("-cipher", "ALL:@SECLEVEL=0")
"""OpenSSL speaks TLS 1.1 and before at this level only."""


def hello(version: bytes, ciphers: bytes, extensions: bytes = b"") -> bytes:
    """A ClientHello in one record; `version` as in the hello."""
    body = version + bytes(32) + b"\x00" + struct.pack(">H", len(ciphers)) + ciphers + b"\x01\x00"
    body += struct.pack(">H", len(extensions)) + extensions if extensions else b""
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x00" + struct.pack(">H", len(message)) + message


def client_hello(name: str = "agent.example") -> bytes:
    """The first flight of a real client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(("flag", "version"), [("-tls1", "TLS 1.0"), ("-tls1_1", "TLS 1.1")])
@pytest.mark.parametrize("port", ["main", "legacy"])
def test_an_old_version(lab: Lab, flag: str, version: str, port: str) -> None:
    """openssl is told by an alert, whatever the policy; the operator learns what it offered, and the ways out."""
    peer = lab.peer()
    done = lab.openssl(peer, flag, *OLD, port=port)
    assert b"alert protocol version" in done.stderr
    assert (
        "no-shared-version",
        (
            f"PEER offers {version} at most, which can be broken and is spoken on no port here; renew that program or "
            f"its settings ({RENEW}), or put a proxy beside it that speaks TLS 1.2 (stunnel)"
        ),
    ) == lab.told(peer)


def test_tls_1_2_on_a_modern_port(lab: Lab) -> None:
    """The milder policy that is named is the next one, not the weakest."""
    peer = lab.peer()
    done = lab.curl(peer, "--cacert", lab.papers.ca, "--tls-max", "1.2", port="modern")
    assert 35 == done.returncode
    assert (
        "no-shared-version",
        (
            "PEER offers TLS 1.2 at most, which the policy of port PORT does not allow; renew that program or its "
            'settings, or allow it here: policy="intermediate" on the service-gateway'
        ),
    ) == lab.told(peer)


def test_ssl_3(lab: Lab) -> None:
    """SSL 3.0 gets an alert that it understands."""
    peer = lab.peer()
    level, _ = alert(lab.talk(peer, hello(b"\x03\x00", b"\x00\x0a\x00\x05")))
    assert 2 == level
    cause, sentence = lab.told(peer)
    assert "no-shared-version" == cause
    assert sentence.startswith("PEER offers SSL 3.0 at most, which can be broken and is spoken on no port here; renew")


def test_no_shared_cipher(lab: Lab) -> None:
    """Old ciphers only: they are named."""
    peer = lab.peer()
    done = lab.openssl(peer, "-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:@SECLEVEL=0")
    assert b"alert handshake failure" in done.stderr
    assert (
        "no-shared-cipher",
        (
            "PEER offers only RSA-AES128-SHA, RSA-AES256-SHA, of which port PORT takes none; renew that program or its "
            f'settings ({RENEW} with good ciphers), or allow old ones here: policy="legacy" on the service-gateway'
        ),
    ) == lab.told(peer)


def test_the_remedy_for_old_ciphers(lab: Lab) -> None:
    """With policy="legacy" such a sender is served."""
    done = lab.openssl(
        lab.peer(), "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA", "-ign_eof", port="legacy", stdin=request()
    )
    assert b"HTTP/1.1 202 " in done.stdout


KEYS_OR_GROUPS = (
    "either none that goes with the key of our certificate, or no curve (group) that it takes; switch the curve X25519 "
    "or P-256 on in that program, or take a certificate with an RSA key, which all know: iadmin keystore create "
    "--replace --key-type rsa-2048"
)


def test_ciphers_of_rsa_for_a_key_of_another_kind(lab: Lab) -> None:
    """Good ciphers that our key does not fit: an old policy would not help, another key would."""
    peer = lab.peer()
    done = lab.openssl(peer, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    assert b"alert handshake failure" in done.stderr
    assert (
        "no-shared-cipher",
        f"PEER offers ciphers that port PORT takes (ECDHE-RSA-AES128-GCM-SHA256), but {KEYS_OR_GROUPS}",
    ) == lab.told(peer)


def test_no_shared_curve_in_tls_1_2(lab: Lab) -> None:
    """An odd curve only, and good ciphers; OpenSSL calls it a lack of ciphers."""
    peer = lab.peer()
    done = lab.openssl(peer, "-groups", "brainpoolP256r1", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert b"alert handshake failure" in done.stderr
    assert (
        "no-shared-cipher",
        f"PEER offers ciphers that port PORT takes (ECDHE-ECDSA-AES128-GCM-SHA256), but {KEYS_OR_GROUPS}",
    ) == lab.told(peer)


TAKES_13 = "PEER offers ciphers that port PORT takes (TLS_AES_128_GCM_SHA256), but"


def test_no_shared_curve_in_tls_1_3(lab: Lab) -> None:
    """An odd group only."""
    peer = lab.peer()
    done = lab.openssl(peer, "-groups", "ffdhe8192", "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert b"alert handshake failure" in done.stderr
    assert (
        "no-shared-cipher",
        f"{TAKES_13} no curve (group) that it takes; switch the curve X25519 or P-256 on in that program",
    ) == lab.told(peer)


def test_no_shared_signature(lab: Lab) -> None:
    """Signatures of RSA only, and our key is none."""
    peer = lab.peer()
    done = lab.openssl(peer, "-sigalgs", "rsa_pss_rsae_sha256", "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert b"alert handshake failure" in done.stderr
    assert (
        "no-shared-cipher",
        (
            f"{TAKES_13} no kind of signature that goes with the key of our certificate; renew that program, or take a "
            "certificate with an RSA key, which all know: iadmin keystore create --replace --key-type rsa-2048"
        ),
    ) == lab.told(peer)


def test_python_without_a_common_version(lab: Lab) -> None:
    """Python that is held at TLS 1.1."""
    peer = lab.peer()
    context = lab.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        lab.post(peer, context)
    cause, sentence = lab.told(peer)
    assert "no-shared-version" == cause
    assert sentence.startswith("PEER offers TLS 1.1 at most")


def test_reset_in_mid_handshake(lab: Lab) -> None:
    """A hello and a reset; most such programs do not trust us."""
    peer = lab.peer()
    with lab.connect(peer) as sender:
        sender.sendall(client_hello())
        sender.recv(1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert (
        "handshake-reset",
        (
            'PEER broke the TLS handshake off on port PORT without saying why (it asked for "agent.example"); most '
            "such "
            "programs do not trust our certificate: give it the file that this prints, to be trusted there: iadmin tls "
            "export"
        ),
    ) == lab.told(peer)


def test_end_in_mid_handshake(lab: Lab) -> None:
    """A hello and an orderly end of the connection are the same."""
    peer = lab.peer()
    with lab.connect(peer) as sender:
        sender.sendall(client_hello())
        sender.shutdown(socket.SHUT_WR)
        read_all(sender)
    assert "handshake-reset" == lab.told(peer)[0]


@pytest.mark.parametrize("size", [10, 200, 100_000], ids=["a few bytes", "most of it", "all of it"])
def test_handshake_that_does_not_go_on(lab: Lab, size: int) -> None:
    """Whoever falls silent in the handshake is cut off at the deadline."""
    peer = lab.peer()
    with lab.connect(peer) as sender:
        sender.sendall(client_hello()[:size])
        read_all(sender)
    cause, sentence = lab.told(peer)
    assert "handshake-timeout" == cause
    assert (
        "PEER began a TLS handshake on port PORT and did not end it within 2 s; a firewall or proxy between it and "
        "here holds packets back, or the program there hangs"
    ) == sentence


def test_garbage_in_a_tls_record(lab: Lab) -> None:
    """It begins like TLS and is none."""
    peer = lab.peer()
    received = lab.talk(peer, b"\x16\x03\x01\x00\x20" + b"\xff" * 32)
    assert 2 == alert(received)[0]
    cause, sentence = lab.told(peer)
    assert "broken-tls" == cause
    assert sentence.startswith("PEER sent something on port PORT that is no sound TLS (OpenSSL: ")
    assert sentence.endswith("look at that program, or at what stands between it and here")


def test_garbage_after_the_hello(lab: Lab) -> None:
    """Something between the two has changed bytes."""
    peer = lab.peer()
    assert lab.talk(peer, client_hello() + b"\x17\x03\x03\x00\x40" + b"\x00" * 64)
    cause, sentence = lab.told(peer)
    assert "broken-tls" == cause
    assert sentence.startswith("PEER sent something on port PORT that is no sound TLS (OpenSSL: ")
    assert sentence.endswith("look at that program, or at what stands between it and here")


def test_iadmin_tells_the_same(lab: Lab) -> None:
    """`iadmin tls strangers` shows whom the log has told."""
    lab.openssl(lab.peer(), "-tls1", *OLD)
    lab.assert_iadmin_shows_the_same()

"""Senders that refuse our certificate: unknown authority, wrong name, dates, purpose; and what mends it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.e2e.tls_lab.lab import Lab, read_all, request
from tests.e2e.tls_lab.papers import CLIENT, NAMES, SERVER, Papers
from tests.support.live import until

GATEWAYS = {
    "main": 'ssl="true" certificate="{folder}/server.pem"',
    "expired": 'ssl="true" certificate="{folder}/expired.pem"',
    "future": 'ssl="true" certificate="{folder}/future.pem"',
    "purpose": 'ssl="true" certificate="{folder}/purpose.pem"',
    "nameonly": 'ssl="true" certificate="{folder}/nameonly.pem"',
    "chainless": 'ssl="true" certificate="{folder}/chainless.pem"',
    "selfmade": 'ssl="true"',
}

NOT_TRUSTED = "PEER does not trust our certificate"
EXPORT = "give it the file that this prints, to be trusted there: iadmin tls export"


def write_papers(papers: Papers) -> None:
    """Certificates of the agent that no sender takes."""
    papers.write("expired", papers.root, names=NAMES, usage=(SERVER,), starts=-30, days=10)
    papers.write("future", papers.root, names=NAMES, usage=(SERVER,), starts=10)
    papers.write("purpose", papers.root, names=NAMES, usage=(CLIENT,))
    papers.write("nameonly", papers.root, names=("agent.example",), usage=(SERVER,))
    issuing = papers.issue("Lab Issuing", papers.root, authority=True)
    papers.write("chainless", issuing, is_whole=False, names=NAMES, usage=(SERVER,))


def test_curl_without_the_authority(lab: Lab) -> None:
    """curl with the system's trust says `unknown ca`; the operator reads which file to give."""
    peer = lab.peer()
    assert 60 == lab.curl(peer).returncode, "CURLE_PEER_FAILED_VERIFICATION"
    assert ("not-trusted", f'{NOT_TRUSTED} (it said "unknown ca"); {EXPORT}') == lab.told(peer)


def test_the_remedy_for_an_unknown_authority(lab: Lab, tmp_path: Path) -> None:
    """What the sentence says mends it: the exported file in curl's hands."""
    exported = tmp_path / "agent.pem"
    exported.write_bytes(lab.home.iadmin("tls", "export", "--port", lab.ports["selfmade"]).stdout)
    peer = lab.peer()
    refused = lab.curl(peer, "--cacert", lab.papers.ca, port="selfmade", name="localhost")
    assert 60 == refused.returncode
    assert "not-trusted" == lab.told(peer)[0]
    assert b"202" == lab.curl(lab.peer(), "--cacert", exported, port="selfmade", name="localhost").stdout[-3:]


def test_python_with_another_authority(lab: Lab) -> None:
    """Python's ssl says `unknown ca`, too."""
    peer = lab.peer()
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        lab.post(peer, lab.context(trusts=lab.papers.unknown_ca))
    assert ("not-trusted", f'{NOT_TRUSTED} (it said "unknown ca"); {EXPORT}') == lab.told(peer)


def test_openssl_with_another_authority(lab: Lab) -> None:
    """openssl s_client that verifies ends with the same alert."""
    peer = lab.peer()
    done = lab.openssl(peer, "-verify_return_error", "-CAfile", lab.papers.unknown_ca)
    assert 0 != done.returncode
    assert ("not-trusted", f'{NOT_TRUSTED} (it said "unknown ca"); {EXPORT}') == lab.told(peer)


def test_a_missing_issuing_authority(lab: Lab) -> None:
    """The sender has the root, and we do not send what stands between: that is ours to mend."""
    peer = lab.peer()
    assert 60 == lab.curl(peer, "--cacert", lab.papers.ca, port="chainless").returncode
    cause, sentence = lab.told(peer)
    assert "not-trusted" == cause
    assert sentence.startswith(
        f'{NOT_TRUSTED} (it said "unknown ca"); {EXPORT}. Besides, the certificate of the issuer of '
    )
    assert "is missing in 'chainless.pem': senders that do not have it refuse the connection; add it" in sentence


def test_curl_with_a_name_that_is_not_covered(lab: Lab) -> None:
    """curl leaves after the handshake without a word; the name it asked for tells why."""
    peer = lab.peer()
    done = lab.curl(peer, "--cacert", lab.papers.ca, name="plant7.example")
    assert 60 == done.returncode
    assert (
        "wrong-name",
        (
            'PEER asked for "plant7.example", but our certificate covers agent.example, localhost, 127.0.0.1; it must '
            "call "
            "us by one of these names, or the certificate must get that one, too (order it with that name, or "
            "self-signed: iadmin keystore create --replace --name plant7.example)"
        ),
    ) == lab.told(peer)


def test_python_with_a_name_that_is_not_covered(lab: Lab) -> None:
    """Python checks the name inside the handshake, and sends an alert."""
    peer = lab.peer()
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        lab.post(peer, lab.context(), name="plant8.example")
    cause, sentence = lab.told(peer)
    assert "wrong-name" == cause
    assert sentence.startswith('PEER asked for "plant8.example", but our certificate covers agent.example, localhost')


def test_an_address_that_is_not_covered(lab: Lab) -> None:
    """Whoever calls an address asks for no name: the operator is told that this may be it."""
    peer = lab.peer()
    done = lab.curl(peer, "--cacert", lab.papers.ca, port="nameonly", name="127.0.0.1")
    assert 60 == done.returncode
    assert (
        "left-after-handshake",
        (
            "PEER made a TLS connection to port PORT and left without a request, as health checks do; if it is a "
            "sender of "
            f"events, it does not trust our certificate and does not say so: {EXPORT}; or it calls us by an address, "
            "and "
            "must call us by one of these: agent.example"
        ),
    ) == lab.told(peer)


@pytest.mark.parametrize("tls", ["--tls-max 1.2", ""], ids=["tls-1.2", "tls-1.3"])
def test_an_expired_certificate(lab: Lab, tls: str) -> None:
    """The agent serves it, because an outage for all would be worse; who refuses it is told."""
    peer = lab.peer()
    assert 60 == lab.curl(peer, "--cacert", lab.papers.ca, *tls.split(), port="expired").returncode
    assert (
        "expired",
        (
            "PEER refused our certificate for its dates; see how long it is good: iadmin tls expiry. If it is good, "
            "the "
            "clock of that machine is wrong"
        ),
    ) == lab.told(peer)


def test_a_certificate_of_tomorrow(lab: Lab) -> None:
    """curl says only that it is bad; the agent knows its own dates."""
    peer = lab.peer()
    done = lab.curl(peer, "--cacert", lab.papers.ca, port="future")
    assert 60 == done.returncode
    assert b"not yet valid" in done.stderr
    assert "bad certificate" == lab.stranger(peer)["alert"]
    cause, sentence = lab.told(peer)
    assert "expired" == cause
    assert sentence.startswith("PEER refused our certificate for its dates; see how long it is good: iadmin tls expiry")


def test_a_certificate_for_another_purpose(lab: Lab) -> None:
    """A certificate for clients in the place of one for servers: no truststore would help."""
    peer = lab.peer()
    assert 60 == lab.curl(peer, "--cacert", lab.papers.ca, port="purpose").returncode
    assert (
        "not-trusted",
        (
            'PEER cannot use our certificate (it said "unsupported certificate"): it is made for another purpose than '
            "a TLS "
            "server; order one for TLS servers (serverAuth), or make one: iadmin keystore create --replace --name "
            "agent.example"
        ),
    ) == lab.told(peer)


def test_a_handshake_and_no_request(lab: Lab) -> None:
    """A health check that goes as far as TLS."""
    peer = lab.peer()
    with lab.connect(peer) as raw, lab.context().wrap_socket(raw, server_hostname="agent.example"):
        pass
    assert (
        "left-after-handshake",
        'PEER made a TLS connection to port PORT and left without a request (it asked for "agent.example"), as health '
        "checks do; if it is a sender of events, it does not trust our certificate and does not say so: " + EXPORT,
    ) == lab.told(peer)


def test_a_sender_that_ends_its_side_gets_its_answer(lab: Lab) -> None:
    """No failure at all: close_notify after the request, the answer comes all the same, nobody is told."""
    peer = lab.peer()
    with lab.connect(peer) as raw, lab.context().wrap_socket(raw, server_hostname="agent.example") as sender:
        sender.sendall(request())
        assert read_all(sender).startswith(b"HTTP/1.1 202 ")
    lab.assert_good_sender_is_served()
    until("the event in the log", lambda: f"from {peer}\n" in lab.home.log)
    assert peer not in [one["peer"] for one in lab.strangers()]


def test_iadmin_tells_the_same(lab: Lab) -> None:
    """`iadmin tls strangers` shows whom the log has told."""
    lab.curl(lab.peer())
    lab.assert_iadmin_shows_the_same()

"""Client certificates: missing, expired, of tomorrow, unknown, for another purpose, not on the list; and good ones."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.e2e.tls_lab.lab import Lab
from tests.e2e.tls_lab.papers import CLIENT, SERVER, Papers

SERVES = 'ssl="true" certificate="{folder}/server.pem" truststore="{folder}/ca.pem"'
GATEWAYS = {
    "main": 'ssl="true" certificate="{folder}/server.pem"',
    "required": f'{SERVES} client-auth="required"',
    "optional": f'{SERVES} client-auth="optional"',
    "pinned": 'ssl="true" certificate="{folder}/server.pem" truststore="{folder}/ca.pem" client-auth="required" '
    'fingerprint-allowlist="LISTED"',
}

DEMANDS = (
    "PEER showed no client certificate, and port PORT demands one; give that program a certificate of an authority in "
    'our truststore, or ask for none: client-auth="optional" or "off" on the service-gateway'
)
TAKE_IT = (
    "if it shall be taken, put its authority into the truststore of the service-gateway, or its fingerprint onto the "
    "list"
)


def write_papers(papers: Papers) -> None:
    """Certificates of senders."""
    listed = papers.issue("plant7", papers.root, usage=(CLIENT,))
    papers.write_made("plant7", listed)
    GATEWAYS["pinned"] = GATEWAYS["pinned"].replace("LISTED", listed.certificate.sha256.hex())
    papers.write("plant8", papers.root, usage=(CLIENT,))
    papers.write("old", papers.root, usage=(CLIENT,), starts=-30, days=10)
    papers.write("early", papers.root, usage=(CLIENT,), starts=10)
    papers.write("mallory", papers.stranger_root, is_whole=False, usage=(CLIENT,))
    papers.write("eve", papers.stranger_root, usage=(CLIENT,))
    papers.write("webserver", papers.root, usage=(SERVER,))


def curl(lab: Lab, peer: str, own: str = "", port: str = "required", *words: str) -> bytes:
    """curl with a certificate; returns status and whatever it complains of."""
    shown = ["--cert", lab.papers.folder / f"{own}.pem"] if own else []
    done = lab.curl(peer, "--cacert", lab.papers.ca, *shown, *words, port=port)
    return done.stdout[-3:] + b" " + done.stderr


@pytest.mark.parametrize(
    ("own", "port"), [("plant7", "required"), ("plant7", "optional"), ("", "optional"), ("plant7", "pinned")]
)
def test_good_senders(lab: Lab, own: str, port: str) -> None:
    """They are served, and nobody hears of them."""
    peer = lab.peer()
    assert b"202 " == curl(lab, peer, own, port)
    assert lab.events_of(peer)


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_no_certificate(lab: Lab, tls: str) -> None:
    """In both versions of TLS, though in the newer one the sender is through when we refuse it."""
    peer = lab.peer()
    said = curl(lab, peer, "", "required", "--tls-max", tls)
    assert b"alert" in said
    assert ("client-certificate-missing", DEMANDS) == lab.told(peer)
    assert [] == lab.events_of(peer)


@pytest.mark.parametrize(
    ("own", "port", "cause", "sentence"),
    [
        pytest.param("old", "required", "client-certificate-expired", "", id="expired"),
        pytest.param("old", "optional", "client-certificate-expired", "", id="expired, optional"),
        pytest.param("early", "required", "client-certificate-expired", "", id="not yet valid"),
        pytest.param(
            "mallory",
            "required",
            "client-certificate-unknown",
            'PEER showed the client certificate "CN=mallory", issued by "CN=Unknown Root", which we do not trust (its '
            f"issuer is unknown); {TAKE_IT}",
            id="unknown authority",
        ),
        pytest.param(
            "eve",
            "required",
            "client-certificate-unknown",
            'PEER showed the client certificate "CN=eve", issued by "CN=Unknown Root", which we do not trust (of its '
            f'chain "CN=Unknown Root": it is self-signed and unknown); {TAKE_IT}',
            id="unknown authority that is shown, too",
        ),
        pytest.param(
            "webserver",
            "required",
            "client-certificate-refused",
            'PEER showed the client certificate "CN=webserver", which cannot be taken (it is not meant for TLS clients '
            "(purpose)); it needs one that is meant for TLS clients",
            id="purpose",
        ),
        pytest.param(
            "plant8",
            "pinned",
            "client-certificate-unknown",
            'PEER showed the client certificate "CN=plant8", issued by "CN=Lab Root", which we do not trust (its '
            f"fingerprint is not on the list); {TAKE_IT}",
            id="not on the list",
        ),
    ],
)
def test_certificates_that_are_refused(lab: Lab, own: str, port: str, cause: str, sentence: str) -> None:
    """The sender gets an alert, nothing of its event is taken, and the operator reads whose certificate it was."""
    peer = lab.peer()
    assert b"alert" in curl(lab, peer, own, port)
    found, said = lab.told(peer)
    assert cause == found
    if sentence:
        assert sentence == said
    else:
        assert said.startswith(f'PEER showed the client certificate "CN={own}", good until ')
        assert said.endswith("it needs a new one (or the clock of this machine is wrong)")
    assert [] == lab.events_of(peer)


def test_python_without_a_certificate(lab: Lab) -> None:
    """Python learns it when it reads."""
    peer = lab.peer()
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        lab.post(peer, lab.context(), "required")
    assert ("client-certificate-missing", DEMANDS) == lab.told(peer)


def test_openssl_with_a_certificate_of_another_authority(lab: Lab) -> None:
    """openssl prints the alert."""
    peer = lab.peer()
    mallory: Path = lab.papers.folder / "mallory.pem"
    done = lab.openssl(peer, "-cert", mallory, "-key", mallory, "-ign_eof", port="required")
    assert b"alert" in done.stderr
    assert "client-certificate-unknown" == lab.told(peer)[0]


def test_iadmin_tells_the_same(lab: Lab) -> None:
    """`iadmin tls strangers` shows whom the log has told."""
    curl(lab, lab.peer())
    lab.assert_iadmin_shows_the_same()

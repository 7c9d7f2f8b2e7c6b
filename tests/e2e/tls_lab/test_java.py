"""Java's own HTTPS client, the one that most management systems send with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from keystoretools import Format, Keystore, TrustedCertificateEntry, save_keystore
from tests.e2e.tls_lab.lab import GOOD, PATH, Lab
from tests.e2e.tls_lab.papers import NAMES, SERVER, Papers
from tests.support.live import run

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java on this machine")

TLS = 'ssl="true" certificate="{folder}/server.pem"'
GATEWAYS = {
    "main": TLS,
    "untrusted": TLS,
    "misnamed": TLS,
    "outdated": 'ssl="true" certificate="{folder}/expired.pem"',
    "plaintext": TLS,
    "required": f'{TLS} client-auth="required" truststore="{{folder}}/ca.pem"',
    "plain": 'ssl="false"',
    "modern": f'{TLS} policy="modern"',
}
"""Java cannot be bound to an address, so each mistake has a port of its own."""


def write_papers(papers: Papers) -> None:
    papers.write("expired", papers.root, names=NAMES, usage=(SERVER,), starts=-30, days=10)


class Java:
    """A Java that finds our names at the loopback address, with or without a truststore."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.truststore = folder / "truststore.jks"
        self.hosts = folder / "hosts"
        self.hosts.write_text("127.0.0.1 agent.example plant7.example localhost\n")
        made = lab.home.iadmin(
            "tls", "export", "--port", lab.ports["main"], "--format", "jks", "--out", self.truststore
        )
        assert 0 == made.returncode, made.stderr
        self.authority = folder / "authority.jks"
        root = TrustedCertificateEntry(alias="root", certificate=lab.papers.root.certificate, created_ms=0)
        self.authority.write_bytes(save_keystore(Keystore(format=Format.JKS, entries=(root,)), "changeit"))

    def send(self, *urls: str, trusts: Path | None, options: tuple[str, ...] = ()) -> list[str]:
        """One line for each URL: status and answer, or the exception. `trusts` None: Java's default trust."""
        trust = [f"-Djavax.net.ssl.trustStore={trusts}", "-Djavax.net.ssl.trustStorePassword=changeit"]
        done = run(
            "java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", f"-Djdk.net.hosts.file={self.hosts}",
            *(trust if trusts else ()), *options, Path(__file__).with_name("Sender.java"), *urls,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr.decode()
        return done.stdout.decode().splitlines()

    def told(self, port: str) -> tuple[str, str]:
        return self.lab.told(GOOD, port)


@pytest.fixture(scope="module")
def java(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Java:
    return Java(lab, tmp_path_factory.mktemp("java"))


def test_with_the_default_trust(lab: Lab, java: Java) -> None:
    """PKIX path building failed: the operator reads what to give to it."""
    (said,) = java.send(lab.url("untrusted"), trusts=None)
    assert "PKIX path building failed" in said
    assert (
        "not-trusted",
        (
            'PEER does not trust our certificate (it said "certificate unknown"); give it the file that this prints, '
            "to be "
            "trusted there: iadmin tls export"
        ),
    ) == java.told("untrusted")


def test_with_the_exported_truststore(lab: Lab, java: Java) -> None:
    """The remedy works, and each other mistake has its own sentence: names, dates, certificates, HTTP, a plain port."""
    assert java.send(lab.url("main"), trusts=java.truststore)[0].startswith("202 ")
    answers = java.send(
        lab.url("main"),
        lab.url("misnamed", name="plant7.example"),
        lab.url("outdated"),
        lab.url("plaintext", scheme="http"),
        lab.url("required"),
        lab.url("plain"),
        trusts=java.authority,
    )
    good, misnamed, outdated, plaintext, required, plain = answers
    assert good.startswith("202 ")
    assert "No subject alternative DNS name matching plant7.example found" in misnamed
    assert "wrong-name" == java.told("misnamed")[0]
    assert java.told("misnamed")[1].startswith('PEER asked for "plant7.example", but our certificate covers agent.')
    assert "CertificateExpiredException" in outdated or "validity check failed" in outdated
    assert "expired" == java.told("outdated")[0]
    assert plaintext.startswith("400 ")
    assert "needs-tls" in plaintext
    assert (
        "plaintext",
        (
            f'Unrecognized SSL message, plaintext connection? PEER sent "POST {PATH}" without TLS; it must use '
            f"https://agent.example:PORT{PATH}"
        ),
    ) == java.told("plaintext")
    assert "certificate_required" in required or "bad_certificate" in required
    assert "client-certificate-missing" == java.told("required")[0]
    assert "handshake_failure" in plain
    assert "tls-on-plain-port" == java.told("plain")[0]


def test_a_version_that_the_policy_does_not_allow(lab: Lab, java: Java) -> None:
    """Java that is held at TLS 1.2, on a modern port."""
    (said,) = java.send(lab.url("modern"), trusts=java.authority, options=("-Djdk.tls.client.protocols=TLSv1.2",))
    assert "protocol_version" in said
    cause, sentence = java.told("modern")
    assert "no-shared-version" == cause
    assert sentence.startswith("PEER offers TLS 1.2 at most, which the policy of port PORT does not allow")

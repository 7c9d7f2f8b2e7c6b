"""What a service gateway says about TLS."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from agent.config.tls import ClientAuth, TlsConfig, TlsPolicy
from tests.config.memory import HOME, MemoryFiles, config_of, wrapped_problems

CONF = HOME / "conf"
FINGERPRINT = "ab" * 32


def tls_of(attributes: str, *files: str) -> TlsConfig:
    disk = MemoryFiles(dict.fromkeys(files, ""))
    return config_of(f'<service-gateway port="9000" {attributes}/>', disk).gateways[0].tls


def test_without_a_word_the_keystore_of_the_original_is_meant() -> None:
    """`conf/.keystore`, which need not be there: a self-signed certificate is made then."""
    for attributes in ("", 'ssl="true"'):
        assert TlsConfig(keystore=CONF / ".keystore") == tls_of(attributes)


def test_everything_can_be_said() -> None:
    """Paths start at conf/; fingerprints as any tool prints them."""
    colons = ":".join(["AB"] * 32)
    found = tls_of(
        'ssl="true" certificate="tls/server.pem" private-key="tls/server.key" passphrase-file="tls/pass" '
        'policy="modern" client-auth="required" truststore="tls/ca.pem" truststore-password-file="tls/pass" '
        f'fingerprint-allowlist="{colons}, sha256:{"cd" * 32}"',
        *(f"conf/tls/{name}" for name in ("server.pem", "server.key", "pass", "ca.pem")),
    )
    assert (
        TlsConfig(
            keystore=CONF / ".keystore",
            certificate=CONF / "tls/server.pem",
            private_key=CONF / "tls/server.key",
            passphrase_file=CONF / "tls/pass",
            policy=TlsPolicy.MODERN,
            client_auth=ClientAuth.REQUIRED,
            truststore=CONF / "tls/ca.pem",
            truststore_password_file=CONF / "tls/pass",
            fingerprint_allowlist=(FINGERPRINT, "cd" * 32),
        )
        == found
    )
    assert PurePath("/home-of-agent/conf/tls/server.key") in found.files
    assert CONF / ".keystore" not in found.files


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ('ssl="true" keystore="ks.p12"', "@keystore: the file conf/ks.p12 does not exist"),
        ('ssl="true" certificate="a.pem"', "@certificate: the file conf/a.pem does not exist"),
        ('passphrase="a"', "@passphrase: it opens the private-key"),
        ('certificate="a" passphrase="a" passphrase-file="b"', "@passphrase: passphrase-file is named as well"),
        ('certificate="a" passphrase="a"', "warning: service-gateway/@passphrase: it stands here in clear text"),
        ('policy="legacy"', "warning: service-gateway/@policy: older ciphers are taken"),
        ('private-key="a.key"', "@private-key: a private key without its certificate"),
        ('passphrase-file="a"', "@passphrase-file: it opens the private-key"),
        ('certificate="a" keystore="b"', "@certificate: both a keystore and a certificate"),
        ('certificate="a" alias="b"', "@alias: an alias is an entry of the keystore"),
        ('truststore="a"', "@truststore: it has no effect without client-auth"),
        ('client-auth="required"', '@client-auth: "required", but nothing says which clients are known'),
        ('client-auth="optional" fingerprint-allowlist="abc"', '@fingerprint-allowlist: "abc" is not a SHA-256'),
        ('policy="Modernist"', '@policy: "Modernist" is not'),
    ],
)
def test_what_does_not_fit_is_told(attributes: str, told: str) -> None:
    """With its attribute, and what to do."""
    assert any(told in problem for problem in wrapped_problems(f'<service-gateway port="9000" {attributes}/>'))


def test_a_path_from_the_home_is_corrected() -> None:
    """People write `conf/server.pem` as they see it from the home; relative paths start at conf/."""
    found = wrapped_problems(
        '<service-gateway ssl="true" certificate="conf/a.pem"/>', MemoryFiles({"conf/a.pem": b"x"})
    )
    assert 'the file conf/conf/a.pem does not exist; relative paths start at conf/, so write "a.pem"' in found[0]


def test_the_passphrase_is_never_shown() -> None:
    """Not in a sentence, not in the effective configuration."""
    found = tls_of('certificate="a.pem" passphrase="canary-7"')
    assert found.passphrase is not None
    assert "canary-7" == found.passphrase.reveal()
    told = wrapped_problems('<service-gateway passphrase="canary-7" certificate="a"/>')
    assert "canary-7" not in "".join([str(found), *told])


def test_files_need_not_be_there_before_tls_is_on() -> None:
    """A configuration may be prepared."""
    assert CONF / "ks.p12" == tls_of('keystore="ks.p12"').keystore

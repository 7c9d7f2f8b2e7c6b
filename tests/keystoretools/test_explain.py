"""explain: four lists of plain sentences that a person who does not know TLS can follow."""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa

from keystoretools import (
    PORTABLE,
    Budget,
    Format,
    Keystore,
    Password,
    PrivateKeyEntry,
    der,
    pbe,
    read_anything,
    save_keystore,
    write_pem,
)
from keystoretools.explain import explain
from tests.keystoretools.authority import NOW, family, make
from tests.keystoretools.conftest import SAMPLES, manifest

LEAF, MIDDLE, ROOT = family()


def test_a_bundle_and_a_key() -> None:
    """Everything that was asked for is said: contents, pairs, chain, names, and the command to paste."""
    files = [
        read_anything(write_pem(LEAF.key), name="ia.key"),
        read_anything(write_pem([ROOT.certificate, LEAF.certificate, MIDDLE.certificate]), name="my bundle.pem"),
    ]
    found = explain(*files, now=NOW)
    assert found.inside[0] == "ia.key, line 1: Private key (EC, 256 bits), not encrypted: keep this file secret."
    assert found.inside[2].endswith(
        'Certificate for "ia.example.com", also for 10.0.0.5, issued by "Test Issuing", valid until 2027-01-01'
        " (214 days left)."
    )
    assert found.together == (
        'The private key (EC, 256 bits) in ia.key, line 1 fits the certificate "ia.example.com".',
        'The chain is complete: "ia.example.com", issued by "Test Issuing", issued by "Test Root".',
        "It covers these names: ia.example.com, 10.0.0.5.",
    )
    assert "wrong order" not in found.text and "not in the order" in found.text
    assert found.next_steps[-1].endswith("iadmin keystore import ia.key 'my bundle.pem'")


def test_a_certificate_alone() -> None:
    """Where the key is likely to be comes before anything else, and no import is recommended."""
    found = explain(read_anything(write_pem(LEAF.certificate), name="ia.cer"), now=NOW)
    assert "look on that machine" in found.next_steps[0]
    assert not any("import ia.cer" in step for step in found.next_steps)


def test_authorities_are_to_be_trusted() -> None:
    """Authorities alone are called certificates to trust."""
    found = explain(read_anything(write_pem(ROOT.certificate), name="root.cer"), now=NOW)
    assert found.inside[0] == (
        'root.cer, line 1: Certificate authority "Test Root", a root (it signs itself), valid until 2035-12-30'
        " (3499 days left)."
    )
    assert "iadmin keystore import root.cer" in found.next_steps[0]


def test_expired_and_foreign_names() -> None:
    """Expiry is not overlooked; control characters in names are escaped."""
    odd = make("evil\x1b[31m\nname", days=1)
    found = explain(read_anything(write_pem([odd.key, odd.certificate])), now=NOW)
    assert "EXPIRED on 2026-01-02" in found.inside[1]
    assert all(line.isprintable() for line in found.text.splitlines())


def test_many_lines_are_counted() -> None:
    """A bundle of hundreds of authorities stays readable."""
    found = explain(read_anything(write_pem([make(f"CA {n}", authority=True).certificate for n in range(40)])), now=NOW)
    assert (len(found.inside), found.inside[-1]) == (25, "... and 16 more.")


@pytest.mark.parametrize("with_password", [True, False])
@pytest.mark.parametrize("item", [one for one in manifest() if not one["hostile"]], ids=lambda one: one["file"])
def test_recorded_files(item: dict, with_password: bool) -> None:
    """Every recorded file is explained, with and without its password, in printable lines."""
    if item["type"] == "BCFKS":
        return
    passwords = [item["storepass"]] if with_password and item["storepass"] else []
    found = explain(read_anything((SAMPLES / item["file"]).read_bytes(), passwords, name="x"), now=NOW)
    assert found.inside and all(line.isprintable() for line in found.text.splitlines())
    assert with_password or not item["storepass"] or "password" in found.text or item["file"] == "openssl/nokeys.pfx"


def test_a_locked_key_may_be_the_missing_one() -> None:
    """A certificate beside a key that is still locked did not come without its key; first its password is wanted."""
    identifier, octets = pbe.encrypt(LEAF.key.pkcs8.reveal(), Password("secret"), PORTABLE, os.urandom)
    files = [
        read_anything(der.sequence(identifier, der.octet_string(octets)), name="ia.key"),
        read_anything(write_pem(LEAF.certificate), name="ia.cer"),
    ]
    found = explain(*files, now=NOW)
    assert "its key may be among what is still locked" in found.text
    assert "came without its private key" not in found.text and "look on that machine" not in found.text
    assert "--source-password-file" in found.next_steps[0]


def test_a_server_that_is_marked_as_an_authority_is_a_server() -> None:
    """`openssl req -x509` marks what signs itself as an authority; its host names say what it is for."""
    odd = make("own.example.com", authority=True, names=("own.example.com",), days=160)
    found = explain(read_anything(write_pem([odd.key, odd.certificate]), name="own.pem"), now=NOW)
    assert 'Certificate for "own.example.com", self-signed' in found.text
    assert "Make a new one: iadmin keystore create server" in found.text
    assert "Ask whoever issued" not in found.text


def test_what_no_client_accepts_is_not_recommended() -> None:
    """A DSA key is told as an error; no import of it is proposed as the next step."""
    key = dsa.generate_private_key(2048)
    odd = make("dsa.example.com", LEAF, signer=key, names=("dsa.example.com",))
    found = explain(read_anything(write_pem([odd.key, odd.certificate]), name="dsa.pem"), now=NOW)
    assert "DSA key" in found.text
    assert not any("import dsa.pem" in step for step in found.next_steps)


def test_a_key_is_opened_once() -> None:
    """Opening costs what the file demands; explaining does not pay it twice."""
    octets = save_keystore(
        Keystore(format=Format.PKCS12).add(PrivateKeyEntry(alias="ia", key=LEAF.key, chain=(LEAF.certificate,))),
        "secret99",
    )
    contents, budget = read_anything(octets, ["secret99"]), Budget()
    found = explain(contents, now=NOW, budget=budget)
    assert PORTABLE.encryption_iterations == budget.steps_spent
    assert "key-password-differs" not in {one.code for one in found.findings}

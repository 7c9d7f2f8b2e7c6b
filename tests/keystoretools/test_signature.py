"""signature: who signed a certificate is calculated, for every algorithm that keystores hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import Certificate, open_keystore
from keystoretools.signature import signed_by
from tests.keystoretools.authority import START, family, name, rsa_key
from tests.keystoretools.conftest import SAMPLES

LEAF, MIDDLE, ROOT = (one.certificate for one in family())
KEYS: list[CertificateIssuerPrivateKeyTypes] = [
    rsa_key(),
    ec.generate_private_key(ec.SECP384R1()),
    ed25519.Ed25519PrivateKey.generate(),
    ed448.Ed448PrivateKey.generate(),
    dsa.generate_private_key(1024),
]


def _signed(key: CertificateIssuerPrivateKeyTypes, *, pss: int | None = None) -> Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("x"))
        .issuer_name(name("x"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
    )
    plain = isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    options = {} if pss is None else {"rsa_padding": padding.PSS(padding.MGF1(hashes.SHA384()), pss)}
    digest = None if plain else hashes.SHA256() if pss is None else hashes.SHA384()
    return Certificate(builder.sign(key, digest, **options).public_bytes(Encoding.DER))  # type: ignore[arg-type]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: type(key).__name__)
def test_every_algorithm(key: CertificateIssuerPrivateKeyTypes) -> None:
    """A signature by the key fits, one by another key of the same kind does not."""
    made = _signed(key)
    assert signed_by(made, made) is True
    changed = bytearray(made.der)
    changed[-1] ^= 1
    assert signed_by(Certificate(bytes(changed)), made) in (False, None)


@pytest.mark.parametrize("salt", [20, 48])
def test_rsa_pss(salt: int) -> None:
    """RSA-PSS with its hash and salt length from the parameters."""
    made = _signed(rsa_key(), pss=salt)
    assert signed_by(made, made) is True
    assert signed_by(made, _signed(rsa.generate_private_key(public_exponent=65537, key_size=2048))) is False


def test_recorded_dsa_certificate() -> None:
    """keytool's DSA certificate, which the library refuses to read, is checked all the same."""
    store = open_keystore((SAMPLES / "p12/five-keys-mixed.p12").read_bytes(), "changeit")
    own = next(entry.chain[0] for entry in store.private_keys if entry.alias == "dsa")
    assert signed_by(own, own) is True


def test_a_real_chain() -> None:
    """Each link was signed by the next and by no other."""
    assert [signed_by(LEAF, MIDDLE), signed_by(MIDDLE, ROOT), signed_by(ROOT, ROOT)] == [True, True, True]
    assert [signed_by(LEAF, ROOT), signed_by(ROOT, LEAF)] == [False, False]
    assert signed_by(Certificate(b""), ROOT) is None


@given(st.data())
def test_nothing_is_raised(draw: st.DataObject) -> None:
    """Damaged certificates give an answer or none, never an exception."""
    data = bytearray(LEAF.der)
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    damaged = Certificate(bytes(data))
    assert signed_by(damaged, MIDDLE) in (True, False, None)
    assert signed_by(LEAF, damaged) in (True, False, None)

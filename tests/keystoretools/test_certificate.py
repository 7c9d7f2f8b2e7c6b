"""certificate, names, publickey, privatekey: our tolerant view agrees with the library where that reads at
all.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import AlternativeName, Certificate, KeystoreError, Name, der, oids, read_private_key
from tests.keystoretools.material import identity

KEY, CERTIFICATE = identity()


def test_the_view_says_what_the_certificate_holds() -> None:
    """Names, dates, serial, key and extensions come out."""
    found = CERTIFICATE
    assert (found.problem, found.version, found.serial) == (None, 3, 4711)
    assert found.subject.text() == "CN=ia.example.com"
    assert (found.not_before, found.signature_algorithm) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        "SHA256withECDSA",
    )
    assert found.alternative_names == (AlternativeName(kind="dns", value="ia.example.com"),)
    assert (found.is_authority, found.is_self_issued) == (True, True)
    assert found.public_key is not None
    assert (found.public_key.algorithm, found.public_key.bits, found.public_key.curve) == (
        "EC",
        256,
        "secp256r1",
    )
    assert found.to_cryptography().serial_number == 4711


def test_a_certificate_the_library_refuses_is_still_listed() -> None:
    """NULL behind the ECDSA algorithm, as keytool 11 and older wrote it, hides nothing."""
    parts = der.parse(CERTIFICATE.der).sequence()
    body = parts[0].children()
    null_algorithm = der.algorithm("1.2.840.10045.4.3.2")
    old_body = der.sequence(*(null_algorithm if n == 2 else part.raw for n, part in enumerate(body)))
    old = Certificate(der.sequence(old_body, null_algorithm, parts[2].raw))
    assert (old.problem, old.subject, old.public_key) == (None, CERTIFICATE.subject, CERTIFICATE.public_key)


def test_keys_find_their_certificates() -> None:
    """A key fits its own certificate and no other, also with the EC point compressed."""
    other_key, other = identity("other.example.com")
    assert (KEY.fits(CERTIFICATE), KEY.fits(other), other_key.fits(other)) == (True, False, True)
    assert KEY.public_key == CERTIFICATE.public_key


@settings(max_examples=200)
@given(st.data())
def test_damage_never_raises(data: st.DataObject) -> None:
    """Whatever is changed in a certificate, every property has a value."""
    octets = bytearray(CERTIFICATE.der)
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    found = Certificate(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    values = [
        getattr(found, name) for name in dir(Certificate) if not name.startswith("_") and name != "to_cryptography"
    ]
    assert len(values) > 10
    assert isinstance(found.subject.text() + found.issuer.text(), str)


@given(st.binary(max_size=120))
def test_damaged_keys_give_documented_errors(octets: bytes) -> None:
    """Random octets and damaged PKCS#8 raise only KeystoreError."""
    damaged = bytearray(KEY.pkcs8.reveal())
    damaged[: len(octets)] = octets
    for attempt in (octets, bytes(damaged)):
        with contextlib.suppress(KeystoreError):
            assert read_private_key(attempt).public_key.algorithm


def test_names_are_written_as_keytool_writes_them() -> None:
    """Last part first, odd values in double quotes, unknown types by OID."""
    attributes = [
        x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "CA"),
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, 'Example, "Inc"'),
        x509.NameAttribute(x509.NameOID.PSEUDONYM, "p"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, "ia"),
    ]
    name = Name(der=x509.Name(attributes).public_bytes())
    assert name.text() == 'CN=ia, OID.2.5.4.65=p, O="Example, \\"Inc\\"", C=CA'
    assert (name.common_name, name.rdns[0][0].oid) == ("ia", "2.5.4.6")
    assert oids.NAME_KEYWORDS[name.rdns[0][0].oid] == "C"

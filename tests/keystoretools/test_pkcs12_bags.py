"""pkcs12_bags: bags in Java's manner."""

from __future__ import annotations

from keystoretools import Attribute, Certificate, PrivateKeyEntry, TrustedCertificateEntry, der
from keystoretools.pkcs12_bags import BagWriter
from keystoretools.pkcs12_state import FRIENDLY_NAME, LOCAL_KEY_ID, TRUSTED_KEY_USAGE, Pkcs12State
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import attribute, locked_key_of

KEY, CERTIFICATE = identity()
OTHER = identity("other.example.com")[1]


def attributes_of(raw: bytes) -> dict[str, bytes]:
    """OID to the DER of the first value."""
    parts = der.parse(raw).sequence(2)
    found = [one.sequence(2) for one in parts[2].children()] if len(parts) > 2 else []
    return {one[0].oid(): one[1].children()[0].raw for one in found}


def test_a_key_and_its_certificate_bear_the_same_name_and_date() -> None:
    """friendlyName in lower case, localKeyID `Time ...`; an entry without a date gets the present."""
    for created_ms, expected in ((5, b"Time 5"), (None, b"Time 99")):
        writer = BagWriter(Pkcs12State(), frozenset(), 99)
        entry = PrivateKeyEntry(alias="Srv", key=KEY, chain=(CERTIFICATE, OTHER), created_ms=created_ms)
        writer.key(entry, locked_key_of(), False)
        writer.issuers(entry)
        wanted = {FRIENDLY_NAME: der.bmp_string("srv"), LOCAL_KEY_ID: der.octet_string(expected)}
        assert [wanted, wanted] == [attributes_of(writer.clear[0]), attributes_of(writer.hidden[0])]
        assert {FRIENDLY_NAME: der.bmp_string("CN=other.example.com")} == attributes_of(writer.hidden[1])


def test_an_issuer_is_written_once() -> None:
    """However many chains it closes, and not again when it is a key's own certificate."""
    writer = BagWriter(Pkcs12State(), frozenset(), 0)
    entries = [PrivateKeyEntry(alias=str(n), key=KEY, chain=(CERTIFICATE, OTHER)) for n in range(3)]
    for entry in entries:
        writer.key(entry, locked_key_of(), False)
    for entry in entries:
        writer.issuers(entry)
    assert (3, 4) == (len(writer.clear), len(writer.hidden))


def test_trusted_certificates_bear_oracles_mark() -> None:
    """Without it Java would not see them; those it did not see before stay unmarked."""
    writer = BagWriter(Pkcs12State(), frozenset(), 0)
    kept = Attribute(oid="1.2.3", der=attribute("1.2.3", der.null()))
    entry = TrustedCertificateEntry(alias="CA", certificate=Certificate(OTHER.der), attributes=(kept,))
    writer.trusted(entry)
    found = attributes_of(writer.hidden[0])
    assert bytes.fromhex("0604551D2500") == found[TRUSTED_KEY_USAGE]
    assert {FRIENDLY_NAME, TRUSTED_KEY_USAGE, "1.2.3"} == set(found)

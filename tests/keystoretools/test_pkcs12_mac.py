"""pkcs12_mac: every integrity check, within its limits."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from keystoretools import Budget, CorruptError, KeystoreError, LimitError, Password, UnsupportedError, der
from keystoretools.pkcs12_mac import PBMAC1, Mac, create, read_mac, verify
from tests.keystoretools.p12parts import PASSWORD

CONTENT = b"authenticated safe"
DIGESTS = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256", "sha3_256"]


def check(octets: bytes, password: str = PASSWORD) -> bool:
    return verify(read_mac(der.parse(octets)), CONTENT, Password(password), Budget())


@pytest.mark.parametrize("digest", DIGESTS)
def test_what_is_created_fits(digest: str) -> None:
    """Content and password both count, whatever the digest."""
    octets = create(CONTENT, Password(PASSWORD), digest=digest, salt=b"saltsalt", iterations=3)
    assert [True, False] == [check(octets), check(octets, "wrong")]
    assert not verify(read_mac(der.parse(octets)), CONTENT + b"!", Password(PASSWORD), Budget())


def test_the_count_defaults_to_one() -> None:
    """RFC 7292: iterations DEFAULT 1."""
    octets = create(CONTENT, Password(PASSWORD), digest="sha1", salt=b"saltsalt", iterations=1)
    parts = der.parse(octets).sequence(3)
    assert check(der.sequence(parts[0].raw, parts[1].raw))


def test_the_sha1_identifier_is_javas() -> None:
    """SHA-1 with NULL parameters, octet for octet as Java writes it."""
    octets = create(CONTENT, Password(PASSWORD), digest="sha1", salt=b"saltsalt", iterations=1)
    assert bytes.fromhex("300906052B0E03021A0500") in octets


def test_an_empty_password_is_tried_both_ways() -> None:
    """Files made with two zero octets and with no octets both open with "" and not with anything else."""
    for given in (b"\0\0", b""):
        from keystoretools.pkcs12kdf import Purpose, derive

        key = derive(Purpose.MAC, given, b"saltsalt", 5, 20)
        value = hmac.digest(key, CONTENT, "sha1")
        mac = Mac(digest="sha1", value=value, salt=b"saltsalt", iterations=5)
        assert verify(mac, CONTENT, Password(""), Budget())
        assert not verify(mac, CONTENT, Password("x"), Budget())


def pbmac1(key_bytes: int | None, iterations: int = 10, digest: str = "sha256") -> bytes:
    """MacData as RFC 9579 has it; salt and count of its own mean nothing."""
    oid = {"sha256": "1.2.840.113549.2.9", "sha512": "1.2.840.113549.2.11"}[digest]
    size = [] if key_bytes is None else [der.integer(key_bytes)]
    parameters = der.sequence(der.octet_string(b"saltsalt"), der.integer(iterations), *size, der.algorithm(oid))
    derivation = der.algorithm("1.2.840.113549.1.5.12", parameters)
    affordable = min(max(iterations, 1), 1000)
    key = hashlib.pbkdf2_hmac(digest, PASSWORD.encode(), b"saltsalt", affordable, key_bytes or 32)
    identifier = der.algorithm(PBMAC1, der.sequence(derivation, der.algorithm(oid)))
    info = der.sequence(identifier, der.octet_string(hmac.digest(key, CONTENT, digest)))
    return der.sequence(info, der.octet_string(b"ignored"), der.integer(1))


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_pbmac1_is_read(digest: str) -> None:
    """The check of OpenSSL in FIPS mode, with its own derivation."""
    octets = pbmac1(32, digest=digest)
    assert [True, False] == [check(octets), check(octets, "wrong")]
    assert read_mac(der.parse(octets)).words.startswith("PBMAC1 HMAC-SHA")


@pytest.mark.parametrize("size", [None, 0, 1, 19, 100_000])
def test_pbmac1_with_an_unsafe_key_is_refused(size: int | None) -> None:
    """A short key lets a forged file pass for one password in 256; a huge one costs time."""
    with pytest.raises(LimitError):
        check(pbmac1(size))


@pytest.mark.parametrize("count", [0, 5_000_001, 10**9, 1 << 600])
def test_absurd_counts_are_refused(count: int) -> None:
    """Both kinds check the count before they calculate."""
    with pytest.raises(LimitError):
        check(pbmac1(32, count))
    mac = Mac(digest="sha1", value=bytes(20), salt=b"saltsalt", iterations=count)
    with pytest.raises(LimitError):
        verify(mac, CONTENT, Password(PASSWORD), Budget())


def test_unknown_digests_are_named() -> None:
    """What nobody here knows is unsupported, by its OID."""
    octets = der.sequence(der.sequence(der.algorithm("1.2.3.4"), der.octet_string(b"x")), der.octet_string(b"saltsalt"))
    with pytest.raises(UnsupportedError, match=r"1\.2\.3\.4"):
        check(octets)


@pytest.mark.parametrize(
    "octets", [der.sequence(), der.sequence(der.sequence(), der.octet_string(b"")), b"\x30\x03\x02\x01\x05"]
)
def test_damage_is_corrupt(octets: bytes) -> None:
    """A MacData without its parts."""
    with pytest.raises(CorruptError):
        check(octets)
    assert issubclass(CorruptError, KeystoreError)

"""pbes2: parameters are read, checked and paid for before anything is calculated (schemes: see test_pbe)."""

from __future__ import annotations

import hashlib

import pytest

from keystoretools import Budget, LimitError, Limits, UnsupportedError, der, pbes2


def pbkdf2(*values: bytes) -> der.Element:
    inside = der.sequence(der.octet_string(b"saltsalt"), *values)
    return der.parse(der.algorithm(pbes2.PBKDF2, inside))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((der.integer(5),), ("sha1", 5, None)),
        ((der.integer(5), der.integer(24)), ("sha1", 5, 24)),
        ((der.integer(5), der.algorithm(pbes2.HMAC_SHA256)), ("sha256", 5, None)),
        ((der.integer(5), der.integer(32), der.algorithm("1.2.840.113549.2.13")), ("sha512_256", 5, 32)),
    ],
)
def test_optional_fields(values: tuple[bytes, ...], expected: tuple[str, int, int | None]) -> None:
    """Key length and keyed hash may both be left out; the hash is SHA-1 then."""
    how = pbes2.read_derivation(pbkdf2(*values))
    assert expected == (how.prf, how.iterations, how.key_bytes)


def test_what_is_derived_was_paid_for() -> None:
    """The count goes to the budget, and the octets are hashlib's."""
    budget = Budget()
    how = pbes2.read_derivation(pbkdf2(der.integer(7)))
    assert hashlib.pbkdf2_hmac("sha1", b"pw", b"saltsalt", 7, 20) == pbes2.derive(how, b"pw", 20, budget, "a key")
    assert 7 == budget.steps_spent


def test_long_keys_are_paid_block_by_block() -> None:
    """PBMAC1 may ask for keys of many digests, each of which costs all iterations."""
    budget = Budget(limits=Limits(steps_in_all=12))
    how = pbes2.read_derivation(pbkdf2(der.integer(1)))
    pbes2.derive(how, b"pw", 240, budget, "a key")
    assert 12 == budget.steps_spent
    with pytest.raises(LimitError):
        pbes2.derive(how, b"pw", 1, budget, "a key")


def test_scrypt_is_bounded_in_all_directions() -> None:
    """Memory, parallelism and work; its cost counts as iterations too."""
    budget = Budget()
    cheap = pbes2.Derivation(salt=b"salt", key_bytes=None, prf="", cost=(16, 1, 1))
    expected = hashlib.scrypt(b"pw", salt=b"salt", n=16, r=1, p=1, dklen=32)
    assert expected == pbes2.derive(cheap, b"pw", 32, budget, "a key")
    assert 16 == budget.steps_spent
    for cost in ((2**22, 8, 1), (2, 1, 65), (2**40, 1, 1), (2**17, 8, 32)):
        with pytest.raises(LimitError):
            pbes2.derive(pbes2.Derivation(salt=b"", key_bytes=None, prf="", cost=cost), b"pw", 32, budget, "a key")


def test_unknown_functions_are_named() -> None:
    """Derivation, keyed hash and cipher by their OIDs."""
    for call, octets in (
        (pbes2.read_derivation, der.algorithm("1.2.3", der.sequence(der.octet_string(b""), der.integer(1)))),
        (pbes2.digest_of_hmac, der.algorithm("1.2.3")),
        (pbes2.read_cipher, der.algorithm("1.2.3", der.octet_string(b""))),
    ):
        with pytest.raises(UnsupportedError) as caught:
            call(der.parse(octets))
        assert "1.2.3" == caught.value.name

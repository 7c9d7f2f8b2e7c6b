"""pkcs12kdf: the derivation of RFC 7292 appendix B."""

from __future__ import annotations

import pytest

from keystoretools import Password
from keystoretools.pkcs12kdf import Purpose, derive, password_octets

# Test vectors that circulate with the implementations since PKCS#12 v1.0 ("smeg", "queeg").
VECTORS = [
    ("smeg", "0A58CF64530D823F", Purpose.KEY, 1, "8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3"),
    ("smeg", "0A58CF64530D823F", Purpose.IV, 1, "79993DFE048D3B76"),
    ("smeg", "3D83C0E4546AC140", Purpose.MAC, 1, "8D967D88F6CAA9D714800AB3D48051D63F73A312"),
    ("queeg", "05DEC959ACFF72F7", Purpose.KEY, 1000, "ED2034E36328830FF09DF1E1A07DD357185DAC0D4F9EB3D4"),
    ("queeg", "05DEC959ACFF72F7", Purpose.IV, 1000, "11DEDAD7758D4860"),
    ("queeg", "263216FCC2FAB31C", Purpose.MAC, 1000, "5EC4C7A80DF652294C3925B6489A7AB857C83476"),
]


@pytest.mark.parametrize(("password", "salt", "purpose", "count", "expected"), VECTORS)
def test_known_vectors(password: str, salt: str, purpose: Purpose, count: int, expected: str) -> None:
    """Keys longer than a digest, vectors and MAC keys come out as everybody's."""
    octets = derive(purpose, Password(password).bmp(), bytes.fromhex(salt), count, len(expected) // 2)
    assert expected == octets.hex().upper()


def test_an_empty_password_has_two_spellings() -> None:
    """Two zero octets first, then no octets; any other password has one."""
    assert (b"\0\0", b"") == password_octets(Password(""))
    assert (b"\0a\0\0",) == password_octets(Password("a"))


def test_long_hashes_use_their_own_block() -> None:
    """SHA-512 works on blocks of 128 octets: a prefix of a longer result is the shorter one."""
    one = derive(Purpose.KEY, b"\0a\0\0", b"saltsalt", 3, 200, "sha512")
    assert (200, one[:64]) == (len(one), derive(Purpose.KEY, b"\0a\0\0", b"saltsalt", 3, 64, "sha512"))

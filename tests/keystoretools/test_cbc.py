"""cbc: ciphers by name, there and back, lengths and padding checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import CorruptError, LimitError, WrongKeyPasswordError, cbc
from keystoretools.cbc import BlockCipher

CIPHERS = {
    "AES-128": BlockCipher(name="aes", key_bytes=16, block_bytes=16),
    "AES-256": BlockCipher(name="aes", key_bytes=32, block_bytes=16),
    "CAMELLIA-256": BlockCipher(name="camellia", key_bytes=32, block_bytes=16),
    "3DES": BlockCipher(name="3des", key_bytes=24),
    "2DES": BlockCipher(name="2des", key_bytes=16),
    "DES": BlockCipher(name="des", key_bytes=8),
}


@given(st.sampled_from(sorted(CIPHERS)), st.binary(max_size=50))
def test_there_and_back(name: str, plain: bytes) -> None:
    """Every length, one to sixteen octets of padding."""
    cipher = CIPHERS[name]
    key, iv = bytes(range(cipher.key_bytes)), bytes(cipher.block_bytes)
    octets = cbc.encrypt(cipher, key, iv, plain)
    assert plain == cbc.decrypt(cipher, key, iv, octets)
    assert name == cipher.words.upper()


def test_single_des_is_des() -> None:
    """A published vector (NBS SP 500-20): 3DES with one key three times is DES."""
    cipher = CIPHERS["DES"]
    octets = cbc.encrypt(cipher, bytes.fromhex("0101010101010101"), bytes(8), bytes.fromhex("8000000000000000"))
    assert "95f8a5e5dd31d900" == octets[:8].hex()


def test_damage_is_told_apart() -> None:
    """Lengths no cipher gives are corrupt, bad padding is the password, too much RC2 is a limit."""
    cipher = CIPHERS["3DES"]
    for iv, octets in ((bytes(7), bytes(8)), (bytes(8), b""), (bytes(8), bytes(9))):
        with pytest.raises(CorruptError):
            cbc.decrypt(cipher, bytes(24), iv, octets)
    with pytest.raises(WrongKeyPasswordError):
        cbc.decrypt(cipher, bytes(range(24)), bytes(8), bytes(8))
    rc2 = BlockCipher(name="rc2", key_bytes=5, effective_bits=40)
    with pytest.raises(LimitError):
        cbc.decrypt(rc2, bytes(5), bytes(8), bytes(cbc.SLOW_CIPHER_BYTES + 8))
    assert "RC2-40" == rc2.words

"""rc4: the key stream that RFC 6229 publishes."""

from __future__ import annotations

import pytest

from keystoretools import rc4


@pytest.mark.parametrize(
    ("key", "stream"),
    [
        ("0102030405", "b2396305f03dc027ccc3524a0a1118a8"),
        ("0102030405060708090a0b0c0d0e0f10", "9ac7cc9a609d1ef7b2932899cde41b97"),
    ],
)
def test_published_streams(key: str, stream: str) -> None:
    """Keys of 40 and 128 bits, as PKCS#12 uses them."""
    assert stream == rc4.apply(bytes.fromhex(key), bytes(16)).hex()

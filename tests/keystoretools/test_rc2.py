"""rc2: decrypts what RFC 2268 says."""

from __future__ import annotations

import pytest

from keystoretools import rc2

# RFC 2268 section 5: key, effective bits, plain text, cipher text.
VECTORS = [
    ("0000000000000000", 63, "0000000000000000", "ebb773f993278eff"),
    ("ffffffffffffffff", 64, "ffffffffffffffff", "278b27e42e2f0d49"),
    ("3000000000000000", 64, "1000000000000001", "30649edf9be7d2c2"),
    ("88", 64, "0000000000000000", "61a8a244adacccf0"),
    ("88bca90e90875a", 64, "0000000000000000", "6ccf4308974c267f"),
    ("88bca90e90875a7f0f79c384627bafb2", 64, "0000000000000000", "1a807d272bbe5db1"),
    ("88bca90e90875a7f0f79c384627bafb2", 128, "0000000000000000", "2269552ab0f85ca6"),
    (
        "88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e",
        129,
        "0000000000000000",
        "5b78d3a43dfff1f1",
    ),
]


@pytest.mark.parametrize(("key", "bits", "plain", "cipher"), VECTORS)
def test_published_vectors(key: str, bits: int, plain: str, cipher: str) -> None:
    """Every vector of the RFC, with effective key lengths that are no multiple of 8 too."""
    found = rc2.decrypt_cbc(bytes.fromhex(key), bits, bytes(8), bytes.fromhex(cipher))
    assert plain == found.hex()


def test_blocks_are_chained() -> None:
    """The second block is combined with the first one's cipher text, the first with the vector."""
    key, block = bytes.fromhex("3000000000000000"), bytes.fromhex("30649edf9be7d2c2")
    vector = bytes.fromhex("0000000000000007")
    chained = bytes(a ^ b for a, b in zip(bytes.fromhex("1000000000000001"), block, strict=True))
    assert bytes.fromhex("1000000000000006") + chained == rc2.decrypt_cbc(key, 64, vector, block * 2)

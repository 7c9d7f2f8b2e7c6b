"""hashing: the quickest constructors give what hashlib gives."""

from __future__ import annotations

import hashlib

import pytest

from keystoretools import hashing


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha384", "sha512", "sha512_256", "sha3_256"])
def test_it_is_the_digest_of_that_name(digest: str) -> None:
    """Whoever calculates it, with the same result."""
    expected = hashlib.new(digest, b"octets", usedforsecurity=False).digest()
    assert expected == hashing.constructor(digest)(b"octets").digest()


def test_fips_mode_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a digest is refused for protection, it is asked for as what it is: no protection."""

    def refusing(octets: bytes = b"", *, usedforsecurity: bool = True) -> object:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return hashlib.new("sha1", octets, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "sha1", refusing)
    hashing.constructor.cache_clear()
    try:
        assert 20 == len(hashing.constructor("sha1")(b"octets").digest())
    finally:
        hashing.constructor.cache_clear()

"""octets: Java's modified UTF-8 in both directions, lengths checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import CorruptError, KeystoreError, LimitError, TruncatedError
from keystoretools.octets import OctetReader, counted, decode_modified_utf8, encode_modified_utf8


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_reads_back(text: str) -> None:
    """Every text survives, lone surrogates and NUL included; a pair of surrogates becomes its character."""
    java = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")
    octets = encode_modified_utf8(text)
    assert b"\0" not in octets
    assert decode_modified_utf8(octets) == java


@given(st.binary(max_size=40))
def test_random_octets_give_documented_errors(octets: bytes) -> None:
    """Decoding any octets gives text or KeystoreError."""
    try:
        assert isinstance(decode_modified_utf8(octets), str)
    except KeystoreError as error:
        assert isinstance(error, CorruptError)


def test_java_writes_two_surrogates() -> None:
    """A key symbol (U+1F511) is six octets, NUL is two."""
    assert encode_modified_utf8("\U0001f511\0") == bytes.fromhex("EDA0BDEDB491 C080")


def test_lengths_are_checked_before_use() -> None:
    """Negative is corrupt, absurd is a limit, behind the end is truncated with the missing octets."""
    with pytest.raises(CorruptError):
        OctetReader(b"\xff\xff\xff\xff").counted("x", 10)
    with pytest.raises(LimitError):
        OctetReader(b"\x7f\xff\xff\xff").counted("x", 10)
    with pytest.raises(TruncatedError) as caught:
        OctetReader(counted(b"abcdef")[:-2]).counted("x", 10)
    assert (caught.value.offset, caught.value.missing) == (4, 2)

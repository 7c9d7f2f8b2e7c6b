"""der: what is written reads back; random octets give documented errors only."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import CorruptError, KeystoreError, LimitError, TruncatedError, der


@given(st.integers())
def test_integers_read_back(number: int) -> None:
    """Any integer survives writing and reading."""
    assert der.parse(der.integer(number)).integer() == number


@given(
    st.tuples(st.integers(0, 2), st.integers(0, 39)),
    st.lists(st.integers(0, 2**40), max_size=6),
)
def test_object_identifiers_read_back(start: tuple[int, int], rest: list[int]) -> None:
    """Any object identifier survives writing and reading."""
    dotted = ".".join(map(str, [*start, *rest]))
    assert der.parse(der.oid(dotted)).oid() == dotted


@given(st.binary(max_size=300), st.integers(1, 400))
def test_segmented_strings_are_joined(octets: bytes, size: int) -> None:
    """An OCTET STRING in segments of indefinite length gives the same octets as a simple one."""
    segments = b"".join(der.octet_string(octets[at : at + size]) for at in range(0, len(octets), size))
    element = der.parse(b"\x24\x80" + segments + b"\0\0")
    assert element.octet_string() == octets
    assert element.stop == len(element.data)


@given(st.binary(max_size=200))
def test_random_octets_give_documented_errors(octets: bytes) -> None:
    """Walking any octets raises nothing but KeystoreError."""

    def walk(element: der.Element) -> None:
        for method in (
            element.integer,
            element.oid,
            element.bits,
            element.time,
            element.octets,
            element.text,
        ):
            with contextlib.suppress(KeystoreError):
                method()
        if element.is_constructed:
            for child in element.children():
                walk(child)

    with contextlib.suppress(KeystoreError):
        walk(der.parse(octets, is_file=True, allow_trailing=True))


@given(st.data())
def test_a_cut_file_is_truncated(data: st.DataObject) -> None:
    """A file cut anywhere behind its first two octets is called truncated, with what is missing."""
    whole = der.sequence(der.octet_string(bytes(200)), der.integer(5))
    size = data.draw(st.integers(3, len(whole) - 1))
    with pytest.raises(TruncatedError) as caught:
        der.parse(whole[:size], is_file=True)
    assert caught.value.missing == len(whole) - size


def test_a_child_longer_than_its_parent_is_corrupt() -> None:
    """A length behind the end of the parent is damage, not a cut file."""
    with pytest.raises(CorruptError):
        der.parse(bytes.fromhex("3003 0405 01"), is_file=True).children()


def test_deep_nesting_is_a_limit() -> None:
    """50 000 nested SEQUENCEs are refused for their depth, definite or indefinite."""
    with pytest.raises(LimitError):
        der.parse(b"\x30\x80" * 50_000)
    nested = b""
    for _ in range(40):
        nested = der.sequence(nested)
    element = der.parse(nested)
    with pytest.raises(LimitError):
        while True:
            element = element.children()[0]


def test_long_length_octets_are_a_limit() -> None:
    """More than four length octets are refused before they are read."""
    with pytest.raises(LimitError):
        der.parse(b"\x30\x89" + b"\xff" * 9)


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        (der.UTC_TIME, "491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (der.UTC_TIME, "500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (der.UTC_TIME, "2601021230+0130", datetime(2026, 1, 2, 11, 0, tzinfo=UTC)),
        (der.GENERALIZED_TIME, "99991231235959Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (der.GENERALIZED_TIME, "20260102030405.678Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_dates(tag: int, text: str, expected: datetime) -> None:
    """Both kinds of date are read, with the centuries of RFC 5280 and BER's zones."""
    assert der.parse(der.encode(tag, text.encode())).time() == expected

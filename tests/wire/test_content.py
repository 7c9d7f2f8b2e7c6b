"""Content-Type and Content-Encoding."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderError
from agent.wire.content import Inflater, charset_of, open_inflater

MIB = 1024 * 1024


def inflater(encoding: bytes = b"gzip", *, max_bytes: int = MIB, max_ratio: int = 100) -> Inflater:
    made = open_inflater(encoding, max_bytes=max_bytes, max_ratio=max_ratio)
    assert made is not None
    return made


def inflate(stream: Inflater, data: bytes) -> bytes:
    out = stream.feed(data)
    stream.finish()
    return out


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("application/xml", None),
        ("application/xml; charset=UTF-8", "UTF-8"),
        ('text/xml;Charset="iso-8859-1"; x=y', "iso-8859-1"),
        ("text/xml; charset=", None),
        ("", None),
    ],
)
def test_finds_the_charset(content_type: str, charset: str | None) -> None:
    """The parameter is found in each of its spellings."""
    assert charset == charset_of(content_type)


@given(st.lists(st.binary(max_size=50), max_size=4), st.integers(1, 30))
def test_any_split_inflates_to_the_same(members: list[bytes], size: int) -> None:
    """Several gzip members in a row are one body, however the bytes arrive."""
    data = b"".join(gzip.compress(member) for member in members or [b"x"])
    stream = inflater()
    out = b"".join(stream.feed(data[start : start + size]) for start in range(0, len(data), size))
    stream.finish()
    assert b"".join(members or [b"x"]) == out


def test_deflate_is_the_zlib_format() -> None:
    """`deflate` means a zlib stream; identity means no inflater."""
    assert b"<a/>" == inflate(inflater(b"deflate"), zlib.compress(b"<a/>"))
    assert open_inflater(b"identity", max_bytes=1, max_ratio=1) is None


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        gzip.compress(b"<a/>")[:-1],
        gzip.compress(b"<a/>") + b"junk",
        gzip.compress(b"<a/>")[:-5] + b"\0" * 5,
        b"",
    ],
)
def test_damage_is_a_400(data: bytes) -> None:
    """Not gzip, cut off, junk behind the end, a wrong checksum: the sender is told."""
    with pytest.raises(SenderError) as caught:
        inflate(inflater(), data)
    assert 400 == caught.value.status


@pytest.mark.parametrize("encoding", [b"br", b"gzip, gzip", b"compress", b"zstd", b"\x1b[2J"])
def test_other_encodings_are_a_415(encoding: bytes) -> None:
    """Only gzip, deflate and identity, and only one of them; the answer says which."""
    with pytest.raises(SenderError) as caught:
        open_inflater(encoding, max_bytes=1, max_ratio=1)
    assert 415 == caught.value.status
    assert ("Accept-Encoding", "gzip, deflate, identity") in caught.value.headers


def test_a_bomb_is_noticed_at_once() -> None:
    """A thousandfold bomb is refused by its ratio, having inflated little more than the grace."""
    bomb = gzip.compress(b"\0" * (50 * MIB))
    with pytest.raises(SenderError, match="more than 100 times") as caught:
        inflater(max_bytes=100 * MIB).feed(bomb)
    assert 413 == caught.value.status


def test_the_inflated_size_is_capped() -> None:
    """The cap counts what comes out, also where the ratio is harmless."""
    noise = bytes(range(256)) * 40
    assert noise == inflate(inflater(max_bytes=len(noise)), gzip.compress(noise))
    with pytest.raises(SenderError, match="inflates to more than"):
        inflater(max_bytes=len(noise) - 1).feed(gzip.compress(noise))

"""Which encoding wins, and which are refused."""

import codecs

import pytest

from agent.errors import SenderError
from agent.event.charset import decide_codec, decode, why_codec

LATIN = b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>'


@pytest.mark.parametrize(
    ("body", "charset", "codec"),
    [
        (b"<a/>", None, "utf-8"),
        (LATIN, None, "iso8859-1"),
        (LATIN, "utf-8", "utf-8"),
        (codecs.BOM_UTF8 + LATIN, None, "utf-8"),
        (codecs.BOM_UTF8 + b"<a/>", "iso-8859-1", "utf-8"),
        (codecs.BOM_UTF16_LE + "<a/>".encode("utf-16-le"), "utf-8", "utf-16-le"),
        ("<a/>".encode("utf-16-be"), None, "utf-16-be"),
        ("<a/>".encode("utf-16-le"), "UTF-16", "utf-16-le"),
        (b'<?xml version="1.0" encoding="windows-1252"?><a/>', None, "cp1252"),
        (b"<a/>", "US-ASCII", "ascii"),
        (b"<a/>", "ISO_8859-15", "iso8859-15"),
    ],
)
def test_mark_then_transport_then_declaration(body: bytes, charset: str | None, codec: str) -> None:
    """A byte order mark wins over the charset parameter, which wins over the declaration (RFC 7303)."""
    assert codec == decide_codec(body, charset)


@pytest.mark.parametrize(
    "name", ["UTF-7", "utf-32", "ISO-2022-JP", "EBCDIC-CP-US", "cp037", "unicode-escape", "rot13", "x" * 30]
)
def test_exotic_encodings_are_refused(name: str) -> None:
    """Only the listed encodings are decoded; the sentence names the one found and those that are taken."""
    for body, charset in ((b"<a/>", name), (f'<?xml version="1.0" encoding="{name}"?><a/>'.encode(), None)):
        with pytest.raises(SenderError) as caught:
            decide_codec(body, charset)
        assert 415 == caught.value.status
        assert name in caught.value.sentence and "UTF-8" in caught.value.sentence


def test_utf32_is_told_from_utf16() -> None:
    """The mark of UTF-32 begins like that of UTF-16 and is not mistaken for it."""
    with pytest.raises(SenderError, match="UTF-32"):
        decide_codec("<a/>".encode("utf-32"), None)


def test_a_declaration_that_lies_is_said_to() -> None:
    """UTF-16 declared in a document of single bytes cannot be true."""
    with pytest.raises(SenderError, match="single bytes"):
        decide_codec(b'<?xml version="1.0" encoding="UTF-16"?><a/>', None)


def test_bad_bytes_are_named_with_their_place() -> None:
    """Decoding is strict, and the sentence has line, column and the bytes."""
    with pytest.raises(SenderError, match=r"Line 2, column 3: the bytes ff"):
        decode(b"<a>\nab\xff</a>", "utf-8")


@pytest.mark.parametrize(
    ("body", "charset", "why"),
    [
        (b"\xef\xbb\xbf<a/>", "iso-8859-1", "its byte order mark says so"),
        (b"<a/>", "utf-8", "the charset parameter of the Content-Type says 'utf-8'"),
        (LATIN, "utf-8", "comes before the document's own word (the XML declaration says 'ISO-8859-1')"),
        (LATIN, None, "the XML declaration says 'ISO-8859-1'"),
        ("<a/>".encode("utf-16-le"), None, "it begins like that"),
        (b"<a/>", None, "nothing names another"),
    ],
)
def test_says_what_decided(body: bytes, charset: str | None, why: str) -> None:
    """The party that named the encoding is the one to mend it: the reason follows the order of `decide_codec`."""
    decide_codec(body, charset)
    assert why_codec(body, charset).endswith(why)

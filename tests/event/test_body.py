"""What kind a body is."""

import codecs

import pytest

from agent.errors import SenderError
from agent.event import BodyKind
from agent.event.body import body_kind, guess_kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<a/>", BodyKind.XML),
        (b"\xef\xbb\xbf \r\n<a/>", BodyKind.XML),
        ("<a/>".encode("utf-16"), BodyKind.XML),
        (" <a/>".encode("utf-16-be"), BodyKind.XML),
        (b' \n{"a": 1}', BodyKind.JSON),
        (codecs.BOM_UTF8 + b"[]", BodyKind.JSON),
    ],
)
def test_the_first_character_decides(body: bytes, kind: BodyKind) -> None:
    """White space, byte order marks and UTF-16 do not hide what a body is."""
    assert kind == body_kind(body)


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"  ", 400), (b"a=1&b=2", 415), (b"\x1f\x8b\x08", 415), (b"\x1b[2J", 415)]
)
def test_anything_else_is_refused(body: bytes, status: int) -> None:
    """Forms, compressed bytes without their header and nothing at all are told apart from XML and JSON."""
    with pytest.raises(SenderError) as caught:
        body_kind(body)
    assert status == caught.value.status
    assert caught.value.sentence.isprintable()
    assert BodyKind.OTHER == guess_kind(body)

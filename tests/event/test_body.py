"""What kind a body is, and JSON bodies."""

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderError
from agent.event import BodyKind
from agent.event.body import BodyReader, body_kind, guess_kind


def check(body: bytes, *, max_depth: int = 64) -> BodyKind:
    return BodyReader(max_depth=max_depth).check(body)


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


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"a": ', "it is cut off"),
        (b"{} x", "something follows its end"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'{"a": "\xff"}', "Byte 8 is not valid UTF-8"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"[" + b"9" * 10_000 + b"]", "not accepted"),
        ('{"a": 1}'.encode("utf-16"), "not valid UTF-8"),
    ],
)
def test_bad_json_is_a_400_with_its_place(body: bytes, sentence: str) -> None:
    """JSON is strict: UTF-8, no NaN, nothing behind its end."""
    with pytest.raises(SenderError) as caught:
        check(body)
    assert 400 == caught.value.status
    assert sentence in caught.value.sentence


@pytest.mark.parametrize("limit", [1, 3, 64])
def test_the_depth_of_json_is_limited_exactly(limit: int) -> None:
    """Exactly `max_depth` levels pass; wide documents are not mistaken for deep ones."""
    assert BodyKind.JSON == check(b"[" * limit + b"]" * limit, max_depth=limit)
    if limit > 1:
        assert BodyKind.JSON == check(b"[" + b",".join([b'{"a":1}'] * 200) + b"]", max_depth=limit)
    for deeper in (limit + 1, 100_000):
        with pytest.raises(SenderError) as caught:
            check(b"[" * deeper + b"]" * deeper, max_depth=limit)
        assert "json-too-deep" == caught.value.code


@given(st.binary(max_size=60).map(lambda rest: b"{" + rest))
def test_every_failure_of_json_is_the_senders(body: bytes) -> None:
    """Whatever follows the brace, there is either JSON or a 400."""
    try:
        check(body)
    except SenderError as error:
        assert 400 == error.status
    else:
        json.loads(body)


def test_doubled_keys_are_the_services_business() -> None:
    """RFC 8259 allows them, so they are not refused."""
    assert BodyKind.JSON == check(b'{"a": 1, "a": 2}')

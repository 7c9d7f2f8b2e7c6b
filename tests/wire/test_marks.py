"""agent.wire.marks: priority, process group and idempotency key out of headers."""

import pytest

from agent.errors import SenderError
from agent.wire.marks import UNMARKED, Marks, read_key, read_marks


def test_without_headers_nothing_is_marked() -> None:
    """Normal priority, the group of all, no key."""
    assert UNMARKED == read_marks({b"host": b"x"}) == Marks(is_high=False, group="", key="")


@pytest.mark.parametrize(("value", "is_high"), [(b"high", True), (b" HIGH", True), (b"normal", False)])
def test_priority(value: bytes, is_high: bool) -> None:
    """Two words, in any case."""
    assert is_high == read_marks({b"apia-priority": value}).is_high


def test_group_is_any_text() -> None:
    """UTF-8 where it is that, else Latin-1; blanks inside belong to it."""
    assert "pumps of hall 7" == read_marks({b"apia-process-group": b" pumps of hall 7 "}).group
    assert "Büro" == read_marks({b"apia-process-group": "Büro".encode()}).group
    assert "Büro" == read_marks({b"apia-process-group": "Büro".encode("latin-1")}).group


def test_key_without_its_quotes() -> None:
    """A structured field and a bare text of the same content are the same key."""
    assert "a-1" == read_key(b'"a-1"', "X") == read_key(b" a-1 ", "X")
    assert '"' == read_key(b'"', "X")


@pytest.mark.parametrize(
    ("name", "value", "code", "sentence"),
    [
        (b"apia-priority", b"urgent", "bad-priority", "is 'urgent'; send normal or high"),
        (b"apia-priority", b"", "bad-priority", "is ''"),
        (b"apia-process-group", b"x" * 257, "bad-process-group", "257 bytes; a process group has at most 256"),
        (b"apia-process-group", b"a\x1bb", "bad-process-group", "control characters"),
        (b"idempotency-key", b"", "bad-idempotency-key", "is empty"),
        (b"idempotency-key", b'""', "bad-idempotency-key", "is empty"),
        (b"idempotency-key", b"x" * 257, "bad-idempotency-key", "257 bytes; a key has at most 256"),
    ],
)
def test_what_is_refused(name: bytes, value: bytes, code: str, sentence: str) -> None:
    """400 with the value found and the value expected."""
    with pytest.raises(SenderError) as caught:
        read_marks({name: value})
    assert (400, code) == (caught.value.status, caught.value.code)
    assert sentence in caught.value.sentence

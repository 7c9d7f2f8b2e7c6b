"""JSON bodies: what is refused, with which sentence, and what it may cost."""

import contextlib
import json
import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SenderError
from agent.event.json import MANY_ESCAPES, MAX_VALUES, SLICE_BYTES, JsonReader


def check(body: bytes, charset: str | None = None, *, max_depth: int = 64) -> None:
    JsonReader(max_depth=max_depth).check(body, charset)


def refusal(body: bytes, charset: str | None = None) -> SenderError:
    with pytest.raises(SenderError) as caught:
        check(body, charset)
    assert 400 == caught.value.status
    return caught.value


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"a": ', "it is cut off"),
        (b"{} x", "something follows its end"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b'{"a": "\xff"}', "Byte 8 is not valid UTF-8"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"[" + b"9" * 10_000 + b"]", "a number of 10000 digits; at most 1000 are taken"),
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
    check(b"[" * limit + b"]" * limit, max_depth=limit)
    if limit > 1:
        check(b"[" + b",".join([b'{"a":1}'] * 200) + b"]", max_depth=limit)
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
    check(b'{"a": 1, "a": 2}')


@pytest.mark.parametrize("filling", [b"{},", b"0,", b'"x",', b"[0],"])
def test_the_number_of_values_is_limited(filling: bytes) -> None:
    """A document of millions of values is refused without being read, whatever its values are."""
    refused = refusal(b"[" + filling * MAX_VALUES + b"0,0]")
    assert ("json-too-many-values", "100000" in refused.sentence) == (refused.code, True)


def test_what_stands_in_strings_is_not_counted() -> None:
    """Commas, brackets and escaped quotes of a text are text, wherever the slices of the count are cut."""
    text = b'a, b [c] {d} \\" \\\\'
    for shift in range(len(text)):
        check(b'["' + b"x" * (SLICE_BYTES - shift) + text * 30_000 + b'"' + b', "' + text * 20_000 + b'"]')


def test_many_escapes_change_nothing() -> None:
    """The short cut for texts full of escapes finds the same faults at the same places."""
    text = b'\\n\\t\\\\\\"\\u00e9' * MANY_ESCAPES
    check(b'["' + text + b'"]')
    broken = refusal(b'["' + text + b'"\n}')
    assert "line 2, column 1" in broken.sentence
    assert "invalid" in refusal(b'["' + text + b'\\x"]').sentence


@pytest.mark.parametrize("half", ["\\ud800", "\\uDC00", "\\ud83d\\u0041", "\\ude00\\ud83d", "\\\\\\ud800"])
def test_half_a_surrogate_pair_is_refused_with_its_place(half: str) -> None:
    """It is no character, and whoever would write it later could not."""
    refused = refusal(f'{{"a":\n "é{half}"}}'.encode())
    assert "Line 2, column " in refused.sentence and "half of a surrogate pair" in refused.sentence


def test_whole_pairs_and_escaped_backslashes_are_text() -> None:
    """A smiley is written as a pair; `\\\\ud800` is a backslash and five letters."""
    check(rb'{"a": "\ud83d\ude00 \\ud800 \u00e9"}')


def test_another_charset_is_named_where_it_misled() -> None:
    """JSON is UTF-8 whatever the parameter says; a sender who relied on it is told so."""
    check(b'{"a": "x"}', "iso-8859-1")
    assert (
        "The charset 'iso-8859-1' of the Content-Type does not change that."
        in refusal(b'["\xe9"]', "iso-8859-1").sentence
    )
    assert "charset" not in refusal(b'["\xe9"]', "utf-8").sentence


PROBES = {
    "values": b"[" + b"{}," * (MAX_VALUES // 2 - 1) + b"0]",
    "keys": b"{" + b",".join(b'"%090d":0' % number for number in range(MAX_VALUES - 1)) + b"}",
    "escapes": b'["' + b"\\n" * 5_000_000 + b'"]',
    "digits": b"[" + b",".join([b"9" * 1000] * 10_000) + b"]",
    "too many": b"[" + b"[]," * 3_300_000 + b"0]",
}


@pytest.mark.parametrize("name", PROBES)
def test_nobody_waits_long_for_a_large_document(name: str) -> None:
    """While 10 MB are checked in a thread, others come round again within a fraction of a second.

    The bound is wide, because the machine that tests is busy; without the measures it is 0.5 to 2 s.
    """
    body, seen, is_over = PROBES[name], [time.perf_counter()], threading.Event()

    def work() -> None:
        with contextlib.suppress(SenderError):
            check(body)
        is_over.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not is_over.wait(0.001):
        seen.append(time.perf_counter())
    seen.append(time.perf_counter())
    thread.join()
    assert max(later - earlier for earlier, later in pairwise(seen)) < 0.4

"""agent.host.output: whatever a service prints, the log gets bounded, harmless lines."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.host.output import Allowance, LineReader, printable


def test_lines_are_whole() -> None:
    """A line comes when its end has come; the rest comes when the stream ends."""
    reader = LineReader(allowance=Allowance())

    assert [] == list(reader.feed(b"one", 0))
    assert ["one", "two"] == list(reader.feed(b"\ntwo\r\nthr", 0))
    assert ["thr"] == list(reader.end(0))
    assert [] == list(reader.end(0))


@settings(max_examples=80)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_split_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    """However the bytes arrive, the lines are the same."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole = LineReader(allowance=Allowance(), max_line_bytes=20)
    split = LineReader(allowance=Allowance(), max_line_bytes=20)

    expected = [*whole.feed(data, 0), *whole.end(0)]
    actual = [line for a, b in itertools.pairwise(edges) for line in split.feed(data[a:b], 0)] + list(split.end(0))

    assert expected == actual


def test_long_line_is_cut_once() -> None:
    """Of an endless line the beginning is given, once; the next line is whole again."""
    reader = LineReader(allowance=Allowance(), max_line_bytes=4)

    lines = [*reader.feed(b"abcdefgh", 0), *reader.feed(b"ijkl", 0), *reader.feed(b"mn\nnext\n", 0)]

    assert ["abcd [cut short]", "next"] == lines


def test_flood_is_dropped_and_counted() -> None:
    """Over the allowance lines are dropped; afterwards it is told how many, and a torn line is not shown."""
    allowance = Allowance(max_lines=2, window_s=10)
    reader = LineReader(allowance=allowance)

    flood = list(reader.feed(b"1\n2\n3\n4\n", 0))
    more = list(reader.feed(b"5\n6\ntorn", 1))
    told_meanwhile = allowance.report_dropped(9)
    after = list(reader.feed(b" line\nwhole\n", 10))

    assert ["1", "2"] == flood
    assert [] == more
    assert 0 == told_meanwhile
    assert ["whole"] == after
    assert 4 == allowance.report_dropped(10)
    assert 0 == allowance.report_dropped(10)


def test_control_characters_are_written_out() -> None:
    """No service can forge a log line or speak to a terminal."""
    assert "a\\r\\nb\\x1b[2J\\x9b\\u2028 é\t" == printable("a\r\nb\x1b[2J\x9b\u2028 é\t")

"""Where TLS records end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.wire.records import Frames


def record(size: int) -> bytes:
    return b"\x17\x03\x03" + size.to_bytes(2, "big") + b"x" * size


def test_one_whole_record_is_told() -> None:
    """Not two, not a part, not what follows a part."""
    frames = Frames()
    whole = record(300)
    taken = [
        frames.take(piece) for piece in (whole, whole + whole, whole[:3], whole[3:], whole[:50], whole[50:], whole)
    ]
    assert [True, False, False, False, False, False, True] == taken


@given(st.lists(st.integers(0, 40), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_it_is_never_lost(sizes: list[int], cuts: list[int]) -> None:
    """However the records are cut: a piece is told as one record exactly when it is one."""
    stream = b"".join(map(record, sizes))
    ends = {0}
    for size in sizes:
        ends.add(max(ends) + 5 + size)
    frames, at = Frames(), 0
    for cut in cuts:
        piece = stream[at : at + cut]
        inside = [end for end in ends if at < end < at + len(piece)]
        expected = bool(piece) and at in ends and at + len(piece) in ends and not inside
        assert expected == frames.take(piece)
        at += len(piece)

"""The newest things, by place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.recent import Ring


def ring(max_items: int = 5, max_chars: int = 1000) -> Ring[str]:
    return Ring(max_items=max_items, max_chars=max_chars, chars_of=len)


def test_pages_follow_one_another() -> None:
    """Each begins where the one before ended; at the end there is nothing, and no loss."""
    kept = ring()
    kept.add(["a", "b", "c"])
    assert (["a", "b"], 2, 0) == kept.after(0, 2)
    assert (["c"], 3, 0) == kept.after(2, 2)
    assert ([], 3, 0) == kept.after(3, 2)


def test_a_slow_reader_is_told_how_many_he_missed() -> None:
    """And goes on with the oldest that is there."""
    kept = ring()
    kept.add("abcdefgh")
    assert (["d", "e"], 5, 3) == kept.after(0, 2)


def test_many_characters_make_room_as_many_things_do() -> None:
    """One that is larger than all room is kept alone."""
    kept = ring(max_chars=10)
    kept.add(["aaaa", "bbbb", "cccc"])
    assert ["bbbb", "cccc"] == kept.after(0, 9)[0]
    kept.add(["d" * 100])
    assert (["d" * 100], 3) == (kept.after(0, 9)[0], kept.begin)


@given(st.lists(st.tuples(st.lists(st.text(max_size=5), max_size=9), st.integers(1, 4), st.booleans())))
def test_nothing_is_read_twice_and_every_loss_is_counted(
    steps: list[tuple[list[str], int, bool]],
) -> None:
    """However a reader and a writer take turns."""
    kept = ring(max_items=6, max_chars=12)
    written: list[str] = []
    place = read = lost = 0
    for batch, limit, is_reading in steps:
        kept.add(batch)
        written += batch
        if is_reading:
            found, place, missed = kept.after(place, limit)
            lost += missed
            assert found == written[place - len(found) : place]
            read += len(found)
            assert place == read + lost
    assert len(written) == kept.end

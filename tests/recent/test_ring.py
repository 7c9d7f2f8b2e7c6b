"""The newest things, by place."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agent.recent import Ring
from agent.recent.ring import BUNDLE_SHARE


def chars_of(items: Sequence[str]) -> int:
    return sum(map(len, items))


def ring(max_items: int = 5, max_chars: int = 1000) -> Ring[str]:
    return Ring(max_items=max_items, max_chars=max_chars, chars_of=chars_of)


class Counting(list[str]):
    """Items that know how often they were read."""

    reads = 0

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        self.reads += 1
        return super().__getitem__(place)

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.reads += 1
        return super().__iter__()


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


def test_so_many_things_can_be_read_whatever_they_came_with() -> None:
    """Of a bundle that is partly too old, the newer part is there still."""
    kept = ring()
    kept.add(["a", "b", "c", "d"])
    kept.add(["e", "f", "g"])
    assert (["c", "d", "e", "f", "g"], 7, 2) == kept.after(0, 9)
    assert (["d", "e", "f"], 6, 0) == kept.after(3, 3)
    assert (["f", "g"], 7, 0) == kept.after(5, 9)


def test_what_nobody_reads_is_not_taken_apart() -> None:
    """Thousands a second are kept, and dropped, as they came."""
    kept = ring()
    bundles = [Counting("abc") for _ in range(9)]
    for bundle in bundles:
        kept.add(bundle)
    assert 9 == sum(bundle.reads for bundle in bundles)  # to count the characters
    assert 2 == len(kept._bundles)
    assert ["b", "c"] == kept.after(25, 9)[0]
    assert 10 == sum(bundle.reads for bundle in bundles)


def test_characters_that_are_too_many_cost_the_oldest_bundle() -> None:
    """And no other: a large one is not kept as one."""
    max_chars = 2 * BUNDLE_SHARE
    kept = ring(max_items=1000, max_chars=max_chars)
    for _ in range(BUNDLE_SHARE):
        kept.add(["a", "b"])
    assert (0, max_chars) == (kept.begin, kept.end)
    kept.add(["c"])
    assert 2 == kept.begin
    kept.add(["d" * (max_chars - 2), "e"])
    assert ["c", "d", "e"] == [item[0] for item in kept.after(0, 9)[0]]
    kept.add(["f"])
    assert ["d", "e", "f"] == [item[0] for item in kept.after(0, 9)[0]]
    kept.add(["g"])
    assert ["e", "f", "g"] == [item[0] for item in kept.after(0, 9)[0]]


def test_nothing_leaves_nothing_behind() -> None:
    """An empty bundle would never be too old."""
    kept = ring()
    kept.add([])
    assert (([], 0, 0), 0) == (kept.after(0, 9), len(kept._bundles))


@given(
    st.lists(st.tuples(st.lists(st.text(max_size=5), max_size=9), st.integers(1, 4), st.booleans())),
    st.sampled_from([12, 20 * BUNDLE_SHARE]),
)
def test_nothing_is_read_twice_and_every_loss_is_counted(
    steps: list[tuple[list[str], int, bool]], max_chars: int
) -> None:
    """However a reader and a writer take turns, and whether things are kept alone or together."""
    kept = ring(max_items=6, max_chars=max_chars)
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

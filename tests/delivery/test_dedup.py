"""agent.delivery.dedup against the rules, and against a model that keeps everything and looks through all of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.delivery.dedup import Memory, combination


class Naive:
    """The algorithm as its description reads: a list, searched and cut."""

    def __init__(self, period_s: int, window_size: int) -> None:
        self.period_s, self.window_size = period_s, window_size
        self.entries: list[tuple[str, int]] = []

    def is_duplicate(self, key: str, now_s: int) -> bool:
        return any(known == key and now_s - at_s < self.period_s for known, at_s in self.entries)

    def count(self, key: str, now_s: int) -> None:
        self.entries = [(known, at_s) for known, at_s in self.entries if now_s - at_s < self.period_s]
        if not any(known == key for known, _ in self.entries):
            self.entries = [*self.entries, (key, now_s)][-self.window_size :]


STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 6), st.booleans()), max_size=60)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, period_s=st.integers(1, 10), window_size=st.integers(1, 5))
def test_the_memory_says_what_the_model_says(
    steps: list[tuple[str, int, bool]], period_s: int, window_size: int
) -> None:
    """Whatever is asked and counted, with whatever pauses, and with a restart at any time."""
    memory, naive = Memory(period_s=period_s, window_size=window_size), Naive(period_s, window_size)
    on_disk: dict[str, float] = {}
    now_s = 0
    for key, pause_s, is_restarted in steps:
        now_s += pause_s
        if is_restarted:
            memory = Memory(period_s=period_s, window_size=window_size)
            memory.restore(on_disk.items())
        assert naive.is_duplicate(key, now_s) == memory.is_duplicate(key, now_s)
        naive.count(key, now_s)
        forgotten = memory.count(key, now_s)
        if forgotten is not None:
            for each in forgotten:
                del on_disk[each]
            on_disk.pop(key, None)  # one counted anew goes to the end
            on_disk[key] = now_s
        assert window_size >= len(memory)
        assert set(on_disk) == {key for key, _ in memory.counted()}


def test_a_duplicate_does_not_renew_the_time() -> None:
    """Who repeats every 200 seconds gets through a filter of 300 every other time."""
    memory = Memory(period_s=300, window_size=10)
    suppressed = []
    for now_s in (0, 200, 400, 600):
        suppressed.append(memory.is_duplicate("k", now_s))
        memory.count("k", now_s)
    assert [False, True, False, True] == suppressed


def test_the_period_ends_on_the_second() -> None:
    """Less than the period ago is a duplicate; the period itself is over."""
    memory = Memory(period_s=300, window_size=10)
    memory.count("k", 1000.0)
    assert memory.is_duplicate("k", 1299.9)
    assert not memory.is_duplicate("k", 1300.0)


def test_combinations_are_compared_by_their_json() -> None:
    """Types count, order of keys does not; the order of the predicates does."""
    assert combination(["a", {"x": 1, "y": 2}]) == combination(["a", {"y": 2, "x": 1}])
    assert combination(["1"]) != combination([1])
    assert combination(["a", "b"]) != combination(["b", "a"])
    assert combination(["a", "b"]) != combination(['a","b'])
    assert len(combination(["x" * 10**6])) == len(combination([])) == 32

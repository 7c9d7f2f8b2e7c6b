"""What is told of events, entered together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher

from agent.entries import MAX_LINES, PAUSE_S, Entries
from agent.recent import Happening


class Watcher:
    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def tell(self, happenings: Sequence[Happening]) -> None:
        self.seen.append([one.event_id for one in happenings])


@pytest.fixture
def batches() -> Iterator[list[list[tuple[str, str, str]]]]:
    """The batches of lines that were entered."""
    found: list[list[tuple[str, str, str]]] = []

    def observe(event: LogEvent) -> None:
        if "log_entries" in event:
            found.append(list(event["log_entries"]))

    globalLogPublisher.addObserver(observe)
    yield found
    globalLogPublisher.removeObserver(observe)


def happening(event_id: str) -> Happening:
    return Happening(1, event_id, "a|b", "", "done", "")


def note(entries: Entries, *ids: str) -> None:
    for one in ids:
        entries.note("host", one, f"line of {one}", happening(one))


def test_one_alone_is_entered_at_once_and_those_behind_it_together(batches: list[list[tuple[str, str, str]]]) -> None:
    """Lines and happenings alike, in their order; nothing is left to be done when nothing waits."""
    clock, watcher = Clock(), Watcher()
    entries = Entries(reactor=clock, feed=watcher)
    note(entries, "a", "b", "c")
    assert [["a"]] == watcher.seen
    clock.advance(PAUSE_S)
    assert [["a"], ["b", "c"]] == watcher.seen
    assert [[("host", "a", "line of a")], [("host", "b", "line of b"), ("host", "c", "line of c")]] == batches
    clock.advance(PAUSE_S)
    note(entries, "d")
    assert [["a"], ["b", "c"], ["d"]] == watcher.seen
    assert [] == clock.getDelayedCalls()


def test_what_is_told_otherwise_comes_after_what_was_noted(batches: list[list[tuple[str, str, str]]]) -> None:
    """Whoever writes a line of his own has the others entered first; at the end nothing is missing."""
    clock, watcher = Clock(), Watcher()
    entries = Entries(reactor=clock, feed=watcher)
    note(entries, "a", "b")
    entries.enter()
    entries.tell([happening("c")])
    entries.enter()
    assert [["a"], ["b"], ["c"]] == watcher.seen
    assert 2 == len(batches)
    assert [] == clock.getDelayedCalls()


def test_so_many_are_entered_before_the_pause_is_over(batches: list[list[tuple[str, str, str]]]) -> None:
    """Memory is bounded, also where the clock stands still; nobody need watch."""
    entries = Entries(reactor=Clock())
    note(entries, *(str(number) for number in range(2 * MAX_LINES + 2)))
    assert [1, MAX_LINES, MAX_LINES] == [len(batch) for batch in batches]

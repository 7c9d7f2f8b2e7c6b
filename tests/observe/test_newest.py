"""The newest lines and happenings, for those who watch."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from agent.observe.newest import EXAMINED, MAX_KEPT, MAX_PAGE_CHARS, Newest
from agent.recent import Alike, Happening, Lines, Wanted

ANYTHING = Wanted()


def lines(*made: str) -> Lines:
    return Lines("".join(made), len(made))


def line(text: str, level: str = "INFO ") -> str:
    return f"2026-11-20T17:25:25.123+01:00 {level} gateway  - {text}\n"


def newest(name: str = "e1") -> Newest:
    return Newest(epoch=lambda: name)


class Interrupted(Lines):
    """Lines in whose midst the interpreter collects garbage, and a finalizer has something to say."""

    def __init__(self, text: str, kept: Newest) -> None:
        super().__init__(text)
        self._kept: Newest | None = kept

    def __len__(self) -> int:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.put(lines(line("said by a finalizer")), urgent=True)
        return super().__len__()


class InterruptedReading(Lines):
    """The same when they are read."""

    def __init__(self, text: str, kept: Newest) -> None:
        super().__init__(text)
        self._kept = kept

    def __getitem__(self, place: Any) -> Any:
        self._kept.put(lines(line("said by a finalizer")))
        return super().__getitem__(place)


def texts(page: object) -> list[object]:
    return [one["text"] for one in page.entries]  # type: ignore[attr-defined]


def test_a_reader_begins_now_and_goes_on_where_he_was() -> None:
    """Nothing twice, nothing missed; lines and happenings in the order in which they came."""
    kept = newest()
    kept.put(lines(line("before")), urgent=False)
    page = kept.read("", ANYTHING)
    assert [] == texts(page)
    kept.put(lines(line("one")), urgent=True)
    kept.tell([Happening(0, "id", "a|x", "", "done", "two")])
    page = kept.read(page.next, ANYTHING)
    assert (["one", "two"], False, 0) == (texts(page), page.is_more, page.lost)
    assert [] == texts(kept.read(page.next, ANYTHING))


def test_since_begins_with_the_oldest_that_is_kept() -> None:
    """And leaves out what was before."""
    kept = newest()
    kept.put(lines(line("early"), line("late").replace("17:25", "17:26")), urgent=False)
    wanted = Wanted(since=datetime(2026, 11, 20, 16, 26, tzinfo=UTC))
    assert ["late"] == texts(kept.read("", wanted))


def test_a_reader_of_another_agent_begins_with_the_first_line() -> None:
    """The agent was started anew meanwhile: its start is what he wants to see, and nothing was lost."""
    before, after = newest("e1"), newest("e2")
    before.put(lines(*[line("old")] * 5), urgent=False)
    place = before.read("", ANYTHING).next
    after.put(lines(line("starting")), urgent=False)
    page = after.read(place, ANYTHING)
    assert (["starting"], 0) == (texts(page), page.lost)


def test_a_page_costs_no_more_than_a_few_milliseconds() -> None:
    """Whatever is wanted, so many are looked at in one turn; there is more."""
    kept = newest()
    place = kept.read("", ANYTHING).next
    kept.put(lines(*[line(str(number)) for number in range(EXAMINED + 1)]), urgent=False)
    page = kept.read(place, Wanted(level="error"))
    assert ([], True) == (texts(page), page.is_more)
    page = kept.read(page.next, ANYTHING)
    assert ([str(EXAMINED)], False) == (texts(page), page.is_more)


def test_long_lines_make_short_pages() -> None:
    """And what did not fit comes next."""
    kept = newest()
    place = kept.read("", ANYTHING).next
    long = line("x" * (MAX_PAGE_CHARS // 2))
    kept.put(lines(long, long, long), urgent=False)
    first = kept.read(place, ANYTHING)
    second = kept.read(first.next, ANYTHING)
    assert ([2, 1], True) == ([len(first.entries), len(second.entries)], first.is_more)


def test_a_slow_reader_is_told_what_he_missed() -> None:
    """Memory has its bound, and nobody waits for him."""
    kept = newest()
    place = kept.read("", ANYTHING).next
    kept.put(lines(*[line(str(number)) for number in range(MAX_KEPT + 7)]), urgent=False)
    page = kept.read(place, ANYTHING)
    assert (7, "7") == (page.lost, texts(page)[0])
    assert 0 == kept.read(page.next, ANYTHING).lost


def test_what_came_together_is_read_one_by_one() -> None:
    """A page may end, and a reader go on, in the midst of it."""
    kept = newest()
    place = kept.read("", ANYTHING).next
    kept.tell(Alike(at_us=0, ids=[str(number) for number in range(EXAMINED + 1)], service="a|x", state="received"))
    first = kept.read(place, ANYTHING)
    second = kept.read(first.next, ANYTHING)
    assert (EXAMINED, [str(EXAMINED)]) == (len(first.entries), [one["event_id"] for one in second.entries])


def test_a_line_of_a_finalizer_waits_for_nobody() -> None:
    """It may come in the midst of any call, in the same thread, which would wait for itself; it comes next."""
    kept = newest()
    place = kept.read("", ANYTHING).next
    taking = threading.Thread(target=kept.put, args=[Interrupted(line("taken"), kept)], daemon=True)
    taking.start()
    taking.join(2.0)
    assert not taking.is_alive()
    assert ["taken", "said by a finalizer"] == texts(kept.read(place, ANYTHING))


def test_what_a_finalizer_says_to_a_reader_is_on_the_next_page() -> None:
    """Also when nothing else is said after it."""
    kept = newest()
    place = kept.read("", ANYTHING).next
    kept.put(InterruptedReading(line("taken"), kept))
    page = kept.read(place, ANYTHING)
    assert ["taken"] == texts(page)
    assert ["said by a finalizer"] == texts(kept.read(page.next, ANYTHING))

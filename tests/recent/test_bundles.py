"""What came together, and is taken apart by those who read."""

from __future__ import annotations

import pytest

from agent.recent import Alike, Happening, Lines
from agent.recent.bundles import chars_together
from agent.recent.tidings import chars_of


def test_a_batch_of_lines_is_as_many_lines() -> None:
    """Each with its line end."""
    lines = Lines("a\nb\nc\n", 3)
    assert (3, ["a\n", "b\n", "c\n"], ["b\n"]) == (len(lines), list(lines), lines[1:2])


def test_a_line_that_is_alone_keeps_its_traceback() -> None:
    """It is one thing to tell."""
    line = "failed\n    in main\n"
    assert (1, [line]) == (len(Lines(line)), list(Lines(line)))


def test_those_alike_are_happenings_of_each_event() -> None:
    """In the order in which they came."""
    alike = Alike(at_us=7, ids=["one", "two"], service="a|x", state="received")
    first, second = (Happening(7, one, "a|x", "", "received", "") for one in ("one", "two"))
    assert (2, [first, second], second) == (len(alike), list(alike), alike[1])


@pytest.mark.parametrize(
    "bundle",
    [
        Lines("a\nbc\n", 2),
        Alike(at_us=7, ids=["one", "two"], service="a|x", state="received"),
        [Happening(0, "id", "a|x", "", "dead", "no"), "line\n"],
    ],
)
def test_together_they_take_what_each_takes(bundle) -> None:  # type: ignore[no-untyped-def]
    """So that the bound of memory means the same for both."""
    assert sum(map(chars_of, bundle)) == chars_together(bundle)

"""How a page is fitted to the height of a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from iadmin.render import Column, Line, Table
from iadmin.screen import Page


def shown(blocks: list[object], *, width: int = 60, height: int = 10) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(Page(blocks), height=height)
    return [line.rstrip() for line in captured.get().rstrip("\n").split("\n")]


def table(rows: int) -> Table:
    return Table(title="Services", columns=(Column("SERVICE"),), rows=[(f"s{i}",) for i in range(rows)])


def test_what_fits_is_shown_as_it_is() -> None:
    """With its gaps."""
    assert ["Services", "SERVICE", "s0", "", "end"] == shown([table(1), Line("end")])


def test_gaps_go_first() -> None:
    """Blank lines tell least."""
    found = shown([table(3), table(2), Line("end")], height=10)
    assert (10, False, "end") == (len(found), "" in found, found[-1])


def test_the_end_is_cut_with_how_much_is_missing() -> None:
    """Nobody takes the page for whole."""
    found = shown([table(50)], height=10)
    assert (10, "... 43 more lines; a higher terminal shows them") == (len(found), found[-1])


def test_warnings_leave_room_for_what_they_are_about() -> None:
    """A third of the height."""
    found = shown([*(Line(f"warning: {i} " + "x" * 40, "warn") for i in range(9)), table(9)], height=12)
    assert 3 == sum(line.startswith("warning") for line in found)
    assert '... 6 more lines of warnings: "iadmin status"' == found[3]
    assert "Services" == found[4]
    assert "... 4 more lines; a higher terminal shows them" == found[-1]


def test_a_terminal_of_one_line_gets_one_line() -> None:
    """And no exception."""
    assert 1 == len(shown([table(5)], height=1))

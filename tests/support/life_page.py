"""Draws `docs/life.rst` from `agent.delivery.life.LIFE`: the picture and the table that the page shows are made here.

`python -m tests.support.life_page` writes them anew between the marks of the page; `tests/delivery/test_life_page.py`
fails while page and table differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from agent.delivery.life import LIFE, Outcome, State

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "life.rst"
BEGIN: Final = ".. drawn from agent/delivery/life.py by tests/support/life_page.py; write it anew, do not edit"
END: Final = ".. end of what is drawn"
NOTHING: Final = "\\-"
"""A bare hyphen would begin a list."""

Table: TypeAlias = Mapping[tuple[State, Outcome], State]


def drawing(life: Table, begin: State = State.RECEIVED) -> list[str]:
    """All ways from `begin` on, as a tree; a state that has been drawn is named again, not followed again."""
    return [begin.label, *_branches(life, begin, seen={begin})]


def _branches(life: Table, state: State, seen: set[State]) -> Iterator[str]:
    ways = [(outcome, after) for (before, outcome), after in life.items() if before is state]
    # All that are reached from here belong to this level: a way back from deeper down does not draw them first.
    new = [after for _, after in ways if after not in seen]
    seen.update(new)
    for index, (outcome, after) in enumerate(ways):
        is_last = index == len(ways) - 1
        arrow = f"{'`' if is_last else '|'}-- {outcome.value} --> "
        known = after not in new
        yield arrow + after.label + (" (as above)" if known else "")
        if not known:
            new.remove(after)
            stem = ("" if is_last else "|").ljust(len(arrow))
            yield from (stem + line for line in _branches(life, after, seen))


def matrix(life: Table) -> list[str]:
    """States down, outcomes across, the state that follows in the field, as a table in reStructuredText."""
    outcomes = list(Outcome)
    rows = [["", *(outcome.value for outcome in outcomes)]]
    for state in State:
        cells = [life.get((state, outcome)) for outcome in outcomes]
        rows.append([f"**{state.label}**", *(cell.label if cell is not None else NOTHING for cell in cells)])
    return _simple_table(rows)


def _simple_table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    # The first field of a heading may not be empty: docutils would read the line as going on from the one above.
    lines[0] = "\\" + lines[0][1:]
    return [rule, lines[0], rule, *lines[1:], rule]


def drawn(life: Table) -> str:
    """What stands between the marks."""
    lines = ["::", "", *(f"    {line}" for line in drawing(life)), "", *matrix(life)]
    return "\n".join(lines)


def redraw(page: str, life: Table) -> str:
    """The page with its drawn part made anew; raises `ValueError` when a mark is missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} has lost the marks between which it is drawn")
    return f"{before}{begin}\n\n{drawn(life)}\n\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(redraw(PAGE.read_text(encoding="utf-8"), LIFE), encoding="utf-8")

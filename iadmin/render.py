"""How answers look: the blocks that commands answer with, as plain text and drawn on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from iadmin.text import for_home, safe

Tone = Literal["", "good", "bad", "warn", "dim", "bold"]
STYLES: Final[Mapping[Tone, str]] = {
    "": "",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "dim",
    "bold": "bold",
}
STATE_TONES: Final[Mapping[str, Tone]] = {
    "done": "good",
    "active": "good",
    "running": "good",
    "dead": "bad",
    "failing": "bad",
    "crash-loop": "bad",
    "suspended": "warn",
    "suspending": "warn",
    "waiting": "warn",
    "starting": "warn",
    "stopping": "warn",
    "stopped": "warn",
    "suppressed": "dim",
    "inactive": "dim",
}
GAP: Final = 2
"""Blanks between columns: one reads as a blank inside a value."""
MIN_FLEXIBLE: Final = 8
"""A name cut to less tells nothing; the line may then be longer than the terminal."""


@attrs.frozen
class Cell:
    """A text and what it means: the tone becomes a colour on a terminal, nothing elsewhere."""

    text: str
    tone: Tone = ""
    brief: str = ""
    """What says the same in a `brief` column that is to be narrow."""


def state_cell(state: object) -> Cell:
    """A state's word in its colour."""
    word = str(state)
    return Cell(word, STATE_TONES.get(word, ""))


def _cell(value: str | Cell) -> Cell:
    if isinstance(value, str):
        return Cell(safe(value))
    return Cell(safe(value.text), value.tone, safe(value.brief))


@attrs.frozen
class Column:
    """One column. Where a terminal is too narrow, `spare` columns are left out, the last one first, then `brief` ones
    show what their cells have for that, and then `flexible` ones are cut with an ellipsis, the widest first, or
    continued below with `wraps`; all others are shown whole (an id that ends in an ellipsis is worth nothing)."""

    name: str
    align: Literal["left", "right"] = "left"
    spare: bool = False
    flexible: bool = False
    wraps: bool = False
    brief: bool = False
    least: int = MIN_FLEXIBLE
    """What a `flexible` column is never cut below."""


def _total(widths: Mapping[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


@attrs.frozen(kw_only=True)
class Table:
    """Rows under a heading; `empty` is the sentence shown when there are none."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str | Cell]]
    title: str = attrs.field(default="", converter=safe)
    empty: str = ""

    def plain(self) -> Iterator[str]:
        if self.title:
            yield self.title
        if not self.rows:
            yield self.empty
            return
        cells = [[_cell(value) for value in row] for row in self.rows]
        widths = self._widths(cells)
        for line in [[column.name for column in self.columns], *([cell.text for cell in row] for row in cells)]:
            yield (" " * GAP).join(map(self._justified, self.columns, line, widths)).rstrip()

    def rich(self, width: int) -> object:
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        title = [Text(self.title, style="bold")] if self.title else []
        if not self.rows:
            return Group(*title, Text(self.empty, style="dim"))
        widths, cells = self._fitted(width)
        table = RichTable(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
        for index, column_width in widths.items():
            column = self.columns[index]
            table.add_column(
                column.name,
                justify=column.align,
                no_wrap=not column.wraps,
                overflow="fold" if column.wraps else "ellipsis",
                min_width=column_width,
                max_width=column_width,
            )
        for row in cells:
            table.add_row(*(Text(row[index].text, style=STYLES[row[index].tone]) for index in widths))
        return Group(*title, table)

    def _fitted(self, width: int) -> tuple[dict[int, int], list[list[Cell]]]:
        """Column index -> width, and the cells of all columns as they are to be shown.

        Rich's own shrinking would take from every column, ids included.
        """
        cells = [[_cell(value) for value in row] for row in self.rows]
        natural = dict(enumerate(self._widths(cells)))
        for index in [i for i in reversed(natural) if self.columns[i].spare]:
            if _total(natural) > width:
                del natural[index]
        if _total(natural) > width:
            cells = [
                [
                    Cell(c.brief, c.tone) if column.brief and c.brief else c
                    for column, c in zip(self.columns, row, strict=True)
                ]
                for row in cells
            ]
            narrower = self._widths(cells)
            natural = {index: narrower[index] for index in natural}
        excess = _total(natural) - width
        flexible = [index for index in natural if self.columns[index].flexible]
        while excess > 0 and flexible:
            widest = max(flexible, key=lambda index: natural[index] - self.columns[index].least)
            if natural[widest] <= self.columns[widest].least:
                break
            natural[widest] -= 1
            excess -= 1
        return natural, cells

    def _widths(self, cells: Sequence[Sequence[Cell]]) -> list[int]:
        return [max([len(column.name), *(len(row[i].text) for row in cells)]) for i, column in enumerate(self.columns)]

    @staticmethod
    def _justified(column: Column, text: str, width: int) -> str:
        return text.rjust(width) if column.align == "right" else text.ljust(width)


@attrs.frozen(kw_only=True)
class Facts:
    """Names and values, one pair per line; values that are empty are left out."""

    pairs: Sequence[tuple[str, str | Cell]]
    title: str = attrs.field(default="", converter=safe)

    def _shown(self) -> list[tuple[str, Cell]]:
        cells = [(safe(name), _cell(value)) for name, value in self.pairs]
        return [(name, cell) for name, cell in cells if cell.text]

    def plain(self) -> Iterator[str]:
        if self.title:
            yield self.title
        shown = self._shown()
        width = max((len(name) for name, _ in shown), default=0)
        for name, cell in shown:
            yield f"{name.ljust(width)}  {cell.text}"

    def rich(self, width: int) -> object:
        from rich.console import Group
        from rich.table import Table as RichTable
        from rich.text import Text

        grid = RichTable.grid(padding=(0, GAP, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, cell in self._shown():
            grid.add_row(name, Text(cell.text, style=STYLES[cell.tone]))
        return Group(Text(self.title, style="bold"), grid) if self.title else grid


@attrs.frozen
class Line:
    """One sentence."""

    text: str
    tone: Tone = ""

    def plain(self) -> Iterator[str]:
        yield safe(self.text)

    def rich(self, width: int) -> object:
        from rich.text import Text

        return Text(safe(self.text), style=STYLES[self.tone])


@attrs.frozen(kw_only=True)
class Body:
    """A text of several lines from outside: its line ends and tabs are kept, everything else is made safe."""

    text: str
    title: str = attrs.field(default="", converter=safe)

    def plain(self) -> Iterator[str]:
        if self.title:
            yield self.title
        yield from safe(self.text.replace("\r\n", "\n"), keep="\n\t").split("\n")

    def rich(self, width: int) -> object:
        from rich.text import Text

        text = Text()
        if self.title:
            text.append(self.title + "\n", style="bold")
        return text.append(safe(self.text.replace("\r\n", "\n"), keep="\n\t"))


@attrs.frozen
class Script:
    """A text of our own for another program to read (a completion script): given out to the letter."""

    text: str

    def plain(self) -> Iterator[str]:
        yield from self.text.rstrip("\n").split("\n")

    def rich(self, width: int) -> object:
        """Not for drawing: a terminal's width and tab stops are not a script's business; print the plain lines."""
        return self.text


def page(blocks: Sequence[Any]) -> str:
    """Plain blocks as one text: a blank line between blocks, none between two sentences."""
    lines: list[str] = []
    for index, block in enumerate(blocks):
        if needs_gap(blocks, index):
            lines.append("")
        lines.extend(block.plain())
    return "".join(line + "\n" for line in lines)


def needs_gap(blocks: Sequence[Any], index: int) -> bool:
    """Whether a blank line stands before the block at `index`."""
    return index > 0 and not (isinstance(blocks[index], Line) and isinstance(blocks[index - 1], Line))


def said_for(home: str, blocks: Sequence[Any]) -> list[Any]:
    """The blocks, with the commands that their sentences name as they must be said for this home."""
    return [
        attrs.evolve(block, text=for_home(block.text, home)) if isinstance(block, Line) else block for block in blocks
    ]


def draw(blocks: Sequence[Any]) -> None:
    """Show blocks on the terminal that standard output is."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for index, block in enumerate(blocks):
        if needs_gap(blocks, index):
            console.print()
        # Bodies, and sentences with commands in them, are left to the terminal to break: what is copied from it is then
        # what came in, and a command that can be pasted.
        console.print(block.rich(console.width), soft_wrap=isinstance(block, Body | Line))


def destination_state(one: Mapping[str, Any]) -> Cell:
    """How a destination is: what the operator and the circuit breaker let through, and whether it fails."""
    if one.get("paused"):
        return Cell("paused", "warn")
    circuit = str(one.get("circuit") or "")
    if circuit and circuit != "closed":
        return Cell(f"circuit {circuit}", "bad")
    return Cell("failing", "bad") if one.get("last_error") and one.get("backlog") else Cell("ready", "good")

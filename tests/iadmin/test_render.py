"""How answers look."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from rich.console import Console

from iadmin.render import Body, Cell, Column, Facts, Line, Script, Table, page

NOW = datetime(2025, 7, 30, 12, 0, 0, tzinfo=timezone(timedelta(hours=2)))
WIDE = Table(
    columns=(
        Column("STATE"),
        Column("SERVICE", flexible=True),
        Column("ID"),
        Column("SIZE", "right", spare=True),
        Column("REASON", spare=True),
    ),
    rows=[
        (Cell("dead", "bad"), "applications|a-service-with-a-very-long-name", "0" * 36, "1.2 KiB", "no such pump"),
        (Cell("done", "good"), "applications|x", "1" * 36, "3 B", ""),
    ],
)


def drawn(*blocks: object, width: int = 80) -> str:
    """What a terminal of this width shows, without the colours."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, highlight=False)
    for block in blocks:
        console.print(block.rich(width))  # type: ignore[attr-defined]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_piped_table_is_whole_and_aligned() -> None:
    """No lines drawn, nothing cut, no blanks at line ends."""
    text = page([WIDE])
    lines = text.splitlines()
    assert lines[0].split() == ["STATE", "SERVICE", "ID", "SIZE", "REASON"]
    assert {lines[0].index("ID")} == {lines[1].index("000"), lines[2].index("111")}
    assert "applications|a-service-with-a-very-long-name" in lines[1]
    assert lines[1].endswith("1.2 KiB  no such pump")
    assert text.isascii()
    assert all(line == line.rstrip() for line in lines)


def test_a_terminal_of_80_columns_shows_ids_whole() -> None:
    """Spare columns go, long names are cut, ids never."""
    lines = drawn(WIDE).splitlines()
    assert 3 == len(lines)
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert "0" * 36 in lines[1]
    assert "…" in lines[1]
    assert "applications|x " in lines[2]
    assert "REASON" not in lines[0]


def test_where_it_is_narrow_ids_are_shown_by_their_beginnings() -> None:
    """So that the reason has room; a pipe has the whole ids, and no beginning has an ellipsis."""
    table = Table(
        columns=(Column("ID", brief=True), Column("SERVICE", flexible=True), Column("REASON", flexible=True)),
        rows=[(Cell("0" * 36, brief="0" * 18), "applications|a-service-with-a-long-name", "no such pump: " + "p" * 90)],
    )
    line = drawn(table).splitlines()[1]
    assert ("0" * 18, True) == (line.split()[0], "no such pump" in line)
    assert "0" * 36 in drawn(table, width=200)
    assert "0" * 36 in page([table])


def test_a_wide_terminal_shows_everything() -> None:
    """What fits is not left out."""
    assert "no such pump" in drawn(WIDE, width=160)


def test_what_wraps_is_continued_below() -> None:
    """Where the text is what matters, none of it is lost on a narrow terminal."""
    table = Table(columns=(Column("STEP"), Column("", flexible=True, wraps=True)), rows=[("postponed", "pump " * 20)])
    assert 20 == drawn(table, width=40).count("pump")
    assert all(len(line) <= 40 for line in drawn(table, width=40).splitlines())


def test_an_empty_table_is_a_sentence() -> None:
    """Headings over nothing say nothing."""
    table = Table(columns=(Column("A"),), rows=(), title="Services", empty="none yet")
    assert "Services\nnone yet\n" == page([table])
    assert ["Services", "none yet"] == [line.rstrip() for line in drawn(table).splitlines()]


def test_facts_leave_out_what_is_empty() -> None:
    """Names are aligned over what is shown."""
    facts = Facts(pairs=(("state", Cell("done", "good")), ("a long name", ""), ("id", "x\ny")))
    assert "state  done\nid     x\\ny\n" == page([facts])
    assert "x\\ny" in drawn(facts)


def test_a_body_keeps_its_lines_and_nothing_else() -> None:
    """Line ends and tabs are layout; a lone CR or an ESC is not."""
    body = Body(title="Body", text="<a>\r\n\t<b/>\rX\x1b[2J\n</a>")
    assert "Body\n<a>\n\t<b/>\\rX\\x1b[2J\n</a>\n" == page([body])
    assert "\x1b" not in drawn(body)


@pytest.mark.parametrize(
    "block",
    [
        Body(title="of \x1b]0;x\x07", text="y"),
        Facts(title="of \x1b]0;x\x07", pairs=(("\x1b[2J", "y"),)),
        Table(title="of \x1b]0;x\x07", columns=(Column("A"),), rows=(("y",),)),
    ],
)
def test_titles_and_names_are_as_safe_as_texts(block: Any) -> None:
    """A reason or the name of a destination stands in them, too."""
    assert "\x1b" not in "".join(block.plain())
    assert "\x1b]" not in drawn(block)


def test_markup_of_rich_is_not_obeyed() -> None:
    """An event may say [red] without colouring anything."""
    assert "[red]x[/red]" in drawn(Line("[red]x[/red]"), Facts(pairs=(("a", "[red]x[/red]"),)))


def test_a_script_is_given_to_the_letter() -> None:
    """Tabs and dollar signs are the shell's."""
    assert "a\t$1\n" == page([Script("a\t$1\n")])
    assert "x" * 200 + "\n" == page([Script("x" * 200)])


def test_blocks_stand_apart_and_sentences_together() -> None:
    """A blank line between blocks, none between two sentences."""
    assert "a\nb\n\nc  d\n" == page([Line("a"), Line("b"), Facts(pairs=(("c", "d"),))])

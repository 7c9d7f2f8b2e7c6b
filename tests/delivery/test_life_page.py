"""The page about the life of an event shows the table, all of it, and nothing else."""

from __future__ import annotations

import pytest

from agent.delivery.life import LIFE, Outcome, State
from tests.support.life_page import PAGE, drawing, drawn, redraw

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_drawn_from_the_table() -> None:
    """After a change of the table: `python -m tests.support.life_page`."""
    assert redraw(TEXT, LIFE) == TEXT


def test_every_state_and_outcome_is_explained() -> None:
    """A word in the picture has its entry below."""
    for word in (*(state.label for state in State), *(outcome.value for outcome in Outcome)):
        assert f"\n``{word}``\n    " in TEXT, word


def test_every_way_is_drawn_once() -> None:
    """Each pair of the table is one arrow of the picture."""
    arrows = [line for line in drawing(LIFE) if "-->" in line]
    assert len(LIFE) == len(arrows)
    assert sorted(outcome.value for _, outcome in LIFE) == sorted(
        arrow.partition("-- ")[2].partition(" --> ")[0] for arrow in arrows
    )


@pytest.mark.parametrize("pair", list(LIFE))
def test_a_change_of_the_table_changes_the_page(pair: tuple[State, Outcome]) -> None:
    """A way that is taken out, or leads elsewhere, makes another page."""
    without = {key: after for key, after in LIFE.items() if key != pair}
    elsewhere = {**LIFE, pair: next(state for state in State if state is not LIFE[pair])}
    assert 3 == len({drawn(LIFE), drawn(without), drawn(elsewhere)})


def test_a_page_without_marks_is_refused() -> None:
    """It must not be lost silently that a page is drawn no more."""
    with pytest.raises(ValueError, match="lost the marks"):
        redraw("The life of an event", LIFE)

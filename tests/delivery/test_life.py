"""The table of states, read aloud."""

import itertools
from pathlib import Path

import pytest

from agent.delivery import LIFE, OPEN_STATES, Outcome, State, life, next_state


def test_the_table_is_the_picture():
    """The picture in the docstring of the module, arrow by arrow."""
    expected = {
        ("received", "claim"): "claimed",
        ("waiting", "claim"): "claimed",
        ("claimed", "succeed"): "done",
        ("claimed", "suppress"): "suppressed",
        ("claimed", "give up"): "dead",
        ("claimed", "postpone"): "waiting",
        ("claimed", "interrupt"): "received",
        ("dead", "replay"): "received",
    }
    assert expected == {(state.label, outcome.value): to.label for (state, outcome), to in LIFE.items()}


@pytest.mark.parametrize("state, outcome", [pair for pair in itertools.product(State, Outcome) if pair not in LIFE])
def test_a_pair_that_is_not_in_the_table_raises(state, outcome):
    """No change of state is made up."""
    with pytest.raises(ValueError, match="cannot"):
        next_state(state, outcome)


def test_every_open_state_leads_to_an_end():
    """Nothing can stay open for ever: from each open state a path leads to done and to dead."""
    reached = {state: {state} for state in State}
    for _ in State:
        for (state, _outcome), to in LIFE.items():
            reached[state] |= reached[to]
    assert all({State.DONE, State.DEAD} <= reached[state] for state in OPEN_STATES)


def test_stored_numbers_never_change():
    """The numbers are in the spools of the field."""
    expected = {"received": 0, "claimed": 1, "waiting": 2, "done": 3, "dead": 4, "suppressed": 5}
    assert expected == {state.label: state.value for state in State}


def test_the_documentation_shows_the_same_picture():
    """The picture for operators is the one beside the table."""
    source = Path(life.__file__).read_text(encoding="utf-8")
    picture = source[source.index("    received --claim-->") : source.index("\n\n* `received`")]

    assert picture in (Path(__file__).parents[2] / "docs" / "spool.rst").read_text(encoding="utf-8")

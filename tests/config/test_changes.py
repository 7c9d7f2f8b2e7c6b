"""What a reload finds different."""

from __future__ import annotations

from pathlib import PurePath

from agent.config.changes import changed_destinations, same
from agent.config.model import HttpDestination, OutboxDestination
from agent.config.outbound import BasicCredentials
from agent.secret import Secret


def destination(password: str) -> HttpDestination:
    return HttpDestination(
        name="up", url="https://x", credentials=BasicCredentials(user="u", password=Secret(password))
    )


def test_the_same_is_no_change() -> None:
    """Secrets compare by what they hold, though they are other objects."""
    assert () == changed_destinations([destination("geheim")], [destination("geheim")])


def test_each_change_is_named() -> None:
    """In the words of the file: what is another, what is gone, and what is new."""
    gone, new = (OutboxDestination(name=name, path=PurePath("/o")) for name in ("files", "outbox"))
    changed = changed_destinations([destination("geheim"), gone], [destination("another"), new])
    assert ("destination up", "destination files (gone)", "destination outbox (new)") == changed


def test_values_of_other_kinds_differ() -> None:
    """`1` and `True` are not the same setting."""
    assert not same(1, True)
    assert not same((1,), (1, 2))

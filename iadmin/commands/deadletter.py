"""`iadmin deadletter`: what could not be processed, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.choosing import Choice, choose, find_letter, letter_sentence
from iadmin.commands.lazy import Command, Group
from iadmin.commands.letterfiles import letter_facts
from iadmin.commands.letteroptions import letter_choice, letter_filters
from iadmin.commands.letters import Letter, Letters, open_letters
from iadmin.commands.naming import id_cells, short_names
from iadmin.commands.ordering import order
from iadmin.commands.rewriting import rewritten
from iadmin.commands.road import road_blocks
from iadmin.commands.tools import Tools, pass_tools
from iadmin.commands.writingout import write_out
from iadmin.model import Outcome
from iadmin.render import Column, Line, Table
from iadmin.text import clock, size

FILE: Final = click.Path(dir_okay=False, allow_dash=True)
FOLDER: Final = click.Path(file_okay=False)
MAX_LISTED: Final = 100_000
"""A table that long is for a file or a pipe; whoever wants more exports."""


@click.group(cls=Group)
def deadletter() -> None:
    """What could not be processed: look, mend, replay.

    A dead letter is an event that its service could not process, or a request that its destination did not take. It is
    kept until it is replayed or purged.
    """


@deadletter.command("list", cls=Command)
@letter_filters
@click.option("--limit", type=click.IntRange(1, MAX_LISTED), default=50, show_default=True, help="How many at most.")
@pass_tools
def list_letters(tools: Tools, /, limit: int, **said: str) -> Outcome:
    """List dead letters, the last to die first."""
    letters = open_letters(tools)
    choice = Choice.read(tools, said)
    found: list[Letter] = []
    with tools.working("looking for dead letters"):
        for letter in choice.fitting(letters):
            found.append(letter)
            if len(found) > limit:
                break
    shown, notes = found[:limit], list(letters.notes)
    if len(found) > limit:
        notes.append(f"there are more than {limit}; --limit shows more of them")
    empty = "There are no such dead letters." if choice.is_narrow else "There are no dead letters."
    return Outcome(
        data={"dead_letters": [dict(letter) for letter in shown]},
        blocks=(_table(tools, shown, empty=empty),),
        notes=tuple(notes),
    )


@deadletter.command(cls=Command)
@click.argument("letter_id", metavar="[ID]", default="")
@pass_tools
def show(tools: Tools, letter_id: str) -> Outcome:
    """Tell the whole road of a dead letter: attempts, reasons, traceback, what was sent, the answer.

    ID may be the beginning of an id; without it, the last to die is shown.
    """
    letters = open_letters(tools)
    found = find_letter(letters, letter_id)
    event = letters.event(found.partition("/")[0])
    if event is None:
        raise OperatorError("no-such-letter", f"{found} is gone", exit_status=ExitStatus.FAILED)
    advice = (
        f'Mend it:    "iadmin deadletter edit {found}"',
        f'Try again:  "iadmin deadletter replay {found}"',
        f'Delete it:  "iadmin deadletter purge {found}"',
    )
    return Outcome(
        data={"id": found, "event": event},
        blocks=(*road_blocks(event, tools.now()), *(Line(sentence, "dim") for sentence in advice)),
        notes=letters.notes,
    )


@deadletter.command(cls=Command)
@letter_choice
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_tools
def replay(tools: Tools, /, ids: Sequence[str], is_all: bool, yes: bool, **said: str) -> Outcome:
    """Offer dead letters again, at the end of their lines and from their first attempt on.

    ID is an event's id or its beginning, or a request's (the event's, a slash, its number). Asks with the number first.
    """
    return order(tools, Choice.read(tools, said, ids=ids, is_all=is_all), "replay", "replayed", is_sure=yes)


@deadletter.command(cls=Command)
@letter_choice
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_tools
def purge(tools: Tools, /, ids: Sequence[str], is_all: bool, yes: bool, **said: str) -> Outcome:
    """Delete dead letters for good, an event with all that belongs to it.

    Asks with the number first. "iadmin deadletter export" keeps a copy.
    """
    return order(tools, Choice.read(tools, said, ids=ids, is_all=is_all), "purge", "purged", is_sure=yes)


@deadletter.command(cls=Command)
@click.argument("letter_id", metavar="ID")
@click.option("--file", metavar="FILE", type=FILE, help="Take the body from FILE (- for standard input).")
@click.option("--replay", "is_replayed", is_flag=True, help="Offer it again afterwards.")
@pass_tools
def edit(tools: Tools, letter_id: str, file: str | None, is_replayed: bool) -> Outcome:
    """Give a dead letter another body: in $EDITOR, or from a file.

    XML and JSON are checked before anything is stored. It stays dead until it is replayed.
    """
    letters = open_letters(tools)
    found = find_letter(letters, letter_id)
    with_change = rewritten(tools, letters, found, file)
    if with_change is None:
        return Outcome(data={"id": found, "changed": False, "replayed": False}, blocks=(Line("Nothing was changed."),))
    sentence = f"{letter_sentence(found)} has a new body of {size(with_change)}"
    replayed = False
    if is_replayed:
        with letters.changes() as changes:
            replayed = changes.replay([found]) == 1
    rest = ", and is tried again." if replayed else f'; "iadmin deadletter replay {found}" tries it again.'
    return Outcome(
        data={"id": found, "changed": True, "size_bytes": with_change, "replayed": replayed},
        blocks=(Line(sentence + rest, "good"),),
        notes=letters.notes,
    )


@deadletter.command(cls=Command)
@letter_choice
@click.option("--to", "target", metavar="DIR", type=FOLDER, help="A new folder: a file for each body.")
@pass_tools
def export(tools: Tools, /, ids: Sequence[str], is_all: bool, target: str | None, **said: str) -> Outcome:
    """Write dead letters out, with their bodies: JSON lines on standard output, or files in a new folder.

    They stay where they are. A body is posted again with "iadmin event send SERVICE FILE", here or elsewhere.
    """
    letters = open_letters(tools)
    choice = Choice.read(tools, said, ids=ids, is_all=is_all)
    chosen = choose(tools, letters, choice)
    return write_out(
        tools,
        _whole(letters, choice, chosen),
        len(chosen),
        target=target,
        what="dead letter",
        gone_words="not dead any more",
        notes=lambda: letters.notes,
    )


def _whole(letters: Letters, choice: Choice, chosen: Sequence[Letter]) -> Iterator[tuple[Letter, bytes]]:
    """Everything about the chosen ones; what was replayed or purged by somebody else meanwhile is left out."""
    if not choice.ids:
        wanted = {str(letter["id"]) for letter in chosen}
        for letter, body in letters.every_with_body(choice.filters, roads=True):
            if letter["id"] in wanted:
                yield letter, body
        return
    for letter in chosen:
        found = letters.body(str(letter["id"]))
        event = letters.event(str(letter["id"]).partition("/")[0]) if found is not None else None
        if found is not None and event is not None:
            yield letter_facts(letter, event), found


def _table(tools: Tools, letters: Sequence[Letter], *, empty: str) -> Table:
    now = tools.now()
    named = short_names([str(letter.get("service", "")) for letter in letters])
    ids = id_cells([str(letter.get("id", "")) for letter in letters])
    return Table(
        columns=(
            Column("DIED"),
            Column("SERVICE", flexible=True),
            Column("TO", flexible=True),
            Column("ID", brief=True),
            Column("TRIES", "right", spare=True),
            Column("SIZE", "right", spare=True),
            Column("REASON", flexible=True),
        ),
        rows=[
            (
                clock(letter.get("died"), now),
                named[str(letter.get("service", ""))],
                str(letter.get("destination") or ""),
                ids[str(letter.get("id", ""))],
                str(letter.get("attempt", "")),
                size(int(letter.get("size_bytes") or 0)),
                str(letter.get("reason") or "").partition("\n")[0],
            )
            for letter in letters
        ],
        empty=empty,
    )

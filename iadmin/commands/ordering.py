"""Replay and purge: choose, ask, work in batches, tell exactly what was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.choosing import Choice, choose, letter_sentence, numbered
from iadmin.commands.edges import LetterChanges
from iadmin.commands.letters import BATCH, Letter, Letters, Work, in_batches, open_letters
from iadmin.commands.tools import Tools
from iadmin.model import Outcome
from iadmin.render import Line


def order(tools: Tools, choice: Choice, verb: str, done: str, *, is_sure: bool) -> Outcome:
    """`verb` is `replay` or `purge`, `done` its participle, which is also the key of the number in the data.

    Exit status 0 when all that were asked for are done or were dead no more, 1 when the operator said no, else that of
    the failure which ended it early.
    """
    letters = open_letters(tools)
    chosen = choose(tools, letters, choice)
    if not chosen:
        return Outcome(
            data={"asked": 0, done: 0},
            blocks=(Line("There are no such dead letters; nothing was done."),),
            notes=letters.notes,
        )
    if not is_sure and not _agreed(tools, chosen, verb):
        data = _numbers(Work(asked=len(chosen)), done)
        return Outcome(data=data, blocks=(Line("Nothing was done."),), exit_status=ExitStatus.FAILED)
    ids = [str(letter["id"]) for letter in chosen]
    work = Work(asked=len(ids))
    try:
        with letters.changes() as changes, tools.progress(f"{verb} dead letters", len(ids)) as tell:
            in_batches(work, ids, _orders(changes)[verb], tell)
    except KeyboardInterrupt:
        more = min(BATCH, work.asked - work.looked_at)
        click.echo(
            f"\niadmin: {done} {work.done:,} of {numbered(work.asked)}; up to {more} more were under way", err=True
        )
        raise
    return _summary(work, letters, done)


def _orders(changes: LetterChanges) -> Mapping[str, Callable[[Sequence[str]], int]]:
    return {"replay": changes.replay, "purge": changes.purge}


def _agreed(tools: Tools, chosen: Sequence[Letter], verb: str) -> bool:
    what = _what(chosen)
    loss = " This cannot be undone." if verb == "purge" else ""
    answer = tools.ask(f"{verb.capitalize()} {what}?{loss}")
    if answer is None:
        raise OperatorError(
            "not-sure",
            f"this would {verb} {what}, and nobody is here to be asked; say --yes if that is what you mean",
            exit_status=ExitStatus.USAGE,
        )
    return answer


def _what(chosen: Sequence[Letter]) -> str:
    if len(chosen) == 1:
        return letter_sentence(str(chosen[0]["id"]))
    services = sorted({str(letter.get("service", "")) for letter in chosen})
    whose = services[0] if len(services) == 1 else f"{len(services)} services"
    requests = sum("/" in str(letter["id"]) for letter in chosen)
    counts = (("event", len(chosen) - requests), ("request", requests))
    parts = [f"{number:,} {noun}{'' if number == 1 else 's'}" for noun, number in counts if number]
    return f"{numbered(len(chosen))} ({' and '.join(parts)}) of {whose}"


def _summary(work: Work, letters: Letters, done: str) -> Outcome:
    """What was done, to the last letter; a failure in the middle undoes nothing of it."""
    left = work.looked_at - work.done
    why = "not dead any more" + (", or with requests still to be sent" if done == "purged" else "")
    passed = f"; {left:,} left alone: {why}" if left else ""
    sentence = f"{done.capitalize()} {work.done:,} of {numbered(work.asked)}{passed}."
    data = _numbers(work, done)
    if work.failure is None:
        return Outcome(data=data, blocks=(Line(sentence, "good"),), notes=letters.notes)
    return Outcome(
        data=data,
        blocks=(Line(sentence, "warn"),),
        notes=(*letters.notes, work.failure.sentence, f"what was {done} stays {done}; say the same again for the rest"),
        exit_status=work.failure.exit_status,
    )


def _numbers(work: Work, done: str) -> dict[str, int]:
    return {
        "asked": work.asked,
        done: work.done,
        "left_alone": work.looked_at - work.done,
        "not_reached": work.asked - work.looked_at,
    }

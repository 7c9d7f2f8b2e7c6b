"""Events and dead letters written out, with their bodies: JSON lines, one JSON document, or files in a new folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from iadmin.commands.letterfiles import INDEX, LetterFolder, with_body
from iadmin.commands.tools import Tools
from iadmin.model import Outcome
from iadmin.render import Line


def write_out(
    tools: Tools,
    found: Iterable[tuple[Mapping[str, Any], bytes]],
    asked: int,
    *,
    target: str | None,
    what: str,
    gone_words: str = "gone meanwhile",
    notes: Callable[[], tuple[str, ...]],
) -> Outcome:
    """Write facts and bodies to standard output, or into the new folder `target`; `asked` is how many are awaited.

    `what` names one of them; `gone_words` say what became of those that do not come.
    """
    folder = LetterFolder(tools.cwd / target) if target is not None else None
    documents: list[dict[str, Any]] = []
    written = 0
    with tools.progress(f"writing {what}s", asked) as tell:
        for facts, body in found:
            written += 1
            if folder is not None:
                folder.add(facts, body)
            elif tools.switches.as_json:
                documents.append(with_body(facts, body))
            else:
                click.echo(json.dumps(with_body(facts, body)))
            tell(written)
    count = f"{written:,} {what}{'' if written == 1 else 's'} written"
    gone = f"; {asked - written} {gone_words}" if written < asked else ""
    if folder is None:
        return Outcome(data={f"{what}s".replace(" ", "_"): documents}, notes=(*notes(), f"{count}{gone}"))
    where = str(tools.cwd / str(target))
    return Outcome(
        data={"written": written, "asked": asked, "folder": where},
        blocks=(Line(f"{count} to {where}{gone}; {INDEX} tells of each.", "good"),),
        notes=notes(),
    )

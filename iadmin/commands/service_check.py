"""`iadmin service check`: a site's descriptors, filters and scripts, before they are used here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import click

from agent.config.checked import Checked, Need, Verdict
from agent.config.lint import HOOKS_SEEN
from agent.config.problem import Problem, Severity
from agent.errors import ExitStatus
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line, Tone
from iadmin.trials import Loaded, TrialService

TONES: Final[dict[Verdict, Tone]] = {Verdict.WORKS: "good", Verdict.COUNTERPART: "warn", Verdict.WRONG: "bad"}
NO_EQUAL: Final = "nothing of its own here; write it in Python"


@click.command(cls=Command)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--load/--no-load", default=True, help="Load the scripts of Python services, each in a worker process (default)."
)
@pass_tools
def check(tools: Tools, paths: tuple[Path, ...], load: bool) -> Outcome:
    """Say what of a site's files works as it is.

    PATH is a descriptor, a file of filters, a script, or a folder that is gone through; without one, the home is. For
    each file: what works as it is; what needs a Python counterpart, with the hooks that its JavaScript defines and the
    library calls it uses, and what takes their place; and what is wrong in it anyway. The script of a Python service is
    loaded in a worker process of its own: what stands outside of its functions is run, and no hook is called. Nothing
    is changed.

    Exit status 0 when all works as it is, 1 when something needs a counterpart, 78 when something is wrong, 66 when
    there is nothing to check.
    """
    named = [Path(os.path.abspath(tools.cwd / path)) for path in paths] or [tools.home]  # noqa: PTH100 -- as named
    results = tools.check_files(named)
    if load:
        results = _loaded(tools, results)
    counts = Counter(result.verdict for result in results)
    data = {
        "files": [_record(result) for result in results],
        "summary": {verdict.value: counts[verdict] for verdict in Verdict},
    }
    return Outcome(data=data, blocks=(*_blocks(results), _summary(counts)), exit_status=_status(counts))


def _loaded(tools: Tools, results: Sequence[Checked]) -> list[Checked]:
    """The results, with what loading the scripts of services has shown."""
    loadable = sum(one.loadable is not None for one in results)
    if not loadable:
        return list(results)
    trials = tools.trials()
    found: list[Checked] = []
    done = 0
    with tools.progress("loading services", loadable) as tell:
        for one in results:
            if one.loadable is None or one.home is None:
                found.append(one)
                continue
            found.append(_with_load(one, trials.load_apart(TrialService(config=one.loadable, home=one.home))))
            done += 1
            tell(done)
    return found


def _with_load(checked: Checked, loaded: Loaded) -> Checked:
    if loaded.trouble:
        problem = Problem(file=checked.file, where="script", text=f"cannot be loaded: {loaded.trouble}")
        return attrs.evolve(checked, problems=(*checked.problems, problem))
    works = (one for one in checked.works if not one.startswith(HOOKS_SEEN))
    return attrs.evolve(checked, works=(*works, f"loaded in a worker; hooks: {', '.join(loaded.hooks)}"))


def _status(counts: Counter[Verdict]) -> ExitStatus:
    if counts[Verdict.WRONG]:
        return ExitStatus.CONFIG
    if counts[Verdict.COUNTERPART]:
        return ExitStatus.FAILED
    return ExitStatus.OK if counts else ExitStatus.NO_INPUT


def _blocks(results: Sequence[Checked]) -> list[Line | Facts]:
    blocks: list[Line | Facts] = []
    for result in results:
        service = f", {result.service}" if result.service else ""
        blocks.append(Line(f"{result.file} ({result.kind}{service}): {result.verdict}", TONES[result.verdict]))
        pairs = [
            *(("  works", sentence) for sentence in result.works),
            *(("  needs", _sentence(need)) for need in result.needs),
            *(("  note", sentence) for sentence in result.notes),
            *(("  wrong" if one.severity is Severity.ERROR else "  warning", str(one)) for one in result.problems),
        ]
        if pairs:
            blocks.append(Facts(pairs=pairs))
    return blocks


def _sentence(need: Need) -> str:
    line = f" (line {need.line})" if need.line else ""
    return f"{need.kind} {need.name}{line}: {need.ours or NO_EQUAL}"


def _summary(counts: Counter[Verdict]) -> Line:
    if not counts:
        return Line("There is no descriptor, no file of filters and no script here.", "warn")
    told = ", ".join(f"{verdict.value}: {counts[verdict]}" for verdict in Verdict)
    return Line(f"{told}.", TONES[max(counts, key=list(Verdict).index)])


def _record(result: Checked) -> dict[str, Any]:
    return {
        "file": result.file,
        "kind": result.kind.value,
        "verdict": result.verdict.value,
        "service": result.service,
        "works": list(result.works),
        "needs": [{"kind": one.kind, "name": one.name, "line": one.line, "ours": one.ours} for one in result.needs],
        "notes": list(result.notes),
        "problems": [
            {
                "severity": one.severity.value,
                "file": one.file,
                "line": one.line,
                "where": one.where,
                "text": one.text,
            }
            for one in result.problems
        ],
    }

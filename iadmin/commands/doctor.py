"""`iadmin doctor`: every check there is, worst first, each with what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import click

from agent.errors import ExitStatus
from iadmin.commands.completing import service_names
from iadmin.commands.doctor_checks import CHECKS, examine
from iadmin.commands.doctor_patient import Patient
from iadmin.commands.doctor_probe import probe
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.diagnosis import Finding, Severity, worst_first
from iadmin.diagnosis.finding import exit_of
from iadmin.model import Block, Outcome
from iadmin.render import Line, Tone

TONES: dict[Severity, Tone] = {Severity.FAULT: "bad", Severity.WARNING: "warn", Severity.NOTE: "dim"}


@click.command(cls=Command)
@click.option("--deep", is_flag=True, help="Also read a large spool whole, which takes minutes.")
@click.option(
    "--probe",
    "service",
    metavar="SERVICE",
    shell_complete=service_names,
    help="Also send a marked test event to SERVICE (domain|name) and time each hop; its destination really gets it.",
)
@pass_tools
def doctor(tools: Tools, deep: bool, service: str | None) -> Outcome:
    """Run every check there is: what is wrong, and what mends it.

    Works as far as possible without a running agent, and changes nothing. Exit status 2 when something does not work,
    1 when something will not for long or is a risk, 0 otherwise.
    """
    patient = Patient(tools, tools.home, deep)
    with tools.progress("looking", len(CHECKS)) as done:
        found = list(examine(patient, done))
    road = None
    if service is not None:
        road = probe(tools, service)
        found += road.findings
    found = list(worst_first(found))
    counts = {severity: sum(one.severity is severity for one in found) for severity in Severity}
    return Outcome(
        data={
            "findings": [one.document() for one in found],
            **{f"{severity.value}s": number for severity, number in counts.items()},
            **({} if road is None else {"probe": road.document()}),
        },
        blocks=(*_page(found), *(() if road is None else road.blocks()), _last(counts)),
        exit_status=cast("ExitStatus", exit_of(found)),
    )


def _page(found: list[Finding]) -> Iterator[Block]:
    for one in found:
        yield Line(f"{one.severity.value.upper():8} {one.what}", TONES[one.severity])
        yield Line(f"{'':8} known from: {one.known} [{one.code}]", "dim")
        if one.remedy:
            yield Line(f"{'':8} do: {one.remedy}")
        yield Line("")


def _last(counts: dict[Severity, int]) -> Line:
    told = [f"{number} {severity.value}{'s' * (number != 1)}" for severity, number in counts.items() if number]
    if counts[Severity.FAULT] or counts[Severity.WARNING]:
        return Line(f"{', '.join(told)}.", "bad" if counts[Severity.FAULT] else "warn")
    return Line(f"Nothing is wrong{f' ({told[0]})' if told else ''}.", "good")

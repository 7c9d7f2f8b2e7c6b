"""`iadmin suspend`, `suspend-now`, `resume`, `purge`: what a single service may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.arguments import running_service
from iadmin.commands.completing import service_names
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Line

WHY: Final = "services are suspended and resumed while it does"


def _one_name(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> str:
    """The original's administrators write domain and name, as two words."""
    if len(words) > 2:
        raise click.UsageError(f"{' '.join(words)!r} names no service; give DOMAIN|NAME, or DOMAIN NAME, or NAME")
    return "|".join(words)


service_argument = click.argument(
    "service", metavar="SERVICE", nargs=-1, required=True, callback=_one_name, shell_complete=service_names
)
refuse_option = click.option(
    "--refuse", is_flag=True, help="Send senders away meanwhile (503); without it events are stored and wait."
)


@click.command("suspend", cls=Command)
@service_argument
@refuse_option
@pass_tools
def suspend(tools: Tools, service: str, refuse: bool) -> Outcome:
    """Begin no more events of SERVICE; what is in hand ends first.

    Its events are still accepted and stored, and wait until "iadmin resume", also over a restart of the agent. With
    --refuse senders are told to come back later instead.
    """
    return _suspend(tools, service, now=False, refuse=refuse)


@click.command("suspend-now", cls=Command)
@service_argument
@refuse_option
@pass_tools
def suspend_now(tools: Tools, service: str, refuse: bool) -> Outcome:
    """Suspend SERVICE, and interrupt what is in hand.

    What is interrupted is repeated when the service is resumed.
    """
    return _suspend(tools, service, now=True, refuse=refuse)


@click.command("resume", cls=Command)
@service_argument
@pass_tools
def resume(tools: Tools, service: str) -> Outcome:
    """Let a suspended SERVICE go on with what waits."""
    link = tools.running(WHY)
    name = running_service(link, service)
    with tools.working(f"resuming {name}"):
        answer = link.resume(name)
    return _outcome(answer, Line(f"{name} is resumed: what waited is worked on.", "good"))


def _suspend(tools: Tools, service: str, *, now: bool, refuse: bool) -> Outcome:
    link = tools.running(WHY)
    name = running_service(link, service)
    with tools.working(f"suspending {name}"):
        answer = link.suspend(name, now=now, refuse=refuse)
    meanwhile = (
        "senders are told to come back later (503)." if refuse else "its events are accepted and stored, and wait."
    )
    return _outcome(answer, Line(f"{name} is suspended: {meanwhile}", "warn"))


def _outcome(answer: Mapping[str, Any], line: Line) -> Outcome:
    """Done, whatever a hook has raised: that is told beside it."""
    trouble = str(answer.get("trouble") or "")
    return Outcome(data=answer, blocks=(line,), notes=(trouble,) if trouble else ())


@click.command("purge", cls=Command)
@service_argument
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@pass_tools
def purge(tools: Tools, service: str, is_sure: bool) -> Outcome:
    """Delete all events that wait for a suspended SERVICE.

    There is no way back; it asks first. What the service has already sent on is not touched, and neither are dead
    letters: "iadmin deadletter purge" deletes those.
    """
    link = tools.running("what waits is deleted by the running agent")
    name = running_service(link, service)
    waiting = link.queues().get(name, {}).get("inbound", {})
    count = sum(map(int, waiting.values()))
    if not is_sure:
        answer = tools.ask(f"Delete {_events(count)} for {name}? This cannot be undone.")
        if answer is None:
            raise OperatorError(
                "not-sure",
                f"this would delete {_events(count)} for {name}, and nobody is here to be asked; say --yes "
                "if that is what you mean",
                exit_status=ExitStatus.USAGE,
            )
        if not answer:
            return Outcome(
                data={"service": name, "purged": 0},
                blocks=(Line("Nothing was done."),),
                exit_status=ExitStatus.FAILED,
            )
    with tools.working(f"deleting what waits for {name}"):
        purged = link.purge_service(name)
    return Outcome(
        data={"service": name, "purged": purged},
        blocks=(Line(f"Deleted {_events(purged)} for {name}.", "good"),),
    )


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'} that wait{'s' if count == 1 else ''}"

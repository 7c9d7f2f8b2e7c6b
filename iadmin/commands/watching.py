"""Commands that show the same thing again and again, until Ctrl-C: redrawn on a terminal, line by line as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import click

from agent.errors import AgentError, ExitStatus, OperatorError
from iadmin.commands.tools import Tools
from iadmin.model import Block, Outcome
from iadmin.render import Line, said_for

EVERY_S: Final = 2.0
"""As `top` and `watch` have it."""
MIN_EVERY_S: Final = 0.2
"""Faster than an eye follows."""
MAX_EVERY_S: Final = 3600.0

watch_option = click.option(
    "--watch",
    "every_s",
    type=click.FloatRange(MIN_EVERY_S, MAX_EVERY_S),
    is_flag=False,
    flag_value=EVERY_S,
    default=None,
    metavar="[SECONDS]",
    help=f"Show it again every so many seconds ({EVERY_S:g}), until Ctrl-C.",
)


def watch(tools: Tools, look: Callable[[], Outcome], every_s: float) -> NoReturn:
    """Show what `look` gives, until Ctrl-C; what fails after the first time is shown as well, and it goes on.

    With `--json` one document per line. Raises `OperatorError` where there is neither that nor a terminal.
    """
    screen = tools.screen()
    if tools.switches.as_json:
        document = look().data
        while True:
            screen.say(json.dumps(document))
            screen.pause(every_s)
            document = _document(look)
    if not screen.is_terminal:
        raise OperatorError(
            "no-terminal",
            "standard output is no terminal on which something could be redrawn; take --json, which prints one "
            "document per line, or have it shown once",
            exit_status=ExitStatus.USAGE,
        )
    blocks = look().blocks
    failure: AgentError | None = None
    with screen.redrawn() as show:
        while True:
            home = tools.switches.home or ""
            show(said_for(home, _page(tools, blocks, failure, every_s)))
            screen.pause(every_s)
            try:
                blocks, failure = look().blocks, None
            except AgentError as error:
                failure = error


def _page(tools: Tools, blocks: Sequence[Block], failure: AgentError | None, every_s: float) -> list[Block]:
    now = tools.now()
    hint = f"{now:%H:%M:%S}, every {every_s:g} s; Ctrl-C ends it"
    if failure is None:
        return [*blocks, Line(hint, "dim")]
    return [Line(f"{failure.sentence}; below is what was before", "bad"), *blocks, Line(hint, "dim")]


def _document(look: Callable[[], Outcome]) -> object:
    try:
        return look().data
    except AgentError as error:
        return {"error": {"code": error.code, "sentences": list(error.lines), "exit_status": int(error.exit_status)}}

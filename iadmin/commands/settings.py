"""`iadmin display-settings`, `get-log-level`, `set-log-level`: how the running agent is set."""

from __future__ import annotations

from typing import Final

import click

from agent.config.model import LogLevel
from iadmin.commands.config import flat
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line

LEVELS: Final = tuple(level.value for level in LogLevel)


@click.command("display-settings", cls=Command)
@pass_tools
def display_settings(tools: Tools) -> Outcome:
    """Show what is in force in the running agent.

    "iadmin config show" shows what the files say, which counts after a reload or a restart. Secrets are masked.
    """
    found = tools.running('"iadmin config show" shows what its files say').settings()
    return Outcome(data=found, blocks=(Facts(pairs=tuple(flat(found))),))


@click.command("get-log-level", cls=Command)
@pass_tools
def get_log_level(tools: Tools) -> Outcome:
    """Show the least important lines that the running agent logs."""
    level = tools.running('its configuration says what it will log: "iadmin config show"').log_level()
    return Outcome(data={"level": level}, blocks=(Line(level),))


@click.command("set-log-level", cls=Command)
@click.argument("level", type=click.Choice(LEVELS, case_sensitive=False), metavar="LEVEL")
@pass_tools
def set_log_level(tools: Tools, level: str) -> Outcome:
    """Log more or less from now on: debug, info, warn or error.

    It counts until the agent ends; what stays is <log level="..."> in the configuration.
    """
    tools.running('write <log level="..."> into its configuration').set_log_level(level)
    return Outcome(
        data={"level": level},
        blocks=(Line(f"The agent logs from {level} on, until it ends; iaconfig.xml is as it was.", "good"),),
    )

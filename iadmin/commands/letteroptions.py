"""The options that say which dead letters a command is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from iadmin.commands.completing import destination_names, service_names

_Command = TypeVar("_Command", bound=Callable[..., Any])


FILTERS: Final = (
    click.option(
        "--service", metavar="NAME", default="", shell_complete=service_names, help="Only those of this service."
    ),
    click.option(
        "--destination",
        metavar="NAME",
        default="",
        shell_complete=destination_names,
        help="Only requests for this destination.",
    ),
    click.option("--since", metavar="TIME", default="", help="Only those that died since: 15m, 2h, today, or a time."),
    click.option("--before", metavar="TIME", default="", help="Only those that died before."),
    click.option(
        "--match",
        metavar="TEXT",
        default="",
        help="Only those whose reason or body contains TEXT; /... is an XPath into an XML body.",
    ),
)


def letter_filters(command: _Command) -> _Command:
    """The options that say which dead letters are meant."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


def letter_choice(command: _Command) -> _Command:
    """IDs, or filters, or all."""
    command = letter_filters(command)
    command = click.option("--all", "is_all", is_flag=True, help="All dead letters (that fit the filters).")(command)
    return click.argument("ids", metavar="[ID...]", nargs=-1)(command)

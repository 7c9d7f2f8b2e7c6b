"""`iadmin man`: manual pages, made from the commands themselves."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.lazy import Command, nearest
from iadmin.commands.tools import Tools, pass_tools
from iadmin.manual import page
from iadmin.model import Outcome
from iadmin.render import Line, Script


@click.command(cls=Command)
@click.argument("command", required=False, default="")
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write all pages into this folder, for example /usr/local/share/man/man1.",
)
@pass_tools
@click.pass_context
def man(ctx: click.Context, tools: Tools, command: str, folder: Path | None) -> Outcome:
    """Print the manual page of COMMAND, or write all pages.

    \b
    read one:     iadmin man keystore | man -l -
    install all:  iadmin man --output /usr/local/share/man/man1
    """
    root = cast("click.Group", ctx.find_root().command)
    names = root.list_commands(ctx)
    if command and command not in names:
        raise OperatorError(
            "no-command",
            f"there is no command {command!r}{nearest(command, names)}; there are {', '.join(names)}",
            exit_status=ExitStatus.USAGE,
        )
    if folder is None:
        text = page(root, command, version=_version())
        return Outcome(data={"page": text}, blocks=(Script(text),))
    pages = {
        f"iadmin-{name}.1" if name else "iadmin.1": page(root, name, version=_version())
        for name in ([command] if command else ["", *names])
    }
    target = tools.cwd / folder
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            (target / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            "cannot-create",
            f"cannot write {str(error.filename or target)!r}: {error.strerror}; choose a folder in which you may write",
            exit_status=ExitStatus.CANNOT_CREATE,
        ) from error
    return Outcome(
        data={"folder": str(target), "pages": list(pages)},
        blocks=(Line(f"{len(pages)} manual pages are in {target}; read one with: man -l {target / 'iadmin.1'}"),),
    )


def _version() -> str:
    try:
        return version("integration-agent")
    except PackageNotFoundError:
        return ""

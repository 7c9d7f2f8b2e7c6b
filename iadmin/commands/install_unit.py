"""`iadmin install-unit`: the agent as a service of systemd."""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Final

import click

from agent.config.model import AgentConfig, OutboxDestination
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Line, Script
from iadmin.unit import UnitFacts, unit_text

UNIT_FOLDER: Final = Path("/etc/systemd/system")
UNIT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@-]{0,199}")
CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_.-]+:/\S+")
READABLE: Final = 0o644
"""Units are not secret, and `systemctl cat` is for everybody."""


@click.command(cls=Command)
@click.option("--print", "is_printed", is_flag=True, help="Only show the unit, on standard output.")
@click.option("--name", default="integration-agent", show_default=True, metavar="NAME", help="What systemctl calls it.")
@click.option("--user", metavar="NAME", help="The account that the agent runs under (default: the home's owner).")
@click.option(
    "--credential",
    "credentials",
    multiple=True,
    metavar="NAME:FILE",
    help="A secret that systemd reads as root and hands to the agent, for example "
    "keystore-password:/etc/agent-keystore-password. May be given again.",
)
@click.option("--folder", type=click.Path(path_type=Path), default=UNIT_FOLDER, show_default=True, metavar="DIR")
@click.option("--force", is_flag=True, help="Replace a unit of this name that says something else.")
@pass_tools
def install_unit(
    tools: Tools,
    is_printed: bool,
    name: str,
    user: str | None,
    credentials: Sequence[str],
    folder: Path,
    force: bool,
) -> Outcome:
    """Make the agent a service of systemd.

    Writes a unit with a watchdog and a tight sandbox, and says what to do next; it starts nothing.
    """
    _check(name, credentials)
    config, _ = tools.load_config(tools.home)
    text = unit_text(_facts(tools.home, config, user=user, credentials=credentials))
    if is_printed:
        return Outcome(data={"name": name, "unit": text}, blocks=(Script(text),))
    path = tools.cwd / folder / f"{name}.service"
    is_new = _write(path, text, force=force)
    return Outcome(
        data={"name": name, "path": str(path), "written": is_new, "unit": text},
        blocks=(
            Line(f"{path} {'is written' if is_new else 'says this already'}.", "good"),
            Line("Let systemd know of it, start it now and at each boot, and see how it is:"),
            Line("  systemctl daemon-reload"),
            Line(f"  systemctl enable --now {name}"),
            Line(f"  systemctl status {name}"),
        ),
        notes=_notes(tools, user),
    )


def _check(name: str, credentials: Sequence[str]) -> None:
    if not UNIT_NAME.fullmatch(name) or name.endswith(".service"):
        raise OperatorError(
            "unit-name",
            f"{name!r} is no name for a unit: letters and digits, behind the first also :_.@-, without .service",
            exit_status=ExitStatus.USAGE,
        )
    for one in credentials:
        if not CREDENTIAL.fullmatch(one):
            raise OperatorError(
                "credential",
                f"{one!r} is no credential: NAME:FILE is expected, with the absolute path of the file, "
                "for example keystore-password:/etc/agent-keystore-password",
                exit_status=ExitStatus.USAGE,
            )


def _facts(home: Path, config: AgentConfig, *, user: str | None, credentials: Sequence[str]) -> UnitFacts:
    programs = Path(sys.executable).parent
    outboxes = {one.path.parent for one in config.destinations if isinstance(one, OutboxDestination)}
    inside = home / "var"
    return UnitFacts(
        agent_id=config.agent_id,
        home=home,
        user=user or _owner(home),
        agent_program=programs / "integration-agent",
        iadmin_program=programs / "iadmin",
        ports=[gateway.port for gateway in config.gateways],
        writable=sorted(folder for folder in outboxes if not folder.is_relative_to(inside)),
        credentials=credentials,
    )


def _owner(home: Path) -> str:
    number = home.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _notes(tools: Tools, user: str | None) -> tuple[str, ...]:
    if (user or _owner(tools.home)) != "root":
        return ()
    home = quote(str(tools.home))
    sentence = (
        f"the agent will run as root, because root owns {home}: an account of its own is safer "
        f'("useradd --system integration-agent", then "chown -R integration-agent {home}", then the same again)'
    )
    return (sentence,)


def _write(path: Path, text: str, *, force: bool) -> bool:
    """Write the unit whole or not at all; False where it says this already."""
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = None
    except UnicodeDecodeError:
        before = ""
    if before == text:
        return False
    if before is not None and not force:
        raise OperatorError(
            "unit-exists",
            f"{path} exists and says something else; look at both (--print), and replace it with --force, "
            "or choose another --name",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(READABLE)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OperatorError(
            "cannot-create",
            f"cannot write {str(path)!r}: {error.strerror}; say it as root, or put what --print shows there yourself",
            exit_status=ExitStatus.CANNOT_CREATE,
        ) from error
    return True

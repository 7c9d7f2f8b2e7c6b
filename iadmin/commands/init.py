"""`iadmin init DIR`: a new agent home."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from typing import Final

import click

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, is_home, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line

TEMPLATES: Final = ("conf", "services")
WORKING_FOLDERS: Final = ("var", "var/spool", "var/log", "var/run", "var/outbox")
ROOT: Final = PurePath()
NOT_COPIED: Final = frozenset({"__pycache__", "__init__.py", "py.typed"})


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@pass_tools
def init(tools: Tools, folder: Path) -> Outcome:
    """Make a new agent home in DIR.

    Copies the commented default configuration and the sample service, and makes the folders in which the agent works.
    Never overwrites: a folder that is a home already, or holds files of the same names, is refused.
    """
    home = tools.cwd / folder
    files = [
        (PurePath(root, path), content) for root in TEMPLATES for path, content in _files(tools.template(root), ROOT)
    ]
    _refuse_if_in_the_way(home, [path for path, _ in files])
    try:
        for path, content in files:
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            with (home / path).open("xb") as file:
                file.write(content.read_bytes())
            (home / path).chmod(0o600)
        # Passwords stand in conf/, events in var/, and who can write to services/ is the agent.
        for name in TEMPLATES:
            (home / name).chmod(0o700)
        for name in WORKING_FOLDERS:
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "cannot-create",
            f"cannot make {str(error.filename or home)!r}: {error.strerror}; choose a folder in which you may write",
            exit_status=ExitStatus.CANNOT_CREATE,
        ) from error
    return Outcome(
        data={"home": str(home), "files": [str(path) for path, _ in files]},
        blocks=(
            Line(f"A new agent home is in {home}.", "good"),
            Facts(
                title="What next:",
                pairs=(
                    ("  look at the configuration", str(home / "conf" / "iaconfig.xml")),
                    ("  start the agent", f"integration-agent --home {home}"),
                    ("  send it an event", f"iadmin --home {home} event send sample-plan FILE"),
                    ("  see what became of it", f"iadmin --home {home} event show"),
                ),
            ),
        ),
    )


def _files(folder: Traversable, below: PurePath) -> Iterator[tuple[PurePath, Traversable]]:
    """All files of a template folder with their paths in it, in a stable order."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in NOT_COPIED or entry.name.endswith(".pyc") or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        else:
            yield below / entry.name, entry


def _refuse_if_in_the_way(home: Path, paths: list[PurePath]) -> None:
    if is_home(home):
        raise OperatorError(
            "home-exists",
            f"{str(home)!r} is an agent home already and stays as it is; choose another folder, "
            f'or look at this one with "iadmin --home {home} config check"',
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    if home.exists() and not home.is_dir():
        raise OperatorError(
            "not-a-folder",
            f"{str(home)!r} is not a folder; choose another name",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    for path in paths:
        if (home / path).exists():
            raise OperatorError(
                "file-exists",
                f"{str(home / path)!r} exists and is not overwritten; move it away or choose another folder",
                exit_status=ExitStatus.CANNOT_CREATE,
            )

"""`iadmin backup` and `iadmin restore`: a home in one file, and back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import click

from agent.errors import AgentError, ExitStatus, OperatorError
from iadmin.commands.archive import files_of, outside_of, pack
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.commands.unpacking import GIB, MAX_GIB, unpack
from iadmin.model import Outcome
from iadmin.render import Line
from iadmin.text import size

TWICE: Final = (
    "if the agent that the backup is of has gone on since then, events that were open in it are sent a second time, "
    "under their old ids; never let both run"
)


@click.command(cls=Command)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@pass_tools
def backup(tools: Tools, file: Path) -> Outcome:
    """Write the home into FILE (.tar.gz), also while the agent runs.

    Configuration, keystores, services and the spool as it is at one moment; not the logs. FILE holds the home's keys,
    passwords and events: keep it like them. It is never written over.
    """
    home, target = tools.home, tools.cwd / file
    if target.exists():
        raise OperatorError(
            "file-exists",
            f"{target} exists and is not overwritten; choose another name, or move it away",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    config, _ = tools.load_config(home)
    kept = files_of(home)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as place:
            spool = _copy_spool(tools, Path(place) / "spool.db")
            with tools.progress("writing", len(kept.files) + 1) as done:
                taken = pack(target, kept, spool, done)
    except OSError as error:
        raise OperatorError(
            "cannot-create",
            f"cannot write {target}: {error.strerror or error}; choose a folder with room in which you may write",
            exit_status=ExitStatus.CANNOT_CREATE,
        ) from error
    outside = [str(path) for path in outside_of(home, config)]
    return Outcome(
        data={
            "file": str(target),
            "bytes": taken,
            "files": len(kept.files),
            "has_spool": spool is not None,
            "outside": outside,
            "passed_over": list(kept.passed_over),
        },
        blocks=(
            Line(f"{target} ({size(taken)}) holds {home}: {len(kept.files)} files and its spool.", "good")
            if spool is not None
            else Line(
                f"{target} ({size(taken)}) holds {home}: {len(kept.files)} files; there is no spool yet.", "good"
            ),
            Line(f'Make a home of it with "iadmin restore {file} DIR".'),
        ),
        notes=(
            *(f"{path} lies outside of the home and is not in it: keep a copy of it, too" for path in outside),
            *(
                f"{name} is neither a file nor a folder, or a link to a folder, and is not in it"
                for name in kept.passed_over
            ),
        ),
    )


def _copy_spool(tools: Tools, target: Path) -> Path | None:
    try:
        with tools.open_upkeep(tools.home, alone=False) as upkeep, tools.working("copying the spool"):
            upkeep.copy(target)
    except AgentError as error:
        if error.code == "spool-missing":
            return None
        raise
    return target


@click.command(cls=Command)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--max-size",
    "max_gib",
    type=click.IntRange(1, 1024**2),
    metavar="GIB",
    default=MAX_GIB,
    show_default=True,
    help="The most that the home may take, in GiB.",
)
@pass_tools
def restore(tools: Tools, file: Path, folder: Path, max_gib: int) -> Outcome:
    """Make a home in DIR of FILE, a backup.

    DIR must not exist, or be empty. Events that were open at the time of the backup are processed (again) when an agent
    starts on the new home, under their old ids.
    """
    archive, home = tools.cwd / file, tools.cwd / folder
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise OperatorError(
            "in-the-way",
            f"{home} exists and is not an empty folder; nothing is overwritten: choose another one",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    if not home.parent.is_dir():
        raise OperatorError(
            "cannot-create",
            f"{home.parent} is no folder, so that {home} cannot be made; make it first",
            exit_status=ExitStatus.CANNOT_CREATE,
        )
    try:
        with tools.progress("reading", archive.stat().st_size) as done:
            count = unpack(archive, home, done, max_bytes=max_gib * GIB)
    except FileNotFoundError as error:
        raise OperatorError(
            "no-file", f"{error.filename}: there is no such file; name a backup", exit_status=ExitStatus.NO_INPUT
        ) from error
    except OSError as error:
        raise OperatorError(
            "cannot-create",
            f"cannot make {home}: {error.strerror or error} ({error.filename or archive}); nothing was made",
            exit_status=ExitStatus.CANNOT_CREATE,
        ) from error
    return Outcome(
        data={"home": str(home), "files": count},
        blocks=(
            Line(f"{home} is an agent home again: {count} files.", "good"),
            Line(f'Look at it with "iadmin --home {home} config check", then start the agent on it.'),
        ),
        notes=(TWICE,),
    )

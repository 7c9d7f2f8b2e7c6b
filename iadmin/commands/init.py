"""`iadmin init DIR`: a new agent home."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from shlex import quote
from typing import Final

import click

from agent.config.edit import set_attribute
from agent.errors import ExitStatus, OperatorError
from agent.names import CONFIGURATION_FILES
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, is_home, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line

TEMPLATES: Final = ("conf", "services")
WORKING_FOLDERS: Final = ("var", "var/spool", "var/log", "var/run", "var/outbox", "var/apclient")
KEYSTORE: Final = PurePath("conf/.keystore")
ROOT: Final = PurePath()
CONFIGURATION: Final = PurePath("conf", CONFIGURATION_FILES[0])
DEFAULT_PASSWORD: Final = "alarmpoint"
NOT_COPIED: Final = frozenset({"__pycache__", "__init__.py", "py.typed"})


@click.command(cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--host", metavar="ADDRESS", help="Where the service gateway listens; 0.0.0.0 is all of IPv4.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="Its port (default: 8081).")
@pass_tools
def init(tools: Tools, folder: Path, host: str | None, port: int | None) -> Outcome:
    """Make a new agent home in DIR.

    Copies the commented default configuration and the sample services, makes the folders in which the agent works, and
    a keystore with the key by which iadmin on other machines proves that it may administer this agent.
    Never overwrites: a folder that is a home already, or holds files of the same names, is refused.
    """
    home = tools.cwd / folder
    files = [
        (PurePath(root, path), content) for root in TEMPLATES for path, content in _files(tools.template(root), ROOT)
    ]
    _refuse_if_in_the_way(home, [*(path for path, _ in files), KEYSTORE])
    try:
        if not home.exists():
            home.mkdir(parents=True)
            # A umask of 002 would let the group put another conf/ into the place of ours.
            home.chmod(home.stat().st_mode & ~0o022)
        for path, content in files:
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            with (home / path).open("xb") as file:
                file.write(_listening_at(path, content.read_bytes(), host=host, port=port))
            (home / path).chmod(0o600)
        with (home / KEYSTORE).open("xb") as file:
            file.write(_new_keystore(tools.now()))
        (home / KEYSTORE).chmod(0o600)
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
    iadmin = f"{tools.command('iadmin')} --home {quote(str(home))}"
    return Outcome(
        data={"home": str(home), "files": [*(str(path) for path, _ in files), str(KEYSTORE)]},
        blocks=(
            Line(f"A new agent home is in {home}.", "good"),
            Facts(
                title="What next:",
                pairs=(
                    ("  look at the configuration", str(home / "conf" / "iaconfig.xml")),
                    ("  start the agent", f"{tools.command('integration-agent')} --home {quote(str(home))}"),
                    ("  send it an event", f"{iadmin} event send sample-plan FILE"),
                    ("  see what became of it", f"{iadmin} event show"),
                ),
            ),
        ),
    )


def _new_keystore(now: datetime) -> bytes:
    """A keystore with nothing but the key of iadmin itself, under the original's password: the file protects it."""
    from iadmin.commands.adminkey import new_admin_entry
    from keystoretools import Format, Keystore, Password, save_keystore

    keystore = Keystore(format=Format.PKCS12, password=Password(DEFAULT_PASSWORD)).add(new_admin_entry(now))
    return save_keystore(keystore, now_ms=int(now.timestamp() * 1000))


def _files(folder: Traversable, below: PurePath) -> Iterator[tuple[PurePath, Traversable]]:
    """All files of a template folder with their paths in it, in a stable order."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in NOT_COPIED or entry.name.endswith(".pyc") or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        else:
            yield below / entry.name, entry


def _listening_at(path: PurePath, content: bytes, *, host: str | None, port: int | None) -> bytes:
    """The shipped file, with the address that was asked for where it is the configuration."""
    if path != CONFIGURATION:
        return content
    for name, value in (("host", host), ("port", port)):
        if value is not None:
            content = set_attribute(content, "service-gateway", name, str(value))
    return content


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

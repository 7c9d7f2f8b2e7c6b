"""`iadmin service new NAME`: a service to begin with, that works as it is."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

import click

from agent.config.document import local_name, parse_document
from agent.config.edit import NotEditable, add_child
from agent.config.parse import DEFAULT_SERVICES_FOLDER
from agent.config.problem import Problem
from agent.config.values import Unfit, service_part
from agent.errors import AgentError, ExitStatus, OperatorError
from agent.names import ServiceName
from iadmin.commands.keystores import operator_error
from iadmin.commands.lazy import Command
from iadmin.commands.service_template import EVENT, NewService, new_service
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line
from keystoretools import KeystoreError

DOMAIN: Final = "applications"
LIST: Final = "service-configs"


@click.command(cls=Command)
@click.argument("name", metavar="NAME")
@click.option("--add/--no-add", "is_added", default=None, help="List it in the configuration, or not; do not ask.")
@pass_tools
def new(tools: Tools, name: str, is_added: bool | None) -> Outcome:
    """Begin a service: descriptor, Python file, test, example event.

    NAME is a name, for the domain "applications", or domain|name. What is made works as it is. Nothing that exists is
    touched; the configuration gets one line, with --add or when you say so.
    """
    wanted = read_name(name)
    settings, _ = tools.load_config(tools.home)
    for other in (one.name for one in settings.services):
        if other.url_name == wanted.url_name:
            raise _exists(f"the configuration has the service {other.client_id!r}, with the URL {other.path}")
    service = new_service(wanted)
    listed_in = services_folder(tools)
    folder = listed_in / wanted.name
    _write(folder, service)
    path = f"{wanted.name}/{service.descriptor}"
    entry = f"<path>{path}</path>"
    if is_added is None:
        is_added = bool(tools.ask(f"List it in {tools.config_file.name} ({entry})?"))
    if is_added:
        try:
            _enlist(tools, path)
        except AgentError as error:
            sentence = f"{'; '.join(error.lines)}; the service is in {folder}, and {entry} is not in {LIST}"
            raise OperatorError(error.code, sentence, exit_status=error.exit_status) from error
    return Outcome(
        data={
            "service": wanted.client_id,
            "folder": str(folder),
            "files": [str(folder / one) for one in service.files],
            "added": is_added,
        },
        blocks=(
            Line(f"A new service {wanted.client_id} is in {folder}: {', '.join(service.files)}.", "good"),
            *_next(tools, wanted, folder, entry, is_added=is_added),
        ),
    )


def read_name(text: str) -> ServiceName:
    """Read `name` or `domain|name`; raises `OperatorError` (64)."""
    domain, bar, name = text.rpartition("|")
    try:
        if not name or (bar and not domain):
            raise Unfit(f"{text!r} is not a service name: say NAME, or DOMAIN|NAME")
        return ServiceName(domain=service_part(domain if bar else DOMAIN), name=service_part(name))
    except Unfit as error:
        raise OperatorError("no-service-name", str(error), exit_status=ExitStatus.USAGE) from error


def services_folder(tools: Tools) -> Path:
    """Where paths in `service-configs` start, as the configuration says."""
    root = parse_document(tools.config_file.name, tools.config_file.read_bytes())
    lists = [] if isinstance(root, Problem) else [one for one in root.iter() if local_name(one) == LIST]
    named = (lists[0].get("dir") or "").strip() if lists else ""
    folder = (named or DEFAULT_SERVICES_FOLDER).replace("\\", "/")
    return Path(os.path.normpath(tools.config_file.parent / folder))


def _write(folder: Path, service: NewService) -> None:
    """All files or none; the folder must not be there."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise _exists(f"{str(folder)!r} exists and is not touched") from error
    except OSError as error:
        raise _cannot(error, folder) from error
    try:
        for name, content in service.files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(content)
            (folder / name).chmod(0o600)
        _own_as(folder, folder.parent)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _cannot(error, folder) from error


def _own_as(folder: Path, example: Path) -> None:
    """Root makes it for the one who owns the home: the agent's account has to read it."""
    if os.geteuid() == 0:
        owner = example.stat()
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)


def _enlist(tools: Tools, path: str) -> None:
    """Add the service to the configuration; when that cannot be used then, the file is as before."""
    config = tools.config_file
    files = tools.safe_files()
    try:
        with files.locked(config):
            before = files.load(config)
            after = add_child(before, LIST, "path", path)
            files.save(config, after, now=tools.now(), expected=before)
            try:
                tools.load_config(tools.home)
            except AgentError:
                files.save(config, before, now=tools.now(), expected=after, backup=False)
                raise
    except KeystoreError as error:
        raise operator_error(error) from error
    except NotEditable as error:
        raise OperatorError("cannot-edit", f"{config.name}: {error}", exit_status=ExitStatus.CONFIG) from error


def _next(tools: Tools, name: ServiceName, folder: Path, entry: str, *, is_added: bool) -> tuple[Facts, ...]:
    home = f" --home {shlex.quote(tools.switches.home)}" if tools.switches.home else ""
    place, event = shlex.quote(str(folder)), shlex.quote(str(folder / EVENT))
    steps = [
        ("  try it, nothing leaves", f"iadmin{home} service test {place} {event}"),
        ("  run its own test", f"{shlex.quote(sys.executable)} -m unittest discover -s {place}"),
    ]
    if not is_added:
        steps.append((f"  list it in {tools.config_file.name}", f"{entry} in {LIST}"))
    steps += [
        ("  let the agent take it", f"iadmin{home} reload"),
        ("  send it an event", f"iadmin{home} event send {shlex.quote(name.client_id)} {event}"),
    ]
    return (Facts(title="What next:", pairs=tuple(steps)),)


def _exists(found: str) -> OperatorError:
    return OperatorError(
        "service-exists", f"{found}; choose another name, nothing was made", exit_status=ExitStatus.CANNOT_CREATE
    )


def _cannot(error: OSError, folder: Path) -> OperatorError:
    return OperatorError(
        "cannot-create",
        f"cannot make {str(error.filename or folder)!r}: {error.strerror}; nothing was made",
        exit_status=ExitStatus.CANNOT_CREATE,
    )

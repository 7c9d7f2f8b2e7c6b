"""Wires iadmin's commands to the edges: the only place where one is handed to the other.

Each edge is imported when a command reaches for it, so that a command pays for what it uses and for nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from iadmin.commands.tools import Tools
from iadmin.terminal import ask, ask_secret, progress, until, working

if TYPE_CHECKING:
    from iadmin.commands.lazy import Switches
    from iadmin.hops import Judge
    from iadmin.model import HopRoute


def real_tools(switches: Switches) -> Tools:
    """What commands are handed in earnest."""
    from datetime import datetime

    return Tools(
        switches=switches,
        environ=os.environ,
        cwd=Path.cwd(),
        stdin=sys.stdin.buffer,
        now=lambda: datetime.now().astimezone(),
        template=_template,
        load_config=_load_config,
        check_files=_check_files,
        exposures=_exposures,
        effective=_effective,
        open_journal=_open_journal,
        open_link=_open_link,
        open_remote=_Once(_open_remote),
        running_pid=_running_pid,
        watch=_watch,
        start_agent=_start_agent,
        post=_post,
        working=working,
        progress=progress,
        until=until,
        ask=ask,
        edit_file=_edit_file,
        open_changes=_open_changes,
        open_upkeep=_open_upkeep,
        safe_files=_safe_files,
        ask_secret=ask_secret,
        machine_names=_machine_names,
        command=_command,
        key_material=_key_material,
        prober=_prober,
        walker=_walker,
        login_fields=_login_fields,
        proxy_of=_proxy_of,
        open_secret=_open_secret,
        code_time=_code_time,
        machine=_machine,
        screen=_screen,
        trials=_trials,
        follow=_follow,
    )


def _template(folder: str) -> Any:
    from agent.templates import template

    return template(folder)


def _check_files(paths: Iterable[Path]) -> Any:
    from agent.config.files import DiskFiles, load_schema
    from agent.config.lint import Lint

    return Lint(files=DiskFiles(), schema=load_schema()).check(paths)


def _load_config(home: Path) -> Any:
    from agent.config.files import load_config

    return load_config(home)


def _effective(settings: Any) -> dict[str, object]:
    from agent.config.show import show_config

    return show_config(settings)


def _open_journal(spool: Path) -> Any:
    from agent.spool.journal import Journal

    # Read where no agent answers: it is down, or on its way up or down.
    return Journal(spool, is_worked_on=False)


def _open_link(home: Path) -> Any:
    from iadmin.link import unix_link

    return unix_link(home, is_held=lambda: _running_pid(home / "var" / "run" / "agent.pid") is not None)


class _Once:
    """One link for the whole command: a person is asked for a password once."""

    def __init__(self, open_remote: Callable[[Tools], Any]) -> None:
        self._open = open_remote
        self._link: Any = None

    def __call__(self, tools: Tools) -> Any:
        if self._link is None:
            self._link = self._open(tools)
        return self._link


def _open_remote(tools: Tools) -> Any:
    from iadmin.commands.adminkey import admin_key
    from iadmin.remote import remote_link

    assert tools.switches.connect is not None
    return remote_link(tools.switches.connect, admin_key(tools))


def _running_pid(path: Path) -> int | None:
    from agent.control.lock import running_pid

    return running_pid(path)


def _watch(pid: int) -> Any:
    from iadmin.commands.process import watch

    return watch(pid)


def _start_agent(home: Path) -> Any:
    from iadmin.commands.process import StartedAgent

    return StartedAgent(home)


def _post(url: str, content_type: str, body: bytes, **facts: Any) -> Any:
    from iadmin.commands.sending import post

    return post(url, content_type, body, **facts)


def _edit_file(path: Path) -> None:
    from iadmin.commands.editor import edit_file

    edit_file(path, os.environ)


def _safe_files() -> Any:
    from keystoretools import files

    return files


def _command(name: str) -> str:
    """The name where the shell finds this very program by it, else the path: a fresh environment is not on PATH."""
    import shutil

    beside = Path(os.path.abspath(sys.argv[0])).with_name(name)  # noqa: PTH100 - links of an environment stay
    found = shutil.which(name)
    if not beside.exists() or (found is not None and Path(found).resolve() == beside.resolve()):
        return name
    return quote(str(beside))


def _machine_names() -> Sequence[str]:
    import socket

    host, full = socket.gethostname(), socket.getfqdn()
    return list(dict.fromkeys(name.lower() for name in (full, host) if name and name != "localhost"))


def _key_material(home: Path, gateway: Any) -> Any:
    """What this gateway would serve, read and checked as the agent does it."""
    from datetime import UTC, datetime

    from agent.config.homekey import open_secret
    from agent.gateway.keeper import Keeper
    from agent.gateway.supply import KeySupply
    from agent.storepassword import find_store_password
    from keystoretools import files

    folder = home / "var" / "tls"
    supply = KeySupply(
        read=lambda path: files.load(Path(path)),
        folder=folder,
        now=lambda: datetime.now(UTC),
        password=find_store_password(os.environ),
        opened=partial(open_secret, home),
    )
    keeper = Keeper(config=gateway, supply=supply)
    material = keeper.load().material
    if material.is_selfmade and os.geteuid() == 0:
        # Root has just made it, and the agent runs as the one who owns the home.
        owner = home.stat()
        for path in (folder, keeper.own_path):
            os.chown(path, owner.st_uid, owner.st_gid)
    return material


def _machine() -> Any:
    from agent.gateway.portowner import find_owner
    from iadmin.machine import Machine

    return Machine(find_owner=find_owner)


def _screen() -> Any:
    from iadmin.screen import Screen

    return Screen()


def _trials() -> Any:
    from iadmin.rehearsing import ProcessTrials

    return ProcessTrials()


def _follow(path: Path) -> Any:
    from contextlib import closing

    from iadmin.following import FollowedLog

    return closing(FollowedLog(path))


def _prober() -> Any:
    from iadmin.probe import TlsProber

    return TlsProber(environ=os.environ)


def _walker(settings: Any) -> Any:
    from datetime import UTC, datetime

    import attrs

    from agent.config.homekey import open_secret
    from agent.config.model import HttpDestination
    from agent.storepassword import find_store_password
    from agent.upstream.material import context_of
    from agent.upstream.trust import TrustedPeer
    from iadmin.hops import Walker
    from keystoretools import files

    password = find_store_password(os.environ)
    rules = {one.name: one.tls for one in settings.destinations if isinstance(one, HttpDestination)}

    def tls_for(route: HopRoute, judge: Judge, *, is_proxys: bool) -> Any:
        """As the sender does it: pins are the destination's own certificates, a proxy has another one."""
        own = rules[route.destination]
        context = context_of(
            own,
            read=lambda path: files.load(Path(path)),
            password=None if password is None else password.secret,
            now=datetime.now(UTC),
            opened=partial(open_secret, Path(settings.home)),
        )
        if is_proxys:
            peer = TrustedPeer(context=context, host=route.proxy_host, rules=attrs.evolve(own, fingerprints=()))
        else:
            peer = TrustedPeer(context=context, host=route.host, rules=own, via=route.proxy_host)
        return peer.clientConnectionForTLS(judge)  # type: ignore[arg-type]

    return Walker(tls_for=tls_for)


def _code_time(service: Any) -> float:
    from agent.host.scriptfiles import stamps_of

    return max((changed_ns for _, changed_ns, _, _ in stamps_of(service)), default=0) / 1e9


def _open_secret(home: Path, path: Path, data: bytes) -> Any:
    from agent.config.homekey import open_secret

    return open_secret(home, path, data)


def _proxy_of(destination: Any) -> Any:
    """The proxy on the way, None where it is bypassed."""
    from urllib.parse import urlsplit

    from agent.upstream.proxy import is_bypassed

    parts = urlsplit(destination.url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme.lower()]
    proxy = destination.proxy
    return None if proxy is None or is_bypassed(parts.hostname or "", port, proxy.no_proxy) else proxy


def _login_fields(destination: Any) -> Any:
    from agent.upstream.login import fields_of

    return fields_of(destination.credentials)


def _exposures(home: Path) -> Any:
    from agent.config.permissions import exposures

    return exposures(home)


def _open_changes(home: Path) -> Any:
    from iadmin.alone import open_changes

    return open_changes(home)


def _open_upkeep(home: Path, *, alone: bool) -> Any:
    from iadmin.alone import open_upkeep

    return open_upkeep(home, alone=alone)

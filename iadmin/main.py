"""`iadmin`: arguments -> command -> outcome -> text or JSON -> exit status.

The one place where failures of any kind become a sentence and an exit status, and where commands are wired to the
edges. Imports are as late as they can be: `iadmin --version` and `--help` load click and nothing of ours but names.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from agent.errors import AgentError, ExitStatus, MachineError
from iadmin.commands.lazy import LazyGroup, Switches, switch_options

if TYPE_CHECKING:
    from pathlib import Path

    from iadmin.commands.tools import LetterChanges, SpoolUpkeep, Tools
    from iadmin.model import Outcome

COMMANDS: Final = {
    "init": ("iadmin.commands.init:init", "Make a new agent home in DIR."),
    "config": ("iadmin.commands.config:config", "Check and show the configuration."),
    "status": ("iadmin.commands.agent:status", "Show the agent's state on one page."),
    "service": ("iadmin.commands.service:service", "Look at integration services."),
    "destination": ("iadmin.commands.destination:destination", "Where services send to: list, check, pause, send."),
    "keystore": ("iadmin.commands.keystore:keystore", "Keys and certificates: explain, import, create, check."),
    "secret": ("iadmin.commands.secret:secret", "Make credentials for senders: passwords, tokens, keys."),
    "tls": ("iadmin.commands.tls:tls", "HTTPS: switch it, check it, see who fails at it."),
    "event": ("iadmin.commands.event:event", "Look at events, and send one."),
    "deadletter": ("iadmin.commands.deadletter:deadletter", "What could not be processed: look, mend, replay."),
    "spool": ("iadmin.commands.spool:spool", "Check, count, compact and mend the store of events."),
    "reload": ("iadmin.commands.reload:reload", "Let the running agent take over the changed configuration."),
    "stop": ("iadmin.commands.agent:stop", "Stop the agent and wait until it is gone."),
    "completion": ("iadmin.commands.completion:completion", "Print the completion script for SHELL."),
}
"""Name -> where it is, and what help says of it (the same sentence as the command's own help; a test compares)."""

INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""128 + signal number, as shells report a command that SIGINT or SIGPIPE ended: that is what it comes to."""

BuildTools = Callable[[Switches], "Tools"]


def main(argv: Sequence[str] | None = None, *, build: BuildTools | None = None) -> int:
    """Run one command and return its exit status; `build` makes the tools, the real ones where it is None."""
    switches = Switches()
    for stream in (sys.stdout, sys.stderr):
        # An ellipsis on a terminal that cannot show one must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv), switches, build or _real_tools)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough. Nothing more may be written, also not by the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _run(arguments: list[str], switches: Switches, build: BuildTools) -> int:
    try:
        result = _cli(switches, build).main(arguments, "iadmin", standalone_mode=False, obj=switches)
        # click returns an exit status instead of a result where it has answered itself (--help, --version).
        return result if isinstance(result, int) else _show(result, switches)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "iadmin"
        sentence = f'{error.format_message().rstrip(".")}; see "{where} --help"'
        return _fail("usage", (sentence,), ExitStatus.USAGE, switches)
    except click.ClickException as error:
        return _fail("usage", (error.format_message(),), ExitStatus.USAGE, switches)
    except AgentError as error:
        return _fail(error.code, error.lines, error.exit_status, switches)
    except (KeyboardInterrupt, click.Abort):
        click.echo("", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f"{str(error.filename)!r}: " if error.filename else ""
        return _fail("os-error", (f"{place}{error.strerror or error}",), _os_status(error), switches)
    except Exception as error:
        sentence = (
            f"iadmin itself failed, which is a fault of ours: {type(error).__name__}: {error}; "
            "run it again with --debug and report what it shows"
        )
        return _fail("internal", (sentence,), ExitStatus.SOFTWARE, switches)


def _cli(switches: Switches, build: BuildTools) -> click.Group:
    """The root command. Made anew for each run: what it hands on belongs to the run."""

    @click.group(cls=LazyGroup, lazy=COMMANDS)
    @click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show it.")
    @click.pass_context
    def iadmin(ctx: click.Context) -> None:
        """Run the integration agent: make a home, look at it, send to it, stop it."""
        ctx.obj = build(switches)

    iadmin.params = [*switch_options(), *iadmin.params]
    return iadmin


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"iadmin {version('integration-agent')}")
    except PackageNotFoundError:
        click.echo("iadmin (not installed: run from its source tree)")
    ctx.exit()


def _show(outcome: Outcome, switches: Switches) -> int:
    from iadmin.render import Script, draw, for_home, page, safe, said_for

    home = switches.home or ""
    blocks = said_for(home, outcome.blocks)
    for note in outcome.notes:
        click.echo(f"iadmin: {safe(for_home(note, home))}", err=True)
    if switches.as_json:
        click.echo(json.dumps(outcome.data, indent=2))
    elif sys.stdout.isatty() and not any(isinstance(block, Script) for block in blocks):
        draw(blocks)
    else:
        click.echo(page(blocks), nl=False)
    return outcome.exit_status


def _fail(code: str, lines: Sequence[str], status: ExitStatus, switches: Switches) -> int:
    from iadmin.render import for_home, safe

    if switches.debug and sys.exc_info()[0] is not None:
        traceback.print_exc()
    for line in lines:
        click.echo(f"iadmin: {safe(for_home(line, switches.home or ''))}", err=True)
    if switches.as_json:
        click.echo(
            json.dumps({"error": {"code": code, "sentences": list(lines), "exit_status": int(status)}}, indent=2)
        )
    return status


def _os_status(error: OSError) -> ExitStatus:
    if isinstance(error, PermissionError):
        return ExitStatus.NO_PERMISSION
    return ExitStatus.NO_INPUT if isinstance(error, FileNotFoundError) else ExitStatus.IO_ERROR


def _real_tools(switches: Switches) -> Tools:
    """Wire the commands to the edges; each edge is imported when a command reaches for it."""
    from datetime import datetime
    from pathlib import Path

    from iadmin.commands.tools import Tools

    def template(folder: str) -> Any:
        from agent.templates import template

        return template(folder)

    def load_config(home: Path) -> Any:
        from agent.config.files import load_config

        return load_config(home)

    def effective(settings: Any) -> dict[str, object]:
        from agent.config.show import show_config

        return show_config(settings)

    def open_journal(spool: Path) -> Any:
        from agent.spool.journal import Journal

        return Journal(spool)

    def open_link(home: Path) -> Any:
        from iadmin.link import unix_link

        return unix_link(home)

    def running_pid(path: Path) -> int | None:
        from agent.control.lock import running_pid

        return running_pid(path)

    def watch(pid: int) -> Any:
        from iadmin.commands.process import watch

        return watch(pid)

    def post(url: str, content_type: str, body: bytes, **facts: Any) -> Any:
        from iadmin.commands.sending import post

        return post(url, content_type, body, **facts)

    def edit_file(path: Path) -> None:
        from iadmin.commands.editor import edit_file

        edit_file(path, os.environ)

    def safe_files() -> Any:
        from keystoretools import files

        return files

    def machine_names() -> Sequence[str]:
        import socket

        host, full = socket.gethostname(), socket.getfqdn()
        return list(dict.fromkeys(name.lower() for name in (full, host) if name and name != "localhost"))

    return Tools(
        switches=switches,
        environ=os.environ,
        cwd=Path.cwd(),
        stdin=sys.stdin.buffer,
        now=lambda: datetime.now().astimezone(),
        template=template,
        load_config=load_config,
        exposures=_exposures,
        effective=effective,
        open_journal=open_journal,
        open_link=open_link,
        running_pid=running_pid,
        watch=watch,
        post=post,
        working=_working,
        progress=_progress,
        ask=_ask,
        edit_file=edit_file,
        open_changes=_open_changes,
        open_upkeep=_open_upkeep,
        safe_files=safe_files,
        ask_secret=_ask_secret,
        machine_names=machine_names,
        key_material=_key_material,
        prober=_prober,
        walker=_walker,
        login_fields=_login_fields,
        proxy_of=_proxy_of,
    )


def _key_material(home: Path, gateway: Any) -> Any:
    """What this gateway would serve, read and checked as the agent does it."""
    from datetime import UTC, datetime
    from pathlib import Path

    from agent.gateway.keeper import Keeper, KeySupply
    from agent.secret import Secret
    from keystoretools import files

    password = os.environ.get("IA_KEYSTORE_PASSWORD")
    folder = home / "var" / "tls"
    supply = KeySupply(
        read=lambda path: files.load(Path(path)),
        folder=folder,
        now=lambda: datetime.now(UTC),
        password=None if password is None else Secret(password),
    )
    keeper = Keeper(config=gateway, supply=supply)
    material = keeper.load().material
    if material.is_selfmade and os.geteuid() == 0:
        # Root has just made it, and the agent runs as the one who owns the home.
        owner = home.stat()
        for path in (folder, keeper.own_path):
            os.chown(path, owner.st_uid, owner.st_gid)
    return material


def _prober() -> Any:
    from iadmin.probe import TlsProber

    return TlsProber(environ=os.environ)


def _walker(settings: Any) -> Any:
    from datetime import UTC, datetime
    from pathlib import Path

    from agent.config.model import HttpDestination
    from agent.secret import Secret
    from agent.upstream.material import context_of
    from agent.upstream.trust import TrustedPeer
    from iadmin.hops import Judge, Walker
    from iadmin.model import HopRoute
    from keystoretools import files

    password = os.environ.get("IA_KEYSTORE_PASSWORD")
    rules = {one.name: one.tls for one in settings.destinations if isinstance(one, HttpDestination)}

    def tls_for(route: HopRoute, judge: Judge) -> Any:
        """As the sender does it."""
        own = rules[route.destination]
        context = context_of(
            own,
            read=lambda path: files.load(Path(path)),
            password=None if password is None else Secret(password),
            now=datetime.now(UTC),
        )
        peer = TrustedPeer(context=context, host=route.host, rules=own, via=route.proxy_host)
        return peer.clientConnectionForTLS(judge)  # type: ignore[arg-type]

    return Walker(tls_for=tls_for)


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


def _ask_secret(question: str) -> str | None:
    """Ask without echo; None where standard input is no terminal: a script must not hang on a question."""
    import getpass

    return getpass.getpass(question) if sys.stdin.isatty() else None


@contextlib.contextmanager
def _open_changes(home: Path) -> Iterator[LetterChanges]:
    """The spool's files, changed by ourselves while we hold the lock that an agent would hold."""
    import time

    from agent.spool.offline import OfflineSpool
    from iadmin.commands.letters import OfflineChanges

    with _locked(home), OfflineSpool(home / "var" / "spool", now_us=lambda: time.time_ns() // 1000) as spool:
        yield OfflineChanges(spool)


@contextlib.contextmanager
def _open_upkeep(home: Path, *, alone: bool) -> Iterator[SpoolUpkeep]:
    """The spool's files, looked at beside an agent or changed in its place."""
    import time

    from agent.spool.upkeep import Upkeep

    with _locked(home) if alone else contextlib.nullcontext():
        yield Upkeep(home / "var" / "spool", now_us=lambda: time.time_ns() // 1000)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """The lock that an agent would hold."""
    from agent.control.lock import HomeLock

    lock = HomeLock(home / "var" / "run" / "agent.pid")
    try:
        lock.acquire()
    except MachineError as error:
        if error.code != "already-running":
            raise
        raise MachineError(
            "home-in-use",
            f"an agent on {home} starts or stops just now, or another iadmin works there; say the same again",
            exit_status=ExitStatus.TEMPORARY,
        ) from error
    try:
        yield
    finally:
        lock.release()


def _ask(question: str) -> bool | None:
    """Ask on standard error, for standard output is for the answer; None where no person is there."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    from iadmin.render import safe

    return click.confirm(safe(question), default=False, err=True)


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar where a person looks at standard error, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False, emoji=False), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _working(what: str) -> Any:
    """A spinner where a person looks at standard error, silence elsewhere."""
    if not sys.stderr.isatty():
        return contextlib.nullcontext()
    from rich.console import Console

    return Console(stderr=True, markup=False, emoji=False).status(what)


if __name__ == "__main__":
    sys.exit(main())

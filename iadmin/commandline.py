"""`iadmin`: arguments -> command -> outcome -> text or JSON -> exit status.

The one place where failures of any kind become a sentence and an exit status. Imports are as late as they can be:
`iadmin --version` and `--help` load click and nothing of ours but names.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import click

from agent.errors import AgentError, ExitStatus
from iadmin.commands.lazy import LazyGroup, Switches, switch_options

if TYPE_CHECKING:
    from iadmin.commands.tools import Tools
    from iadmin.model import Outcome

COMMANDS: Final = {
    "init": ("iadmin.commands.init:init", "Make a new agent home in DIR."),
    "config": ("iadmin.commands.config:config", "Check and show the configuration."),
    "status": ("iadmin.commands.agent:status", "Show the agent's state on one page."),
    "top": (
        "iadmin.commands.top:top",
        "Show who has most to do: services and destinations by rate, time and backlog.",
    ),
    "tail": ("iadmin.commands.tail:tail", "Show log lines and what happens to events, as it comes."),
    "service": ("iadmin.commands.service:service", "Look at integration services, begin one, try one."),
    "destination": ("iadmin.commands.destination:destination", "Where services send to: list, check, pause, send."),
    "keystore": ("iadmin.commands.keystore:keystore", "Keys and certificates: explain, import, create, check."),
    "secret": ("iadmin.commands.secret:secret", "Make credentials for senders: passwords, tokens, keys."),
    "tls": ("iadmin.commands.tls:tls", "HTTPS: switch it, check it, see who fails at it."),
    "event": ("iadmin.commands.event:event", "Look at events, and send one."),
    "deadletter": ("iadmin.commands.deadletter:deadletter", "What could not be processed: look, mend, replay."),
    "spool": ("iadmin.commands.spool:spool", "Check, count, compact and mend the store of events."),
    "reload": ("iadmin.commands.reload:reload", "Let the running agent take over what has changed."),
    "suspend": ("iadmin.commands.suspending:suspend", "Begin no more events of SERVICE; what is in hand ends first."),
    "suspend-now": ("iadmin.commands.suspending:suspend_now", "Suspend SERVICE, and interrupt what is in hand."),
    "resume": ("iadmin.commands.suspending:resume", "Let a suspended SERVICE go on with what waits."),
    "purge": ("iadmin.commands.suspending:purge", "Delete all events that wait for a suspended SERVICE."),
    "get-status": (
        "iadmin.commands.getstatus:get_status",
        "Print the status in the layout of the original, for scripts that search it.",
    ),
    "display-settings": ("iadmin.commands.settings:display_settings", "Show what is in force in the running agent."),
    "get-log-level": (
        "iadmin.commands.settings:get_log_level",
        "Show the least important lines that the running agent logs.",
    ),
    "set-log-level": (
        "iadmin.commands.settings:set_log_level",
        "Log more or less from now on: debug, info, warn or error.",
    ),
    "start": ("iadmin.commands.running:start", "Start the agent in the background and wait until it is up."),
    "restart": (
        "iadmin.commands.running:restart",
        "Stop the agent and start it again; with SERVICE, only the worker of that service.",
    ),
    "stop": ("iadmin.commands.running:stop", "Stop the agent and wait until it is gone."),
    "doctor": ("iadmin.commands.doctor:doctor", "Run every check there is: what is wrong, and what mends it."),
    "backup": ("iadmin.commands.backup:backup", "Write the home into FILE (.tar.gz), also while the agent runs."),
    "restore": ("iadmin.commands.backup:restore", "Make a home in DIR of FILE, a backup."),
    "install-unit": ("iadmin.commands.install_unit:install_unit", "Make the agent a service of systemd."),
    "man": ("iadmin.commands.man:man", "Print the manual page of COMMAND, or write all pages."),
    "completion": ("iadmin.commands.completion:completion", "Print the completion script for SHELL."),
}
"""Name -> where it is, and what help says of it (the same sentence as the command's own help; a test compares)."""

INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""128 + signal number, as shells report a command that SIGINT or SIGPIPE ended: that is what it comes to."""

BuildTools = Callable[[Switches], "Tools"]


def run_command(argv: Sequence[str], *, build: BuildTools | None = None) -> int:
    """Run one command and return its exit status; `build` makes the tools, the real ones where it is None."""
    switches = Switches()
    for stream in (sys.stdout, sys.stderr):
        # An ellipsis on a terminal that cannot show one must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(list(argv), switches, build or _real_tools)
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
        # click breaks the line before the words that there are to choose from.
        sentence = f'{" ".join(error.format_message().split()).rstrip(".")}; see "{where} --help"'
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
    except UnicodeError as error:
        if not any(_is_no_text(word) for word in arguments):
            return _fault_of_ours(error, switches)
        # As the shell hands over bytes of another encoding; file names may have them, what goes into XML may not.
        words = ", ".join(repr(word) for word in arguments if _is_no_text(word))
        return _fail("usage", (f"{words} on the command line is not UTF-8 text",), ExitStatus.USAGE, switches)
    except OSError as error:
        place = f"{str(error.filename)!r}: " if error.filename else ""
        return _fail("os-error", (f"{place}{error.strerror or error}",), _os_status(error), switches)
    except Exception as error:
        return _fault_of_ours(error, switches)


def _is_no_text(word: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in word)


def _fault_of_ours(error: Exception, switches: Switches) -> int:
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
    from iadmin.render import Script, draw, page, said_for
    from iadmin.text import for_home, safe

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
    from iadmin.text import for_home, safe

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
    from iadmin.wiring import real_tools

    return real_tools(switches)

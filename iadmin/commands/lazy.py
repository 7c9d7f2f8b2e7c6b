"""Command groups that import a command only when it is asked for, and that know what a typing mistake meant.

click 8.2 and later suggest names by themselves; the older ones that we allow do not, so it is done here for all.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

import click

from agent.errors import ExitStatus

CONTEXT_SETTINGS: Final = {"help_option_names": ["-h", "--help"]}


class Switches:
    """The options that may stand before or after the command. The paths are as typed, None when absent."""

    def __init__(self) -> None:
        self.home: str | None = None
        self.connect: str | None = None
        self.keystore: str | None = None
        self.keystore_password_file: str | None = None
        self.as_json = False
        self.debug = False


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "list"?)` when a known word is close, else an empty text."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f' (did you mean "{close[0]}"?)' if close else ""


class Group(click.Group):
    """A group whose unknown commands are answered with the nearest known one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", CONTEXT_SETTINGS)
        # `parse_args` below shows the help; click's own way differs between its versions in stream and exit status.
        kwargs["no_args_is_help"] = False
        super().__init__(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitStatus.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            self._unknown(ctx, name)
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, name: str) -> NoReturn:
        known = self.list_commands(ctx)
        ctx.fail(f"there is no command {name!r}{nearest(name, known)}; there are {', '.join(known)}")


class LazyGroup(Group):
    """A group that knows its commands by module path and by the sentence that help shows."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in self._lazy.items()])


class Command(click.Command):
    """A command that also takes the common options behind its name, where people type them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", CONTEXT_SETTINGS)
        super().__init__(*args, **kwargs)
        # What a command calls so itself has its own meaning there: `keystore list --keystore FILE`.
        own = {name for parameter in self.params for name in parameter.opts}
        self.params = [*self.params, *(one for one in switch_options() if not own & set(one.opts))]


def switch_options() -> Sequence[click.Option]:
    """The common options. They are eager, so that a failure to parse the rest is already reported as they ask."""

    def option(names: Sequence[str], attribute: str, sentence: str, **kwargs: Any) -> click.Option:
        def note(ctx: click.Context, _: click.Parameter, value: Any) -> None:
            switches = switches_of(ctx)
            if value and switches is not None:
                setattr(switches, attribute, value)

        return click.Option(names, expose_value=False, is_eager=True, callback=note, help=sentence, **kwargs)

    return (
        option(["--home"], "home", "Agent home (default: $IA_HOME, else ./home).", metavar="DIR"),
        option(["--connect"], "connect", "An agent on another machine, by its admin gateway.", metavar="HOST:PORT"),
        option(["--keystore"], "keystore", "With --connect: the keystore with the key apia.", metavar="FILE"),
        option(
            ["--keystore-password-file"],
            "keystore_password_file",
            "With --connect: file with its password (else $IA_KEYSTORE_PASSWORD, else the default one, else asked).",
            metavar="FILE",
        ),
        option(["--json"], "as_json", "Answer with one JSON document.", is_flag=True),
        option(["--debug"], "debug", "Show the traceback of a failure.", is_flag=True),
    )


def switches_of(ctx: click.Context) -> Switches | None:
    """The switches of this run: the context's object until the root command has made the tools that hold them."""
    found = ctx.find_root().obj
    switches = getattr(found, "switches", found)
    return switches if isinstance(switches, Switches) else None

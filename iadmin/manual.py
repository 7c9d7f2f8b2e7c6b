"""Manual pages from the commands themselves: `man(7)` macros, one page for `iadmin` and one per noun.

A page says what `--help` says, so that it cannot grow old: names, arguments, options and sentences come from click.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent

import click

SHARED = frozenset({"--home", "--json", "--debug", "--help"})
"""Options that each command has: told once, on the first page."""
VERBATIM = "\b"
"""click's mark above a paragraph whose lines stay as they are."""


def roff(text: str) -> str:
    """Text as roff shows it: backslashes, hyphens that are minus signs, and no line that begins a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", escaped)


def page(root: click.Group, name: str, *, version: str) -> str:
    """The page of `iadmin NAME`, or of iadmin itself where the name is empty; `KeyError` where there is no such one."""
    context = click.Context(root, info_name="iadmin")
    if not name:
        return "\n".join(_root_page(root, context, version)) + "\n"
    command = root.get_command(context, name)
    if command is None:
        raise KeyError(name)
    return "\n".join(_noun_page(command, click.Context(command, context, info_name=name), version)) + "\n"


def _root_page(root: click.Group, context: click.Context, version: str) -> Iterator[str]:
    yield from _title("iadmin", root, version)
    yield ".SH SYNOPSIS"
    yield f".B iadmin\n{roff('[--home DIR] [--json] [--debug] COMMAND ...')}"
    yield ".SH DESCRIPTION"
    yield from _prose(root.help or "")
    yield ".SH COMMANDS"
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        yield f".TP\n.BR iadmin\\-{roff(name)} (1)\n{roff(command.get_short_help_str(200))}"
    yield ".SH OPTIONS"
    yield from _options(root, context, shared=True)
    yield ".SH ENVIRONMENT"
    yield f".TP\n.B IA_HOME\n{roff('The agent home where --home is not given.')}"
    yield f".TP\n.B IA_KEYSTORE_PASSWORD\n{roff('Opens keystores whose password stands in no file.')}"
    yield ".SH EXIT STATUS"
    yield roff(
        "0 when all went well; otherwise one of sysexits.h: 64 usage, 65 data, 66 no such input, 69 unavailable, "
        "70 a fault of the program, 73 cannot create, 74 input or output, 75 try again, 77 no permission, "
        "78 configuration; 130 after Ctrl-C."
    )


def _noun_page(command: click.Command, context: click.Context, version: str) -> Iterator[str]:
    title = context.command_path
    yield from _title(title.replace(" ", "-"), command, version)
    yield ".SH SYNOPSIS"
    for path, one, own in _leaves(command, context, title):
        yield f".B {roff(path)}\n{roff(' '.join(one.collect_usage_pieces(own)))}\n.br"
    yield ".SH DESCRIPTION"
    yield from _prose(command.help or "")
    if not isinstance(command, click.Group):
        yield from _section(".SH OPTIONS", command, context)
        return
    for path, one, own in _leaves(command, context, title):
        yield f".SH {roff(path.upper())}"
        yield from _prose(one.help or "")
        yield from _section(".SS Options", one, own)
    yield f".SH SEE ALSO\n.BR iadmin (1)\n{roff('has the options that every command takes.')}"


def _title(name: str, command: click.Command, version: str) -> Iterator[str]:
    yield f'.TH "{roff(name.upper())}" 1 "" "{roff(f"integration-agent {version}")}"'
    yield f".SH NAME\n{roff(name)} \\- {roff(command.get_short_help_str(200))}"


def _leaves(
    command: click.Command, context: click.Context, path: str
) -> Iterator[tuple[str, click.Command, click.Context]]:
    if not isinstance(command, click.Group):
        yield path, command, context
        return
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        assert one is not None
        yield from _leaves(one, click.Context(one, context, info_name=name), f"{path} {name}")


def _section(heading: str, command: click.Command, context: click.Context) -> Iterator[str]:
    told = list(_options(command, context, shared=False))
    if told:
        yield heading
        yield from told


def _options(command: click.Command, context: click.Context, *, shared: bool) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and (shared or SHARED.isdisjoint(parameter.opts)):
            yield f".TP\n.B {roff(record[0])}\n{roff(record[1])}"


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; those below click's mark keep their lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.strip("\n").split("\n")
        yield ".PP"
        if lines[0].strip() == VERBATIM:
            yield from (".nf", roff(dedent("\n".join(lines[1:]))), ".fi")
        else:
            yield roff(" ".join(line.strip() for line in lines))

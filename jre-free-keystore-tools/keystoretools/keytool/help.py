"""keytool's help texts, printed from the table in `options`."""

from __future__ import annotations

from keystoretools.keytool.options import COMMANDS, OPTIONS, WRITES_FILE, Command

_LAST = 'Use "keytool -?, -h, or --help" for this help message\n'


def overview() -> str:
    """The list of commands."""
    lines = [f" -{command.name:<19}{command.words}\n" for command in COMMANDS.values() if not command.hidden]
    return (
        "Key and Certificate Management Tool\n\nCommands:\n\n"
        + "".join(lines)
        + "\n"
        + _LAST
        + 'Use "keytool -command_name --help" for usage of command_name.\n'
        + "Use the -conf <url> option to specify a pre-configured options file.\n"
    )


def of_command(command: Command) -> str:
    """The options of one command, words aligned behind the longest."""
    heads = [_head(name) for name in command.options]
    width = max(map(len, heads)) + 2
    lines = []
    for name, head in zip(command.options, heads, strict=True):
        words = "output file name" if name == "file" and command.name in WRITES_FILE else OPTIONS[name][1]
        lines.append(f" {head:<{width}}{words}\n")
        if name in ("addprovider", "providerclass"):
            lines.append(f"   {'[-providerarg <arg>]':<{width}}configure argument for -{name}\n")
    return f"keytool -{command.name} [OPTION]...\n\n{command.words}\n\nOptions:\n\n{''.join(lines)}\n{_LAST}"


def _head(name: str) -> str:
    placeholder = OPTIONS[name][0]
    return f"-{name} <{placeholder}>" if placeholder else f"-{name}"

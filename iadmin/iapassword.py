"""`iapassword`: writes the encrypted password files of a home, with the options and the texts of the original.

Beyond the original, a password need not stand on the command line, where every account of the machine can read it:
`--new` and `--old` without a value, or with `-`, ask on the terminal, or read a line of standard input each.
"""

from __future__ import annotations

import getpass
import hmac
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO

import attrs

from agent.config.homekey import ensure_key, write_secret
from agent.config.passwordfile import FileKind, kind_of, seal, unseal
from agent.config.passwords import MAX_PASSWORD_FILE_BYTES, password_in
from agent.errors import AgentError, ExitStatus, OperatorError
from apclient.streams import fill_streams

USAGE: Final = "Usage: iapassword --new <new_password> [--old <old_password>] [--file </path/to/pwd/file>]"
BAD_ARGUMENT: Final = 35
"""The original's exit code for arguments it does not understand."""
DEFAULT_FILE: Final = "conf/.passwd"
OPTIONS: Final = ("--new", "--old", "--file", "--home")
HELP: Final = f"""{USAGE}

Writes an encrypted password file. --file is relative to the agent home (default: {DEFAULT_FILE}); --old is needed, and
checked, when the file exists already. --new and --old without a password, or with "-", ask for it on the terminal, or
read a line of standard input each: the new one first. The home is --home DIR, else $IA_HOME, else the folder above
bin/ where this program is there, else this folder or ./home.
"""


@attrs.frozen(kw_only=True)
class Arguments:
    """The command line. A password of None is to be asked for; `has_old` tells whether `--old` was given at all."""

    new: str | None
    old: str | None = None
    has_old: bool = False
    file: str = DEFAULT_FILE
    home: str = ""


class Misused(Exception):
    """The command line is not understood; the text is the original's sentence, or empty."""


class _Aborted(Exception):
    """The operator was told; nothing was changed."""


@attrs.frozen(kw_only=True)
class Outside:
    """What the program needs of the world. `ask` shows a prompt and gives a line, None where nobody is there."""

    environ: Mapping[str, str]
    program: Path
    cwd: Path
    out: TextIO
    err: TextIO
    ask: Callable[[str], str | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return the exit status."""
    fill_streams()
    outside = Outside(
        environ=os.environ, program=Path(sys.argv[0]), cwd=_cwd(), out=sys.stdout, err=sys.stderr, ask=_ask
    )
    # Passwords are UTF-8, in whatever encoding the locale makes Python read them.
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    given = [os.fsencode(word).decode("utf-8", "surrogateescape") for word in sys.argv[1:]] if argv is None else argv
    return run(given, outside)


def run(argv: Sequence[str], outside: Outside) -> int:
    """`main`, with the outside given."""
    if "--help" in argv or "-h" in argv:
        print(HELP, end="", file=outside.out)
        return ExitStatus.OK
    try:
        _change(parse(argv), outside)
    except Misused as misused:
        _say(outside.err, *filter(None, [str(misused)]), USAGE)
        return BAD_ARGUMENT
    except _Aborted as aborted:
        _say(outside.err, str(aborted))
        return ExitStatus.FAILED
    except AgentError as error:
        _say(outside.err, *error.lines)
        return error.exit_status
    except OSError as error:
        _say(outside.err, f"{error.filename or 'the machine'}: {(error.strerror or str(error)).lower()}")
        return ExitStatus.NO_PERMISSION if isinstance(error, PermissionError) else ExitStatus.CANNOT_CREATE
    return ExitStatus.OK


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line; raise `Misused`. A password may begin with a hyphen, but not be called as an option."""
    given: dict[str, str | None] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name not in OPTIONS or name in given:
            raise Misused(f"Invalid argument: The [{word}] parameter is invalid.")
        if equals:
            given[name] = value
        elif words and words[0].partition("=")[0] not in OPTIONS:
            given[name] = words.pop(0)
        else:
            given[name] = None
    if "--new" not in given:
        raise Misused("Invalid argument: The [--new] parameter is missing." if given else "")
    for name in ("--file", "--home"):
        if not given.get(name, "."):
            raise Misused(f"Invalid argument: The [{name}] parameter is invalid.")
    new, old = (None if given.get(name) == "-" else given.get(name) for name in ("--new", "--old"))
    return Arguments(
        new=new,
        old=old,
        has_old="--old" in given,
        file=given.get("--file") or DEFAULT_FILE,
        home=given.get("--home") or "",
    )


def _change(arguments: Arguments, outside: Outside) -> None:
    home = _home(arguments, outside)
    path = Path(os.path.normpath(home / arguments.file.replace("\\", "/")))
    found = _existing(path)
    new = arguments.new
    if new is None:
        new = _asked(outside, "New password: ")
    if found is not None:
        _check_old(found, arguments, home, path, outside)
    try:
        data = seal(new, ensure_key(home, outside.environ))
    except ValueError as error:
        raise OperatorError("bad-password", f"{error}; nothing was changed", exit_status=ExitStatus.DATA) from None
    _say(outside.out, f"Saving password to {path}")
    try:
        write_secret(path, data)
    except OSError as error:  # which names the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from None
    _say(
        outside.out,
        "Password changed successfully. Please run iadmin reload all or restart the Integration Agent for your changes "
        "to take effect.",
    )


def _check_old(found: bytes, arguments: Arguments, home: Path, path: Path, outside: Outside) -> None:
    """Compare the old password where the file can be read; one that cannot be read guards nothing."""
    try:
        known = _known(found, home, outside.environ)
    except ValueError as error:
        _say(outside.out, f"{path} {error}: the old password cannot be checked, and is replaced.")
        return
    old = arguments.old
    if old is None and arguments.has_old:
        old = _asked(outside, "Old password: ")
    if not hmac.compare_digest((old or "").encode("utf-8", "surrogateescape"), known.encode()):
        raise _Aborted("Attempt to change password aborted: wrong password provided.")


def _known(data: bytes, home: Path, environ: Mapping[str, str]) -> str:
    """Return the password in a file that is there; raise `ValueError` with the end of a sentence for one that cannot
    be read."""
    kind = kind_of(data, may_be_plain=False)
    if kind is FileKind.OLD:
        raise ValueError("is an encrypted file of the original agent, whose key nobody has")
    if kind is FileKind.PLAIN:
        return password_in(data)
    try:
        return unseal(data, ensure_key(home, environ), name="").reveal()
    except ValueError:
        raise ValueError("was not made with the key of this home, or is damaged") from None


def _cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")  # the folder that it was started in is gone


def _existing(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PASSWORD_FILE_BYTES)
    except FileNotFoundError:
        return None


def _home(arguments: Arguments, outside: Outside) -> Path:
    # A link in the home's bin/ counts for the home, wherever the program itself is.
    beside = (outside.cwd / outside.program).parent
    named = arguments.home or outside.environ.get("IA_HOME", "")
    candidates = [Path(named)] if named else [beside.parent, Path(), Path("home")]
    for candidate in candidates if named or beside.name == "bin" else candidates[1:]:
        home = Path(os.path.normpath(outside.cwd / candidate))
        if (home / "conf").is_dir():
            return home
    told = f"{named} has no folder conf" if named else "no agent home was found"
    raise OperatorError(
        "no-home",
        f"{told}; name the home with --home DIR or in IA_HOME, or make one with: iadmin init DIR",
        exit_status=ExitStatus.NO_INPUT,
    )


def _asked(outside: Outside, prompt: str) -> str:
    line = outside.ask(prompt)
    if line is None:
        raise Misused("")
    return line


def _ask(prompt: str) -> str | None:
    if sys.stdin.isatty():
        first = getpass.getpass(prompt)
        if prompt.startswith("New") and getpass.getpass("Again: ") != first:
            raise OperatorError(
                "not-the-same", "the two are not the same; nothing was changed", exit_status=ExitStatus.DATA
            )
        return first
    line = sys.stdin.readline()
    return line.removesuffix("\n").removesuffix("\r") if line else None


def _say(stream: TextIO, *lines: str) -> None:
    for line in lines:
        print(line, file=stream)


if __name__ == "__main__":
    sys.exit(main())

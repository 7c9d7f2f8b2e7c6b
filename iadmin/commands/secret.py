"""`iadmin secret`: credentials of senders, hashed for the file that `<authentication>` names."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from agent.credential import MAX_NAME, SALT_BYTES, PasswordHash, hash_token, show_key
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.lazy import Command, Group
from iadmin.commands.passwords import given_password, new_password
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Facts, Line, Script

NEW_VARIABLE: Final = "IA_NEW_PASSWORD"
SECRET_BYTES: Final = 32

FILE = click.Path(path_type=Path)
name_argument = click.argument("name", metavar="NAME")
add_option = click.option(
    "--add", type=FILE, metavar="FILE", help="Add the line to FILE; a new one is made for you only."
)


@click.group(cls=Group)
def secret() -> None:
    """Make credentials for senders: passwords, tokens, keys."""


@secret.command(cls=Command)
@name_argument
@add_option
@click.option(
    "--password-file",
    type=FILE,
    metavar="FILE",
    help=f"File whose first line is the password (else ${NEW_VARIABLE}, else asked).",
)
@pass_tools
def password(tools: Tools, name: str, add: Path | None, password_file: Path | None) -> Outcome:
    """Hash a password for HTTP Basic.

    Prints the line for the senders file. Nobody can read the password back from it. A name may have two lines while
    its password is changed: both are good.
    """
    _require_name(name)
    given = given_password(tools, password_file, NEW_VARIABLE)
    if given is None:
        given = new_password(tools, f"Password of {name}", f"--password-file FILE or ${NEW_VARIABLE}")
    if not given.reveal():
        raise OperatorError("password-needed", "the password is empty; nothing was made", exit_status=ExitStatus.USAGE)
    line = f"{name}:{PasswordHash.make(given.reveal().encode(), secrets.token_bytes(SALT_BYTES))}"
    return _outcome(tools, name, line, add)


@secret.command(cls=Command)
@name_argument
@add_option
@pass_tools
def token(tools: Tools, name: str, add: Path | None) -> Outcome:
    """Make a bearer token.

    Prints the token, for the sender, and the line for the senders file. The token is shown this once: the file has
    only its digest.
    """
    _require_name(name)
    made = secrets.token_urlsafe(SECRET_BYTES)
    return _outcome(tools, name, f"{name}:{hash_token(made)}", add, {"token": made})


@secret.command(cls=Command)
@name_argument
@add_option
@pass_tools
def key(tools: Tools, name: str, add: Path | None) -> Outcome:
    """Make a key for signed requests.

    Prints the key in hexadecimal digits, as openssl takes it, and the line for the senders file. Both sides need the
    key itself: keep the file as you would keep a password.
    """
    _require_name(name)
    made = secrets.token_bytes(SECRET_BYTES)
    return _outcome(tools, name, f"{name}:{show_key(made)}", add, {"key": made.hex()})


def _outcome(
    tools: Tools, name: str, line: str, file: Path | None, for_sender: Mapping[str, str] | None = None
) -> Outcome:
    shown = for_sender or {}
    data: dict[str, object] = {"name": name, **shown}
    if file is None:
        pairs = (*shown.items(), ("line", line))
        return Outcome(data={**data, "line": line}, blocks=(Facts(pairs=pairs) if shown else Script(line),))
    others = _add(tools.cwd / file, name, line)
    blocks = [Line(f"Added {name!r} to {file}; it counts from the agent's next start or reload.", "good")]
    if others:
        blocks.append(
            Line(f"{name!r} has {others} more in that file; take out what shall not be good any more.", "warn")
        )
    return Outcome(
        data={**data, "file": str(file), "others": others},
        blocks=(*([Facts(pairs=tuple(shown.items()))] if shown else []), *blocks),
    )


def _add(path: Path, name: str, line: str) -> int:
    """Append a line, in one write; return how many of that name are there already. Raises `OSError`."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "r+b") as file:
        found = file.read()
        gap = "" if not found or found.endswith(b"\n") else "\n"
        file.write(f"{gap}{line}\n".encode())
        file.flush()
        os.fsync(handle)
    return sum(each.strip().startswith(f"{name}:".encode()) for each in found.splitlines())


def _require_name(name: str) -> None:
    if not name or len(name) > MAX_NAME or ":" in name or name != name.strip() or not name.isprintable():
        raise OperatorError(
            "bad-name",
            f"{name!r} is not the name of a sender: at most {MAX_NAME} characters, no colon, no blanks at its ends",
            exit_status=ExitStatus.USAGE,
        )
    if name.startswith("#"):
        raise OperatorError(
            "bad-name", f"{name!r} would begin a comment; choose another name", exit_status=ExitStatus.USAGE
        )

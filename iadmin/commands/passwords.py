"""Passwords for commands: from files, from the environment, from a person; never from the command line.

A command line is seen by every user of the machine (`ps`) and stays in the shell's history.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.tools import Tools
from keystoretools import Limits, Password

LEAST: Final = 6
"""keytool opens no store for writing whose password is shorter."""
TRIES: Final = 3


def first_line(tools: Tools, file: Path) -> Password:
    """The first line of a password file, without its line end, UTF-8. Raises `KeystoreError`, `OperatorError`."""
    data = tools.safe_files().load(tools.cwd / file)
    try:
        text = data.split(b"\n", 1)[0].removesuffix(b"\r").decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OperatorError(
            "password-file",
            f"{str(file)!r} is not UTF-8 text; write the password into its first line",
            exit_status=ExitStatus.DATA,
        ) from None
    if len(text) > Limits().salt_bytes:
        raise OperatorError(
            "password-file",
            f"the first line of {str(file)!r} has {len(text)} characters; that is no password",
            exit_status=ExitStatus.DATA,
        )
    return Password(text)


def given_password(tools: Tools, file: Path | None, variable: str) -> Password | None:
    """The password of a file option, else of an environment variable, else None."""
    if file is not None:
        return first_line(tools, file)
    found = tools.environ.get(variable)
    return None if found is None else Password(found)


def new_password(tools: Tools, what: str, instead: str) -> Password:
    """Ask a person twice. Raises `OperatorError` where nobody is there; `instead` says how to give it then."""
    for _ in range(TRIES):
        first = tools.ask_secret(f"{what}: ")
        if first is None:
            raise OperatorError(
                "password-needed", f"{what.lower()} is needed; give it with {instead}", exit_status=ExitStatus.USAGE
            )
        if len(first) >= LEAST and tools.ask_secret(f"{what}, again: ") == first:
            return Password(first)
    raise OperatorError(
        "password-needed",
        f"the password has fewer than {LEAST} characters, or was not the same when typed again; nothing was changed",
        exit_status=ExitStatus.USAGE,
    )


def require_long_enough(password: Password) -> Password:
    """Raise `OperatorError` for a new password that keytool would not take."""
    if len(password.reveal()) < LEAST:
        raise OperatorError(
            "password-too-short",
            f"the new password has {len(password.reveal())} characters; keytool and these tools want {LEAST} or more",
            exit_status=ExitStatus.USAGE,
        )
    return password

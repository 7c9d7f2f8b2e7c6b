"""Passwords for commands: from files, from the environment, from a person; never from the command line.

A command line is seen by every user of the machine (`ps`) and stays in the shell's history.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.config.passwordfile import ANY_VERSION
from agent.errors import ExitStatus, OperatorError
from iadmin.commands.tools import Tools
from keystoretools import KeystoreError, Limits, Password

LEAST: Final = 6
"""keytool opens no store for writing whose password is shorter."""
TRIES: Final = 3


def first_line(tools: Tools, file: Path) -> Password:
    """The first line of a password file, without its line end, UTF-8. Raises `KeystoreError`, `OperatorError`."""
    try:
        data = tools.safe_files().load(tools.cwd / file)
    except KeystoreError as error:
        sentence = error.sentence.rstrip(".").replace("not a keystore", "not a file with a password")
        raise OperatorError(str(error.code), sentence, exit_status=ExitStatus.NO_INPUT) from error
    if data.startswith(ANY_VERSION):
        return Password(_sealed(tools, file, data))
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


def _sealed(tools: Tools, file: Path, data: bytes) -> str:
    try:
        return tools.open_secret(tools.home, tools.cwd / file, data).reveal()
    except ValueError as error:
        raise OperatorError("password-file", f"{str(file)!r} {error}", exit_status=ExitStatus.DATA) from None


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
                "password-needed",
                f"a {what[0].lower()}{what[1:]} is needed; give it with {instead}",
                exit_status=ExitStatus.USAGE,
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

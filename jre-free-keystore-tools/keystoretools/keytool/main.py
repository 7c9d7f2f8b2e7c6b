"""One run of `iakeytool`: arguments in, exit status out; the one place where errors become text.

Exit status 0: done; 1: not done (keytool sometimes says 0 there: docs/iakeytool.rst).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import BinaryIO, Final

from apclient.streams import fill_streams
from keystoretools.errors import KeystoreError
from keystoretools.keytool import help as help_texts
from keystoretools.keytool import options
from keystoretools.keytool.failures import ARGUMENT, EXCEPTION, KEYSTORE, KeytoolError, TooManyFailures, of_library
from keystoretools.keytool.options import Invocation, UsageError
from keystoretools.keytool.prompts import Prompts
from keystoretools.keytool.session import LEAST_PASSWORD, Session

# Where each command lives: imported when it runs.
_MODULES: Final = {
    "certreq": "requests",
    "changealias": "entries",
    "delete": "entries",
    "exportcert": "exportcert",
    "gencert": "requests",
    "genkeypair": "generate",
    "genseckey": "secrets",
    "importcert": "importcert",
    "importkeystore": "importing",
    "importpass": "secrets",
    "keypasswd": "passwords",
    "list": "listing",
    "printcert": "printcert",
    "printcertreq": "requests",
    "storepasswd": "passwords",
}
# Kinds of stores that lie in hardware or in the system.
_WITHOUT_FILE: Final = {"pkcs11": "PKCS11", "windows-my": "Windows-MY", "windows-root": "Windows-ROOT"}
_PROVIDERS: Final = ("addprovider", "providerclass", "providername", "providerpath", "srcprovidername")


def main(
    argv: Sequence[str],
    stdin: BinaryIO,
    stdout: BinaryIO,
    stderr: BinaryIO,
    *,
    now: datetime,
    cwd: Path,
    environ: Mapping[str, str],
    home: Callable[[], Path] | None = None,
    zone: tzinfo | None = None,
    encoding: str = "utf-8",
) -> int:
    """Run `argv` (without the program's name) and give the exit status.

    `now` is aware; `home` says where the default `.keystore` lies; `zone` None is the system's time zone.
    """
    prompts = Prompts(stdin=stdin, stdout=stdout, stderr=stderr, encoding=encoding)
    try:
        return _outcome(argv, prompts, now=now, cwd=cwd, environ=environ, home=home or Path.home, zone=zone)
    finally:
        prompts.say_hints()


def _outcome(
    argv: Sequence[str],
    prompts: Prompts,
    *,
    now: datetime,
    cwd: Path,
    environ: Mapping[str, str],
    home: Callable[[], Path],
    zone: tzinfo | None,
) -> int:
    try:
        invocation = options.read(argv)
        for sentence in invocation.hints:
            prompts.hint(sentence)
        return _run(invocation, prompts, now=now, cwd=cwd, environ=environ, home=home, zone=zone)
    except UsageError as error:
        text = help_texts.overview() if error.command is None else help_texts.of_command(error.command)
        prompts.err(f"{error.sentence}\n{text}")
        prompts.hint(error.hint)
    except TooManyFailures:
        prompts.err("Too many failures - try later\n")
    except KeytoolError as error:
        _report(prompts, error)
    except KeystoreError as error:
        _report(prompts, of_library(error))
    return 1


def _report(prompts: Prompts, error: KeytoolError) -> None:
    prompts.out(f"keytool error: {error.java_class}{': ' if error.text else ''}{error.text}\n")
    prompts.hint(error.hint)


def _run(
    invocation: Invocation,
    prompts: Prompts,
    *,
    now: datetime,
    cwd: Path,
    environ: Mapping[str, str],
    home: Callable[[], Path],
    zone: tzinfo | None,
) -> int:
    command = invocation.command
    if command is None and not invocation.help:
        raise UsageError("Usage error: no command provided")
    if command is None:
        prompts.err(help_texts.overview())
        return 0
    if invocation.clash is not None:
        raise KeytoolError(f"Only one command is allowed: both {invocation.clash} were specified.")
    if invocation.help:
        prompts.err(help_texts.of_command(command))
        return 0
    if command.name not in _MODULES:
        raise KeytoolError(f"The command -{command.name} is not available here", hint="It needs the keytool of a JDK.")
    session = Session(invocation=invocation, prompts=prompts, now=now, cwd=cwd, environ=environ, home=home, zone=zone)
    session.read_passwords()
    session.warnings.extend(
        f"The -{name} option is specified multiple times. All except the last one will be ignored."
        for name in invocation.repeated
    )
    if any(invocation.get(name) for name in _PROVIDERS):
        prompts.hint("There are no providers here; the provider options are ignored.")
    _check(session)
    with session.stack:
        module = importlib.import_module(f"keystoretools.keytool.{_MODULES[command.name]}")
        status: int = module.run(session)
    if session.warnings and not invocation.has("nowarn"):
        prompts.err("\nWarning:\n" + "".join(f"{line}\n" for line in session.warnings))
    return status


def _check(session: Session) -> None:
    """What holds for every command."""
    given = [name for name in ("storepass", "keypass", "new", "destkeypass") if session.password(name) is not None]
    if session.has("protected") and given:
        raise KeytoolError(
            "if -protected is specified, then -storepass, -keypass, and -new must not be specified",
            java_class=ARGUMENT,
        )
    for name, option in (("storetype", "keystore"), ("deststoretype", "destkeystore")):
        kind = _WITHOUT_FILE.get((session.get(name) or "").lower())
        if kind is not None and session.get(option) not in (None, "NONE"):
            raise UsageError(f"-keystore must be NONE if -storetype is {kind}\n", session.invocation.command)
        if kind is not None:
            raise KeytoolError(
                f"{kind} not found",
                java_class=KEYSTORE,
                hint="Keys in hardware or in the Windows store need the keytool of a JDK.",
            )
    for name, words in (("keypass", "Key password"), ("new", "New password"), ("destkeypass", "New password")):
        password = session.password(name)
        if password is not None and len(password.reveal()) < LEAST_PASSWORD:
            raise KeytoolError(f"{words} must be at least 6 characters", java_class=EXCEPTION)


def run() -> None:
    """The program: everything that `main` is given comes from the process.  Exits with the status."""
    import os

    fill_streams()
    try:
        status = main(
            sys.argv[1:],
            sys.stdin.buffer,
            sys.stdout.buffer,
            sys.stderr.buffer,
            now=datetime.now(UTC),
            cwd=Path.cwd(),
            environ=os.environ,
            home=_home,
            encoding=sys.stdout.encoding or "utf-8",
        )
    except KeyboardInterrupt:
        status = 130
    except OSError as error:  # the disk behind our output is full, its reader has gone, the working folder was removed
        if not isinstance(error, BrokenPipeError):
            with contextlib.suppress(OSError):
                sys.stderr.write(f"iakeytool: {error.strerror or error}: the output is not complete.\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def _home() -> Path:
    """The home folder as the user database has it, as Java does; $HOME where there is no such database."""
    try:
        import os
        import pwd

        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        return Path.home()


if __name__ == "__main__":
    run()

"""One run: its options and passwords, its questions, its files, its clock, and the warnings for its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

import attrs

from keystoretools import files
from keystoretools.errors import ErrorCode, FileError, KeystoreError
from keystoretools.keytool.failures import (
    IO,
    NOT_FOUND,
    KeytoolError,
    missing_file,
    of_library,
)
from keystoretools.keytool.options import PASSWORDS, Invocation, UsageError
from keystoretools.keytool.paths import native, swallowed_separators
from keystoretools.keytool.prompts import Prompts
from keystoretools.limits import Budget
from keystoretools.secret import Password

LEAST_PASSWORD: Final = 6
TRIES: Final = 3


@attrs.define
class Session:
    """One run: `now` aware; `zone` None means the system's; `warnings` are printed at the end."""

    invocation: Invocation
    prompts: Prompts
    now: datetime
    cwd: Path
    environ: Mapping[str, str] = attrs.field(repr=False)
    home: Callable[[], Path]
    zone: tzinfo | None = None
    budget: Budget = attrs.field(factory=Budget)
    warnings: list[str] = attrs.field(factory=list)
    passwords: dict[str, Password] = attrs.field(factory=dict)
    stack: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)
    locked: list[Path] = attrs.field(factory=list)

    @property
    def now_ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    # --- options ---

    def get(self, name: str) -> str | None:
        return self.invocation.get(name)

    def has(self, switch: str) -> bool:
        return self.invocation.has(switch)

    @property
    def alias(self) -> str:
        """-alias, or keytool's default."""
        given = self.get("alias")
        return "mykey" if given is None else given

    def read_passwords(self) -> None:
        """All passwords of the command line, from arguments, environment and files.  Raises UsageError."""
        for name in sorted(PASSWORDS):
            plain, variable = self.get(name), self.get(f"{name}:env")
            file = self.get(f"{name}:file")
            if plain is not None:
                self.passwords[name] = Password(plain)
            elif variable is not None:
                if variable not in self.environ:
                    raise UsageError(f"Cannot find environment variable: {variable}", self.invocation.command)
                self.passwords[name] = Password(self.environ[variable])
            elif file is not None:
                self.passwords[name] = self._password_file(file)

    def _password_file(self, name: str) -> Password:
        try:
            octets = files.load(self.path(name), limits=self.budget.limits)
        except KeystoreError as error:
            raise UsageError(f"Cannot find file: {name}", self.invocation.command) from error
        first = octets.split(b"\n", 1)[0].removesuffix(b"\r")
        return Password(first.decode("utf-8", "replace"))

    def password(self, name: str) -> Password | None:
        """The password that an option gives."""
        return self.passwords.get(name)

    # --- files ---

    def path(self, name: str) -> Path:
        """Where a file of the command line lies; Windows separators count on every system."""
        return native(self.cwd, name)

    def read_file(self, name: str) -> bytes:
        """The octets of an input file.  Raises KeytoolError as keytool words it."""
        try:
            return files.load(self.path(name), limits=self.budget.limits)
        except FileError as error:
            raise self._file_error(error, name) from error
        except KeystoreError as error:
            raise of_library(error) from error

    def read_input(self, option: str = "file") -> bytes:
        """The octets of -file, else of stdin."""
        name = self.get(option)
        if name is not None:
            return self.read_file(name)
        ceiling = self.budget.limits.file_bytes
        octets = self.prompts.stdin.read(ceiling + 1)
        if len(octets) > ceiling:
            raise KeytoolError("The input is too long", java_class=IO)
        return octets

    def write_file(self, name: str, octets: bytes) -> None:
        """An output file that is no keystore (a certificate, a request): written whole or not at all."""
        path = self.path(name)
        try:
            if path.exists() and not path.is_file():
                path.write_bytes(octets)  # /dev/stdout, a pipe
                return
            saved = files.save(path, octets, backup=False, create=True, now=self.now)
            if saved.created:  # nothing secret in it: readable for others, as the system's mask says
                path.chmod(0o644)
        except FileError as error:
            raise self._file_error(error, name) from error
        except OSError as error:
            raise KeytoolError(f"{name} ({error.strerror})", java_class=NOT_FOUND) from error

    def write_copy(self, name: str, octets: bytes) -> None:
        """A store's old octets under another name, as private as the store."""
        path = self.path(name)
        try:
            files.save(path, octets, backup=False, create=True, now=self.now)
        except FileError as error:
            raise self._file_error(error, name) from error

    def _file_error(self, error: FileError, name: str) -> KeytoolError:
        """What the system refused, in Java's words, with our sentence."""
        if error.code is ErrorCode.NO_SUCH_FILE:
            return self._missing(missing_file(name, error.sentence), name)
        if self.path(name).is_dir():
            return KeytoolError(f"{name} (Is a directory)", java_class=NOT_FOUND)
        return KeytoolError(error.sentence, java_class=IO)

    def _missing(self, error: KeytoolError, name: str) -> KeytoolError:
        """A file that is not there, and perhaps why: the shell has eaten backslashes."""
        meant = swallowed_separators(self.cwd, name)
        if meant is not None:
            error.hint = (
                f'There is a file "{meant}". If the command has backslashes, the shell took them away: put quotation'
                " marks around the path, or write / instead."
            )
        return error

    def lock(self, path: Path) -> None:
        """Keep other writers of that store away until the command ends."""
        if path not in self.locked and path.parent.is_dir():
            self.stack.enter_context(files.locked(path))
            self.locked.append(path)

    def say_warnings_now(self) -> None:
        """What was noticed so far, before a question that depends on it."""
        if self.warnings and not self.has("nowarn"):
            self.prompts.err("\nWarning:\n" + "".join(f"{line}\n" for line in self.warnings) + "\n")
        self.warnings.clear()

    def is_same_file(self, one: str, two: str) -> bool:
        """Whether two names mean one existing file."""
        first, second = self.path(one), self.path(two)
        try:
            return first.samefile(second)
        except OSError:
            return False

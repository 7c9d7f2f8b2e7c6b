"""What the `iadmin keystore` commands share: which file, its password, and changing it safely.

A command gets an `AgentKeystore`. It reads, shows a new `Keystore` to `change`, and everything that must never go wrong
(lock, backup, reading back, replacing) happens in there. Nobody holds the lock while a person is asked something.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import click

from agent.config.model import GatewayConfig
from agent.errors import AgentError, ExitStatus, OperatorError
from agent.storepassword import PASSWORD_VARIABLE, find_store_password
from iadmin.commands.edges import SavedFile
from iadmin.commands.keystore_users import users_of
from iadmin.commands.passwords import first_line, new_password
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Line
from keystoretools import Format, Keystore, KeystoreError, Password, Profile, open_keystore, save_keystore
from keystoretools.cures import command
from keystoretools.errors import ErrorCode, FileError, PasswordNeededError, WrongPasswordError, quoted
from keystoretools.identity import candidates
from keystoretools.limits import Budget
from keystoretools.readback import require_same

DEFAULT_PASSWORD: Final = "alarmpoint"
"""What the original agent's keystore is delivered with; tried where no password is given."""
TRIES: Final = 3

_STATUS: Final[Mapping[ErrorCode, ExitStatus]] = {
    ErrorCode.WRONG_PASSWORD: ExitStatus.NO_PERMISSION,
    ErrorCode.PASSWORD_NEEDED: ExitStatus.NO_PERMISSION,
    ErrorCode.WRONG_KEY_PASSWORD: ExitStatus.NO_PERMISSION,
    ErrorCode.NO_SUCH_FILE: ExitStatus.NO_INPUT,
    ErrorCode.FILE_EXISTS: ExitStatus.CANNOT_CREATE,
    ErrorCode.FILE_REFUSED: ExitStatus.IO_ERROR,
    ErrorCode.DISK_FULL: ExitStatus.IO_ERROR,
    ErrorCode.FILE_BUSY: ExitStatus.TEMPORARY,
    ErrorCode.FILE_CHANGED: ExitStatus.TEMPORARY,
    ErrorCode.NO_SUCH_ALIAS: ExitStatus.USAGE,
    ErrorCode.ALIAS_EXISTS: ExitStatus.USAGE,
    ErrorCode.ALIAS_NOT_ALLOWED: ExitStatus.USAGE,
    ErrorCode.NAME_NOT_VALID: ExitStatus.USAGE,
    ErrorCode.VALUE_NOT_VALID: ExitStatus.USAGE,
    ErrorCode.PASSWORD_NOT_ASCII: ExitStatus.USAGE,
    ErrorCode.SEVERAL_IDENTITIES: ExitStatus.USAGE,
    ErrorCode.CANNOT_HOLD_SECRET_KEYS: ExitStatus.USAGE,
}
"""All others are about the content of a file: 65."""

FORMATS: Final = {"jks": Format.JKS, "jceks": Format.JCEKS, "pkcs12": Format.PKCS12}


def operator_error(error: KeystoreError) -> OperatorError:
    """The library's error as one of ours; its sentence is for the operator already."""
    sentence = error.sentence.rstrip(".")
    return OperatorError(str(error.code), sentence, exit_status=_STATUS.get(error.code, ExitStatus.DATA))


def keystore_command(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Give a command an `AgentKeystore` as its first argument, and the options that say which and how to open it."""

    @functools.wraps(function)
    def run(tools: Tools, /, named: Path | None, password_file: Path | None, **arguments: Any) -> Outcome:
        try:
            return function(AgentKeystore(tools=tools, named=named, password_file=password_file), **arguments)
        except KeystoreError as error:
            raise operator_error(error) from error

    path = click.Path(path_type=Path)
    run_with_tools = pass_tools(run)
    click.option("--password-file", type=path, metavar="FILE", help=_PASSWORD_HELP)(run_with_tools)
    click.option("--keystore", "named", type=path, metavar="FILE", help=_KEYSTORE_HELP)(run_with_tools)
    return run_with_tools


_KEYSTORE_HELP: Final = "Another keystore than the one of the home."
_PASSWORD_HELP: Final = (
    f"File whose first line is the keystore's password (else the configured one, else ${PASSWORD_VARIABLE}, else the"
    " default one, else asked)."
)


@attrs.define(kw_only=True, slots=False)
class AgentKeystore:
    """One keystore file, for one command. `notes` collects what goes to standard error."""

    tools: Tools
    named: Path | None = None
    password_file: Path | None = None
    notes: list[str] = attrs.field(factory=list)
    budget: Budget = attrs.field(factory=Budget)
    _before: bytes | None = attrs.field(default=None, init=False, repr=False)
    _keystore: Keystore | None = attrs.field(default=None, init=False)

    @functools.cached_property
    def path(self) -> Path:
        """The file: `--keystore`, else the one that the configuration names, else `conf/.keystore` of the home."""
        if self.named is not None:
            return self.tools.cwd / self.named
        gateway = first_gateway(self.tools)
        if gateway is not None and gateway.tls.is_keystore_named:
            return self.tools.home / gateway.tls.keystore
        return self.tools.home / "conf" / ".keystore"

    @functools.cached_property
    def configured_password_file(self) -> Path | None:
        """The password file that the configuration names, for the keystore that it means."""
        if self.named is not None:
            return None
        gateway = first_gateway(self.tools)
        found = None if gateway is None else gateway.tls.keystore_password_file
        if found is not None:
            return self.tools.home / found
        users = users_of(self.tools, self.path)
        return next((one.password_file for one in users if one.password_file is not None), None)

    @property
    def now_ms(self) -> int:
        return int(self.tools.now().timestamp() * 1000)

    def read(self) -> Keystore:
        """The keystore, opened with its password; raises `KeystoreError` (also: no password to be had)."""
        try:
            self._before = self.tools.safe_files().load(self.path)
        except FileError as error:
            if error.code is not ErrorCode.NO_SUCH_FILE or self.named is not None:
                raise
            cure = "Make one with: iadmin keystore create, or: iadmin keystore import FILE..."
            raise FileError(f"{error.sentence} {cure}", code=error.code, path=error.path) from error
        self._keystore = self._opened(self._before)
        return self._keystore

    def read_or_list(self) -> Keystore:
        """As `read`; where no password is to be had, what can be seen without one, with a note."""
        try:
            return self.read()
        except PasswordNeededError as error:
            assert self._before is not None
            self.notes.append(f"{error.sentence.rstrip('.')}; shown is what can be seen without it, unverified")
            self._keystore = open_keystore(self._before, None, budget=self.budget)
            return self._keystore

    def read_or_new(self, *, create: bool, format: Format | None) -> Keystore:
        """As `read`; where there is no file, a new keystore (not yet written).

        At the agent's own place one is made without asking: the home was named, nothing can be mistyped. Elsewhere only
        where `create` says so. `format` is that of a new one.
        """
        try:
            return self.read()
        except FileError as error:
            if error.code is not ErrorCode.NO_SUCH_FILE or not self.path.parent.is_dir():
                raise
            if self.named is not None and not create:
                raise FileError(
                    f"{error.sentence} To make a new keystore there, add --new.", code=error.code, path=error.path
                ) from error
        given = self._given()
        password = None if given is None else given[0]
        if password is None and self.named is None:
            password = Password(DEFAULT_PASSWORD)
            self._warn_of_default()
        if password is None:
            password = new_password(self.tools, "New keystore's password", f"--password-file or {PASSWORD_VARIABLE}")
        self._keystore = Keystore(format=format or Format.PKCS12, password=password)
        self.notes.append(f"this makes a new {self._keystore.format.value} keystore in {self.path}")
        return self._keystore

    def change(
        self,
        edit: Callable[[Keystore], Keystore],
        *,
        format: Format | None = None,
        profile: Profile | None = None,
    ) -> SavedFile:
        """Save what `edit` makes of the keystore that `read` or `read_or_new` gave, all or nothing.

        `edit` may be called on a newer state of the file than was read; it must not ask anybody.
        """
        assert self._keystore is not None
        files = self.tools.safe_files()
        with files.locked(self.path):
            current = self._current(files.load(self.path) if self.path.exists() else None)
            changed = edit(current)
            octets = save_keystore(changed, format=format, profile=profile, now_ms=self.now_ms, budget=self.budget)
            return files.save(
                self.path,
                octets,
                now=self.tools.now(),
                create=self._before is None,
                expected=self._before,
                check=lambda again: require_same(again, changed),
            )

    def _current(self, data: bytes | None) -> Keystore:
        assert self._keystore is not None
        if data == self._before:
            return self._keystore
        if data is None or self._before is None:
            raise FileError(
                f"{str(self.path)!r} has appeared or gone meanwhile; nothing was written. Look and do it again.",
                code=ErrorCode.FILE_CHANGED,
                path=str(self.path),
            )
        self._before = data
        return open_keystore(data, self._keystore.password, budget=self.budget)

    def _opened(self, data: bytes) -> Keystore:
        given = self._given()
        if given is not None:
            try:
                return open_keystore(data, given[0], budget=self.budget)
            except WrongPasswordError as error:
                raise WrongPasswordError(f"The password of {given[1]} does not open {str(self.path)!r}.") from error
        try:
            found = open_keystore(data, DEFAULT_PASSWORD, budget=self.budget)
        except WrongPasswordError:
            return self._asked(data)
        if found.verified and (found.private_keys or found.secret_keys):
            self._warn_of_default()
        return found

    def _asked(self, data: bytes) -> Keystore:
        for _ in range(TRIES):
            answer = self.tools.ask_secret(f"Password of {self.path}: ")
            if answer is None:
                break
            try:
                return open_keystore(data, answer, budget=self.budget)
            except WrongPasswordError:
                continue
        else:
            raise WrongPasswordError(f"None of {TRIES} passwords opened {str(self.path)!r}.")
        raise PasswordNeededError(
            f"The default password does not open {str(self.path)!r}; give its password with --password-file or in"
            f" {PASSWORD_VARIABLE}."
        )

    def _given(self) -> tuple[Password, str] | None:
        """The password, and where it came from."""
        file = self.password_file or self.configured_password_file
        if file is not None:
            return first_line(self.tools, file), str(file)
        found = find_store_password(self.tools.environ)
        return None if found is None else (Password(found.secret.reveal()), found.origin)

    def _warn_of_default(self) -> None:
        self.notes.append(
            f'{self.path} has the password "{DEFAULT_PASSWORD}", which everybody knows; change it with: '
            "iadmin keystore passwd"
        )


def first_gateway(tools: Tools) -> GatewayConfig | None:
    """The first service gateway of the configuration; None where that cannot be read or there is no home."""
    try:
        settings, _ = tools.load_config(tools.home)
    except AgentError:
        return None
    return next(iter(settings.gateways), None)


def served_alias(tools: Tools) -> str:
    """The `alias` that the configuration names for the service gateway; empty where it names none or is not there."""
    try:
        settings, _ = tools.load_config(tools.home)
    except AgentError:
        return ""
    return next((gateway.alias for gateway in settings.gateways if gateway.alias), "")


def which_to_present(store: AgentKeystore, after: Keystore, alias: str) -> list[Line]:
    """What is to be said about `alias`, which is new, beside other keys: nobody guesses between them."""
    others = [entry.alias for entry in candidates(after) if entry.alias != alias]
    if not others or store.named is not None:
        return []
    if named := served_alias(store.tools):
        if named.lower() == alias.lower():
            return []
        return [Line(f"Senders still see {quoted(named)}. To show them the new one: {command('use', alias)}")]
    return [
        Line(
            f"The keystore has {len(others) + 1} keys that could be presented now, and the configuration names none of"
            " them: the next start with HTTPS fails, and so does a reload, until you say which.",
            "bad",
        ),
        Line(f"    {command('use', alias)}"),
    ]


def saved_line(store: AgentKeystore, saved: SavedFile) -> str:
    """`Saved /srv/agent/conf/.keystore; what was there before is in .keystore.20261120-181530.bak.`"""
    if saved.created:
        return f"Created the keystore {store.path}."
    before = f"; what was there before is in {saved.backup.name}" if saved.backup is not None else ""
    return f"Saved {store.path}{before}."


def saved_data(store: AgentKeystore, saved: SavedFile) -> dict[str, object]:
    """The same for JSON."""
    return {
        "keystore": str(store.path),
        "created": saved.created,
        "backup": None if saved.backup is None else str(saved.backup),
    }

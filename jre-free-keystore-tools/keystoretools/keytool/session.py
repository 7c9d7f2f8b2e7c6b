"""What every command needs: the options, the questions, the clock, the folder, and stores opened as keytool does.

A `Store` is one keystore file of this call.  Reading commands accept an empty password (and say that nothing was
verified); writing ones ask three times.  A file that another program changed between reading and writing is not
overwritten.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

import attrs

from keystoretools import files
from keystoretools.detect import Kind, sniff
from keystoretools.entries import PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry
from keystoretools.errors import CorruptError, ErrorCode, FileError, KeystoreError, WrongKeyPasswordError
from keystoretools.keytool.failures import (
    IO,
    KEYSTORE,
    NOT_FOUND,
    KeytoolError,
    TooManyFailures,
    cannot_open,
    missing_file,
    of_library,
)
from keystoretools.keytool.options import PASSWORDS, Invocation, UsageError
from keystoretools.keytool.paths import native, swallowed_separators
from keystoretools.keytool.prompts import Prompts
from keystoretools.limits import Budget
from keystoretools.lockedkey import SecretKey
from keystoretools.model import Format, Keystore
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password
from keystoretools.store import not_a_keystore, open_keystore, save_keystore

LEAST_PASSWORD: Final = 6
TRIES: Final = 3
_TYPES: Final = {"JKS": Format.JKS, "CASEEXACTJKS": Format.JKS, "JCEKS": Format.JCEKS, "PKCS12": Format.PKCS12}
_BOX: Final = """
*****************  WARNING WARNING WARNING  *****************
* The integrity of the information stored in {0}*
* has NOT been verified!  In order to verify its integrity, *
* you must provide {1}*
*****************  WARNING WARNING WARNING  *****************

"""
_YOURS: Final = ("your keystore  ", "your keystore password.                  ")
_SOURCE: Final = ("the srckeystore", "the srckeystore password.                ")


@attrs.define
class Store:
    """One keystore file: `name` as typed, `before` its octets when it was read (None: it is new)."""

    name: str
    path: Path
    keystore: Keystore
    before: bytes | None = attrs.field(repr=False)
    type_name: str

    @property
    def password(self) -> Password | None:
        return self.keystore.password

    @property
    def is_pkcs12(self) -> bool:
        return self.keystore.format is Format.PKCS12


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
        return self.get("alias") or "mykey"

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

    # --- stores ---

    def keystore_name(self, option: str = "keystore") -> str:
        """The path as typed, or the default.  Raises KeytoolError for -cacerts."""
        if self.has("cacerts"):
            raise KeytoolError(
                "There is no Java here whose cacerts could be used",
                hint="Name the file instead: -keystore <java home>/lib/security/cacerts -storepass changeit",
            )
        name = self.get(option)
        return str(self.home() / ".keystore") if name is None else name

    def open_to_read(self) -> Store:
        """The store of -keystore for a command that changes nothing."""
        name = self.keystore_name()
        data = self._existing(name)
        self.require_store(data, self.get("storetype"))
        password = self.password("storepass")
        if password is None and not self.has("protected") and self.wants_password(data):
            password = self.prompts.password("Enter keystore password:  ")
        return self.opened(name, data, password, self.get("storetype"))

    def open_to_write(
        self,
        *,
        may_create: bool = False,
        option: str = "keystore",
        password_option: str = "storepass",
        type_option: str = "storetype",
        question: str = "Enter keystore password:  ",
        fresh: bool = False,
        fallback: Password | None = None,
    ) -> Store:
        """The store that the command will change.

        `may_create`: a missing file is a new store.  `fresh`: start with an empty store although there is a file.
        `fallback`: the password where none is given and none shall be asked for.
        """
        name = self.keystore_name(option)
        wanted = self.type_of(type_option)
        if not self.prompts.is_terminal:
            self.lock(self.path(name))
        data = None if may_create and not self._is_there(name) else self._existing(name)
        if data is not None:
            self.require_store(data, self.get(type_option))
        is_new = data is None or fresh
        password = self.password(password_option) or fallback
        if password is None and not self.has("protected") and (is_new or data is None or self.wants_password(data)):
            password = self._ask_store_password(question, is_new=is_new)
        elif is_new and password is not None and len(password.reveal()) < LEAST_PASSWORD:
            raise KeytoolError("Keystore password must be at least 6 characters")
        if data is None or fresh:
            kind = wanted or Format.PKCS12
            return Store(name, self.path(name), Keystore(format=kind, password=password), data, kind.value)
        store = self.opened(name, data, password, self.get(type_option), loudly=False)
        if password is not None and not store.keystore.verified and store.keystore.password is None:
            store.keystore = attrs.evolve(store.keystore, password=password)
        return store

    def opened(
        self,
        name: str,
        data: bytes,
        password: Password | None,
        type_name: str | None,
        *,
        is_source: bool = False,
        loudly: bool = True,
    ) -> Store:
        """A store read from octets; says so when its integrity could not be checked."""
        wanted = None if type_name is None else _TYPES.get(type_name.upper())
        if type_name is not None and wanted is None:
            raise _no_such_type(type_name)
        kind = sniff(data).kind
        if wanted is Format.JCEKS and kind not in (Kind.JCEKS, Kind.JKS):
            raise KeytoolError("Invalid keystore format", java_class=IO)
        if kind is Kind.JCEKS and wanted not in (None, Format.JCEKS):
            raise KeytoolError("Invalid keystore format", java_class=IO)
        try:
            keystore = open_keystore(data, password, budget=self.budget)
        except KeystoreError as error:
            raise cannot_open(error, data, None if wanted is None else wanted.value) from error
        if loudly and password is None and not self.has("protected") and not _is_passwordless(keystore):
            self.prompts.err(_BOX.format(*(_SOURCE if is_source else _YOURS)))
        visible = tuple(entry for entry in keystore.entries if entry.java_sees_it)
        unseen = len(keystore.entries) - len(visible)
        if unseen and not is_source:
            self.prompts.hint(
                f"{unseen} entries are not shown because Java ignores them (certificates without the mark of trust, or"
                " keys that are not encrypted)."
            )
        shown = type_name.upper() if wanted is not None and type_name is not None else keystore.format.value
        return Store(name, self.path(name), keystore, data, shown)

    def save(self, store: Store, *, warn: bool = True) -> None:
        """Write the store back, whole or not at all.  Raises KeytoolError."""
        if self.has("v"):
            self.prompts.err(f"[Storing {store.name}]\n")
        try:
            octets = save_keystore(store.keystore, now_ms=self.now_ms, budget=self.budget)
            self.lock(store.path)
            is_new = store.before is None
            files.save(
                store.path,
                octets,
                backup=False,
                create=is_new,
                expected=store.before,
                now=self.now,
                check=self._check(store),
            )
        except WrongKeyPasswordError as error:
            raise of_library(error) from error
        except FileError as error:
            if error.code is ErrorCode.NO_SUCH_FILE:
                raise self._file_error(error, store.name) from error
            raise KeytoolError(error.sentence, java_class=IO) from error
        except KeystoreError as error:
            raise of_library(error) from error
        if is_new:
            self.prompts.hint(f"created new keystore {store.path}")
        store.before = octets
        if warn:
            self.warn_about(store)

    def _check(self, store: Store) -> Callable[[bytes], object]:
        """Reads what was written before it takes the old store's place."""

        def check(octets: bytes) -> None:
            again = open_keystore(octets, store.password, budget=Budget(limits=self.budget.limits))
            if sorted(one.alias.lower() for one in again.entries) != sorted(
                one.alias.lower() for one in store.keystore.entries
            ):
                raise CorruptError("The keystore as written does not read back as it should; nothing was changed.")

        return check

    def lock(self, path: Path) -> None:
        """Keep other writers of that store away until the command ends."""
        if path not in self.locked and path.parent.is_dir():
            self.stack.enter_context(files.locked(path))
            self.locked.append(path)

    def warn_about(self, store: Store) -> None:
        """keytool's advice for stores of a Java-only format that hold keys."""
        kind = store.keystore.format
        if kind is not Format.PKCS12 and any(
            not isinstance(entry, TrustedCertificateEntry) for entry in store.keystore.entries
        ):
            self.warnings.append(
                f"The {kind.value} keystore uses a proprietary format. It is recommended to migrate to PKCS12 which is"
                f' an industry standard format using "keytool -importkeystore -srckeystore {store.name}'
                f' -destkeystore {store.name} -deststoretype pkcs12".'
            )

    def say_warnings_now(self) -> None:
        """What was noticed so far, before a question that depends on it."""
        if self.warnings and not self.has("nowarn"):
            self.prompts.err("\nWarning:\n" + "".join(f"{line}\n" for line in self.warnings) + "\n")
        self.warnings.clear()

    def type_of(self, option: str) -> Format | None:
        """The format an option names, None when it is absent.  Raises KeytoolError for unknown ones."""
        name = self.get(option)
        if name is None:
            return None
        if name.upper() not in _TYPES:
            raise _no_such_type(name)
        return _TYPES[name.upper()]

    def is_same_file(self, one: str, two: str) -> bool:
        """Whether two names mean one existing file."""
        first, second = self.path(one), self.path(two)
        try:
            return first.samefile(second)
        except OSError:
            return False

    def _is_there(self, name: str) -> bool:
        path = self.path(name)
        return path.exists() and not path.is_dir()

    def _existing(self, name: str) -> bytes:
        path = self.path(name)
        if not path.exists() or path.is_dir():
            hint = ""
            try:
                files.load(path, limits=self.budget.limits)
            except KeystoreError as error:
                hint = error.sentence if "Did you mean" in error.sentence else ""
            raise self._missing(KeytoolError(f"Keystore file does not exist: {name}", hint=hint), name)
        data = self.read_file(name)
        if not data:
            raise KeytoolError(f"Keystore file exists, but is empty: {name}")
        return data

    def require_store(self, data: bytes, type_name: str | None) -> None:
        """Without -storetype the file is looked at before any question; with it, only when it is opened."""
        found = sniff(data)
        if type_name is None and found.kind not in (Kind.JKS, Kind.JCEKS, Kind.PKCS12, Kind.BKS):
            raise cannot_open(not_a_keystore(found), data, None)

    def wants_password(self, data: bytes) -> bool:
        """Java's password-less PKCS#12 files (cacerts since Java 18) are opened without asking."""
        if sniff(data).kind is not Kind.PKCS12:
            return True
        try:
            return not _is_passwordless(open_keystore(data, budget=self.budget))
        except KeystoreError:
            return True

    def _ask_store_password(self, question: str, *, is_new: bool) -> Password:
        for _ in range(TRIES):
            password = self.prompts.password(question)
            if password is None or len(password.reveal()) < LEAST_PASSWORD:
                self.prompts.err("Keystore password is too short - must be at least 6 characters\n")
            elif not is_new or self.prompts.password("Re-enter new password: ") == password:
                return password
            else:
                self.prompts.err("They don't match. Try again\n")
        raise TooManyFailures

    # --- entries and keys ---

    def key_entry(self, store: Store, alias: str) -> PrivateKeyEntry | SecretKeyEntry:
        """The entry with a key.  Raises KeytoolError when there is none."""
        entry = store.keystore.get(alias)
        if entry is None:
            raise KeytoolError(f"Alias <{alias}> does not exist")
        if isinstance(entry, TrustedCertificateEntry):
            raise KeytoolError(f"Alias <{alias}> has no key")
        return entry

    def unlock(
        self, store: Store, alias: str, given: Password | None = None, *, asked: str | None = None
    ) -> tuple[PrivateKey | SecretKey, Password]:
        """A key and the password that opened it: `given`, else the store's, else asked for.

        Raises KeytoolError in Java's words.
        """
        entry = self.key_entry(store, alias)
        password = given or store.password or Password("")
        try:
            return entry.unlock(password, self.budget), password
        except WrongKeyPasswordError as error:
            if given is not None:
                raise of_library(error) from error
        except KeystoreError as error:
            raise of_library(error) from error
        answer = self._ask_key_password(asked or alias)
        try:
            return entry.unlock(answer, self.budget), answer
        except KeystoreError as error:
            raise of_library(error) from error

    def private_key(self, store: Store, alias: str, given: Password | None = None) -> tuple[PrivateKey, Password]:
        """As `unlock`, for an entry that must hold a private key."""
        key, password = self.unlock(store, alias, given)
        if not isinstance(key, PrivateKey):
            raise KeytoolError(f"Alias <{alias}> has no private key")
        return key, password

    def _ask_key_password(self, alias: str) -> Password:
        for _ in range(TRIES):
            answer = self.prompts.password(f"Enter key password for <{alias}>")
            if answer is not None:
                return answer
        raise KeytoolError("Too many failures - try later")

    def warn_about_key_password(self, store: Store, given: Password | None) -> None:
        """-keypass is ignored for PKCS#12, whose keys have the store's password."""
        if store.is_pkcs12 and given is not None and given != store.password:
            self.prompts.err(
                "Warning:  Different store and key passwords not supported for PKCS12 KeyStores."
                " Ignoring user-specified -keypass value.\n"
            )

    def new_key_password(self, store: Store, alias: str, given: Password | None) -> Password | None:
        """The password for a key that is being made; None means the store's."""
        if store.is_pkcs12:
            return None
        if given is not None:
            return given
        if self.has("protected"):
            return None
        for _ in range(TRIES):
            answer = self.prompts.password(
                f"Enter key password for <{alias}>\n\t(RETURN if same as keystore password):  "
            )
            if answer is None:
                return None
            if len(answer.reveal()) < LEAST_PASSWORD:
                self.prompts.err("Key password is too short - must be at least 6 characters\n")
            elif self.prompts.password("Re-enter new password: ") == answer:
                return answer
            else:
                self.prompts.err("They don't match. Try again\n")
        raise KeytoolError("Key password is too short - must be at least 6 characters")


def _no_such_type(name: str) -> KeytoolError:
    return KeytoolError(
        f"{name} not found",
        java_class=KEYSTORE,
        hint="This program writes JKS, JCEKS and PKCS12; it finds out by itself what a file is.",
    )


def _is_passwordless(keystore: Keystore) -> bool:
    if keystore.format is not Format.PKCS12:
        return False
    from keystoretools.pkcs12_state import Pkcs12State

    state = keystore.state
    return isinstance(state, Pkcs12State) and state.is_passwordless and not state.sealed

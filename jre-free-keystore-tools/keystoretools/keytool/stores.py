"""Stores opened and saved as keytool does.

A `Store` is one keystore file of this call.  Reading commands accept an empty password (and say that nothing was
verified); writing ones ask three times.  A file that another program changed between reading and writing is not
overwritten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from keystoretools import files
from keystoretools.certificate import Certificate
from keystoretools.detect import Kind, sniff
from keystoretools.entries import TrustedCertificateEntry
from keystoretools.errors import CorruptError, ErrorCode, FileError, KeystoreError, WrongPasswordError
from keystoretools.keytool.failures import (
    ARGUMENT,
    IO,
    KEYSTORE,
    KeytoolError,
    TooManyFailures,
    cannot_open,
    not_pkcs12,
    of_library,
)
from keystoretools.keytool.session import LEAST_PASSWORD, TRIES, Session
from keystoretools.limits import Budget
from keystoretools.model import Format, Keystore
from keystoretools.secret import Password
from keystoretools.store import not_a_keystore, open_keystore, save_keystore

_TYPES: Final = {"JKS": Format.JKS, "CASEEXACTJKS": Format.JKS, "JCEKS": Format.JCEKS, "PKCS12": Format.PKCS12}
_READ_TYPES: Final = {**_TYPES, "BKS": Format.BKS}
_STORES: Final = (Kind.JKS, Kind.JCEKS, Kind.PKCS12)
# What Java opens under the name of a type: JKS and PKCS12 stand for each other.
_KINDS_OF_TYPE: Final = {
    "JKS": (Kind.JKS, Kind.PKCS12),
    "PKCS12": (Kind.JKS, Kind.PKCS12),
    "CASEEXACTJKS": (Kind.JKS,),
    "JCEKS": (Kind.JCEKS, Kind.JKS),
}
_BOX: Final = """
*****************  WARNING WARNING WARNING  *****************
* The integrity of the information stored in {0}*
* has NOT been verified!  In order to verify its integrity, *
* you must provide {1}*
*****************  WARNING WARNING WARNING  *****************

"""
_NO_INTEGRITY: Final = (
    "Integrity check failed: java.security.UnrecoverableKeyException: Failed PKCS12 integrity checking"
)
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
    def trusted(self) -> frozenset[Certificate]:
        """What the store trusts as it stands: weak signatures on it do not matter."""
        entries = self.keystore.trusted_certificates
        return frozenset(entry.certificate for entry in entries if entry.java_sees_it)

    @property
    def is_pkcs12(self) -> bool:
        return self.keystore.format is Format.PKCS12


def keystore_name(session: Session, option: str = "keystore") -> str:
    """The path as typed, or the default, or that of Java's truststore.  Raises KeytoolError where there is none."""
    name = session.get(option)
    if session.has("cacerts"):
        if name is not None or session.get("storetype") is not None:
            raise KeytoolError(
                "The -keystore or -storetype option cannot be used with the -cacerts option", java_class=ARGUMENT
            )
        from keystoretools.keytool import cacerts

        found = cacerts.find(session.environ)
        if found is None:
            raise KeytoolError(
                "There is no Java here whose cacerts could be used",
                hint="Set JAVA_HOME, or name the file: -keystore <java home>/lib/security/cacerts -storepass changeit",
            )
        return str(found)
    return str(session.home() / ".keystore") if name is None else name


def open_to_read(session: Session) -> Store:
    """The store of -keystore for a command that changes nothing."""
    name = keystore_name(session)
    data = _existing(session, name)
    require_store(session, data, session.get("storetype"))
    password = session.password("storepass")
    if password is None and not session.has("protected") and wants_password(session, data):
        password = session.prompts.password("Enter keystore password:  ")
    return opened(session, name, data, password, session.get("storetype"))


def open_to_write(
    session: Session,
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
    name = keystore_name(session, option)
    wanted = type_of(session, type_option)
    if not session.prompts.is_terminal:
        session.lock(session.path(name))
    data = None if may_create and not _is_there(session, name) else _existing(session, name)
    if data is not None:
        require_store(session, data, session.get(type_option))
    is_new = data is None or fresh
    password = session.password(password_option) or fallback
    if password is None and not session.has("protected") and (is_new or data is None or wants_password(session, data)):
        password = _ask_store_password(session, question, is_new=is_new)
    elif is_new and password is not None and len(password.reveal()) < LEAST_PASSWORD:
        raise KeytoolError("Keystore password must be at least 6 characters")
    if data is None or fresh:
        kind = wanted or Format.PKCS12
        made = Store(name, session.path(name), Keystore(format=kind, password=password), data, kind.value)
        return _without_key_password(session, made, option)
    store = opened(session, name, data, password, session.get(type_option), loudly=False)
    if password is not None and not store.keystore.verified and store.keystore.password is None:
        store.keystore = attrs.evolve(store.keystore, password=password)
    return _without_key_password(session, store, option)


def _without_key_password(session: Session, store: Store, option: str) -> Store:
    """The store; -keypass is forgotten where keys have the password of the store."""
    given = session.password("keypass")
    if option == "keystore" and ignores_key_password(session, store, given, "keypass"):
        del session.passwords["keypass"]
    return store


def ignores_key_password(session: Session, store: Store, given: Password | None, option: str) -> bool:
    """Whether `given` does not count because a PKCS#12's keys have the store's password; says so."""
    if given is None or not store.is_pkcs12 or given == store.password:
        return False
    session.prompts.err(
        "Warning:  Different store and key passwords not supported for PKCS12 KeyStores."
        f" Ignoring user-specified -{option} value.\n"
    )
    return True


def opened(
    session: Session,
    name: str,
    data: bytes,
    password: Password | None,
    type_name: str | None,
    *,
    is_source: bool = False,
    loudly: bool = True,
) -> Store:
    """A store read from octets; says so when its integrity could not be checked."""
    wanted = None if type_name is None else _READ_TYPES.get(type_name.upper())
    if type_name is not None and wanted is None:
        raise _no_such_type(type_name)
    kind = sniff(data).kind
    if wanted is Format.BKS and kind is not Kind.BKS and type_name is not None:
        raise _no_such_type(type_name)
    if kind is Kind.JCEKS and wanted is Format.PKCS12:
        raise not_pkcs12(data)
    if kind not in _KINDS_OF_TYPE.get((type_name or "").upper(), (kind,)) and kind in _STORES:
        raise KeytoolError("Invalid keystore format", java_class=IO)
    try:
        keystore = open_keystore(data, password, budget=session.budget)
    except KeystoreError as error:
        if isinstance(error, WrongPasswordError) and not _has_sealed_contents(data):
            raise KeytoolError(_NO_INTEGRITY, java_class=IO) from error
        raise cannot_open(error, data, None if wanted is None else wanted.value) from error
    if loudly and password is None and not session.has("protected") and not _is_passwordless(keystore):
        session.prompts.err(_BOX.format(*(_SOURCE if is_source else _YOURS)))
    visible = tuple(entry for entry in keystore.entries if entry.java_sees_it)
    unseen = len(keystore.entries) - len(visible)
    if unseen and not is_source:
        session.prompts.hint(
            f"{unseen} entries are not shown because Java ignores them (certificates without the mark of trust, or"
            " keys that are not encrypted)."
        )
    shown = type_name.upper() if wanted is not None and type_name is not None else keystore.format.value
    return Store(name, session.path(name), keystore, data, shown)


def save(session: Session, store: Store, *, warn: bool = True) -> None:
    """Write the store back, whole or not at all.  Raises KeytoolError."""
    if session.has("v"):
        session.prompts.err(f"[Storing {store.name}]\n")
    try:
        octets = save_keystore(store.keystore, now_ms=session.now_ms, budget=session.budget)
        session.lock(store.path)
        is_new = store.before is None
        files.save(
            store.path,
            octets,
            backup=False,
            create=is_new,
            expected=store.before,
            now=session.now,
            check=_check(session, store),
        )
    except FileError as error:
        if error.code is ErrorCode.NO_SUCH_FILE or store.path.is_dir():
            raise session._file_error(error, store.name) from error
        raise KeytoolError(error.sentence, java_class=IO) from error
    except KeystoreError as error:
        raise of_library(error) from error
    if is_new:
        session.prompts.hint(f"created new keystore {store.path}")
    store.before = octets
    if warn:
        warn_about(session, store)


def _check(session: Session, store: Store) -> Callable[[bytes], object]:
    """Reads what was written before it takes the old store's place."""

    def check(octets: bytes) -> None:
        again = open_keystore(octets, store.password, budget=Budget(limits=session.budget.limits))
        if sorted(one.alias.lower() for one in again.entries) != sorted(
            one.alias.lower() for one in store.keystore.entries
        ):
            raise CorruptError("The keystore as written does not read back as it should; nothing was changed.")

    return check


def require_whole_chain(store: Store, chain: Sequence[Certificate]) -> None:
    """A PKCS#12 holds no order of certificates: it keeps a chain only when each link names the next.

    Raises KeytoolError in Java's words.
    """
    links = itertools.pairwise(chain)
    whole = len(set(chain)) == len(chain) and all(
        one.issuer.comparable == other.subject.comparable for one, other in links
    )
    if store.is_pkcs12 and not whole:
        raise KeytoolError(
            "Certificate chain is not valid",
            java_class=KEYSTORE,
            hint="A PKCS12 takes only a chain in which every certificate was issued by the next one.",
        )


def warn_about(session: Session, store: Store) -> None:
    """keytool's advice for stores of a Java-only format that hold keys."""
    kind = store.keystore.format
    if kind is not Format.PKCS12 and any(
        not isinstance(entry, TrustedCertificateEntry) for entry in store.keystore.entries
    ):
        session.warnings.append(
            f"The {kind.value} keystore uses a proprietary format. It is recommended to migrate to PKCS12 which is"
            f' an industry standard format using "keytool -importkeystore -srckeystore {store.name}'
            f' -destkeystore {store.name} -deststoretype pkcs12".'
        )


def type_of(session: Session, option: str) -> Format | None:
    """The format an option names, None when it is absent.  Raises KeytoolError for unknown ones."""
    name = session.get(option)
    if name is None:
        return None
    if name.upper() not in _TYPES:
        raise _no_such_type(name)
    return _TYPES[name.upper()]


def _is_there(session: Session, name: str) -> bool:
    path = session.path(name)
    return path.exists() and not path.is_dir()


def _existing(session: Session, name: str) -> bytes:
    path = session.path(name)
    if not path.exists() or path.is_dir():
        hint = ""
        try:
            files.load(path, limits=session.budget.limits)
        except KeystoreError as error:
            hint = error.sentence if "Did you mean" in error.sentence else ""
        raise session._missing(KeytoolError(f"Keystore file does not exist: {name}", hint=hint), name)
    data = session.read_file(name)
    if not data:
        raise KeytoolError(f"Keystore file exists, but is empty: {name}")
    return data


def require_file(session: Session) -> None:
    """Raise KeytoolError when the file of -keystore is not there, before any question is asked."""
    _existing(session, keystore_name(session))


def is_pkcs12_there(session: Session) -> bool:
    """Whether the file of -keystore is a PKCS#12, before any question is asked."""
    name = keystore_name(session)
    return _is_there(session, name) and sniff(session.read_file(name)).kind is Kind.PKCS12


def require_store(session: Session, data: bytes, type_name: str | None) -> None:
    """Without -storetype the file is looked at before any question; with it, only when it is opened."""
    found = sniff(data)
    if type_name is None and found.kind not in (Kind.JKS, Kind.JCEKS, Kind.PKCS12, Kind.BKS):
        raise cannot_open(not_a_keystore(found), data, None)


def wants_password(session: Session, data: bytes) -> bool:
    """Java's password-less PKCS#12 files (cacerts since Java 18) are opened without asking."""
    if sniff(data).kind is not Kind.PKCS12:
        return True
    try:
        return not _is_passwordless(open_keystore(data, budget=session.budget))
    except KeystoreError:
        return True


def _ask_store_password(session: Session, question: str, *, is_new: bool) -> Password:
    for _ in range(TRIES):
        password = session.prompts.password(question)
        if password is None or len(password.reveal()) < LEAST_PASSWORD:
            session.prompts.err("Keystore password is too short - must be at least 6 characters\n")
        elif not is_new or session.prompts.password("Re-enter new password: ") == password:
            return password
        else:
            session.prompts.err("They don't match. Try again\n")
    raise TooManyFailures


def _no_such_type(name: str) -> KeytoolError:
    return KeytoolError(
        f"{name.upper()} not found",
        java_class=KEYSTORE,
        hint="This program writes JKS, JCEKS and PKCS12; it finds out by itself what a file is.",
    )


def _has_sealed_contents(data: bytes) -> bool:
    """Whether the password of the store is needed for more than its integrity; always where it is no PKCS#12."""
    try:
        keystore = open_keystore(data)
    except KeystoreError:
        return True
    from keystoretools.pkcs12_state import Pkcs12State

    return not isinstance(keystore.state, Pkcs12State) or bool(keystore.state.sealed)


def _is_passwordless(keystore: Keystore) -> bool:
    if keystore.format is not Format.PKCS12:
        return False
    from keystoretools.pkcs12_state import Pkcs12State

    state = keystore.state
    return isinstance(state, Pkcs12State) and state.is_passwordless and not state.sealed

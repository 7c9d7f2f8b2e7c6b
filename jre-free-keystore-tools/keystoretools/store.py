"""Octets to Keystore and back, whatever the format.  No files are touched here."""

from __future__ import annotations

from collections.abc import Callable
from os import urandom

import attrs

from keystoretools import detect
from keystoretools.detect import Kind
from keystoretools.errors import (
    CorruptError,
    KeystoreError,
    LimitError,
    MangledError,
    NotAKeystoreError,
    PasswordNeededError,
    TruncatedError,
    UnsupportedError,
    WrongPasswordError,
)
from keystoretools.limits import Budget, Limits, check
from keystoretools.model import Format, Keystore
from keystoretools.profiles import PORTABLE, Profile
from keystoretools.secret import Password


def open_keystore(
    data: bytes,
    password: Password | str | None = None,
    *,
    limits: Limits | None = None,
    budget: Budget | None = None,
) -> Keystore:
    """Read a keystore of any format this package knows, told by its content.

    Without a password the store is listed unverified, keys locked.  Base64 text around a store is taken off.
    Raises NotAKeystoreError (saying what it is), MangledError, TruncatedError, CorruptError,
    WrongPasswordError, LimitError, UnsupportedError.
    """
    budget = Budget(limits=limits or Limits()) if budget is None else budget
    check("a file with a size in octets", len(data), budget.limits.file_bytes)
    found = detect.sniff(data)
    given = None if password is None else Password.of(password)
    try:
        return _read(found, given, budget)
    except (TruncatedError, CorruptError, LimitError, WrongPasswordError) as error:
        damage = detect.line_end_damage(found.content)
        if damage is None:
            raise
        raise MangledError(
            f"The {found.kind.words} was damaged on its way here ({damage}). Fetch it again in binary mode.",
            damage=damage,
        ) from error


def _read(found: detect.Detected, password: Password | None, budget: Budget) -> Keystore:
    if found.kind in (Kind.JKS, Kind.JCEKS):
        from keystoretools.jks import read_jks

        return read_jks(found.content, password, budget)
    if found.kind is Kind.PKCS12:
        from keystoretools.pkcs12_read import read_pkcs12

        return read_pkcs12(found.content, password, budget)
    if found.kind is Kind.BKS:
        from keystoretools.bks import read_bks

        return read_bks(found.content, password, budget)
    raise not_a_keystore(found)


def not_a_keystore(found: detect.Detected) -> KeystoreError:
    """The error for content that is no readable keystore, with what it is and what to do."""
    if found.kind is Kind.MANGLED:
        return MangledError(found.sentence, damage=found.detail)
    if found.kind.is_keystore:
        return UnsupportedError(found.sentence, name=found.kind.words)
    return NotAKeystoreError(found.sentence, looks_like=found.kind.words)


def save_keystore(
    keystore: Keystore,
    password: Password | str | None = None,
    *,
    format: Format | None = None,
    profile: Profile | None = None,
    now_ms: int = 0,
    random: Callable[[int], bytes] = urandom,
    budget: Budget | None = None,
) -> bytes:
    """The octets of the store under `password` (None: `keystore.password`).

    `format` None keeps the store's: a JKS never becomes a PKCS#12 by accident.  Untouched entries stay octet for octet
    where the format allows.  A new password takes along the keys that were under the old one; in JKS and JCEKS, not in
    PKCS#12, `Keystore.set_password` with `keys_too=False` prevents that.

    `profile`: None changes as little as possible (an existing PKCS#12 keeps its ciphers, counts and integrity check,
    also weak ones; a new one is `PORTABLE`).  A given profile encrypts everything that the password opens anew, where
    it was encrypted otherwise.  JKS has no choice, JCEKS only that of the count.
    `now_ms` (milliseconds since 1970) dates entries without a date, new and imported ones, in formats that need one.
    Give it: there is no clock in here, and without it they are of 1970.

    A store that was read without its password is not saved: its integrity check was never made, and saving
    would make a new one over octets that anybody may have changed.  Where that is meant (a trust store whose
    password nobody knows), import its entries into a new `Keystore`.  PKCS#12 files in Java's form without a
    password have no such check, and are saved with or without one.
    Raises PasswordNeededError, OperationError, WrongKeyPasswordError, UnsupportedError (format not written).
    """
    budget = Budget() if budget is None else budget
    _require_checked(keystore)
    chosen = keystore.password if password is None else Password.of(password)
    if keystore.password is not None and chosen is not None and chosen != keystore.password:
        keystore = keystore.set_password(chosen, budget=budget)
    target = keystore
    if format is not None and format is not keystore.format:
        target = attrs.evolve(keystore, format=format, state=None)
    if target.format is Format.PKCS12:
        from keystoretools.pkcs12_write import write_pkcs12

        return write_pkcs12(target, chosen, profile=profile, now_ms=now_ms, random=random, budget=budget)
    if chosen is None:
        raise PasswordNeededError("A password is needed to save the keystore.")
    if target.format in (Format.JKS, Format.JCEKS):
        from keystoretools.jks import write_jks

        return write_jks(
            target,
            chosen,
            now_ms=now_ms,
            random=random,
            budget=budget,
            jceks_iterations=(profile or PORTABLE).jceks_iterations,
        )
    raise UnsupportedError(f"{target.format.value} keystores are not written here.", name=target.format.value)


def _require_checked(keystore: Keystore) -> None:
    """Refuse what was read from a file whose integrity check nobody made (`version` 0: made here)."""
    if keystore.verified or keystore.version == 0 or not _has_check(keystore):
        return
    raise PasswordNeededError(
        "The keystore was read without its password, so nobody knows whether it was altered; open it with the"
        " password to save it."
    )


def _has_check(keystore: Keystore) -> bool:
    if keystore.format is not Format.PKCS12:
        return True
    from keystoretools.pkcs12_state import Pkcs12State

    return isinstance(keystore.state, Pkcs12State) and keystore.state.mac is not None

"""The three kinds of entry a keystore has, all frozen, all keeping the octets they were read from.

A key is either a `LockedKey` (as it lies in the file, carried unchanged) or an open `PrivateKey` /
`SecretKey`, which the writer locks under `key_password`, or under the store's password when that is None.
`created_ms` is milliseconds since 1970-01-01 UTC, None when the file does not say (0 and negative values
occur). `attributes` are PKCS#12 bag attributes that this package does not interpret, kept for the next
rewrite. `java_sees_it` is False for entries that Java leaves out of its listing (a PKCS#12 certificate
without Oracle's mark).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs

from keystoretools.certificate import Certificate
from keystoretools.errors import PasswordNeededError, quoted
from keystoretools.limits import Budget
from keystoretools.lockedkey import LockedKey, SecretKey, unlock_private_key, unlock_secret_key
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Attribute:
    """A PKCS#12 bag attribute: dotted OID and the whole DER of the SEQUENCE { OID, SET }."""

    oid: str
    der: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class PrivateKeyEntry:
    """A private key and its certificates: `chain[0]` is the key's own, then its issuers (may be empty)."""

    alias: str
    key: LockedKey | PrivateKey
    chain: tuple[Certificate, ...] = ()
    created_ms: int | None = None
    key_password: Password | None = None
    attributes: tuple[Attribute, ...] = ()
    java_sees_it: bool = True

    @property
    def created(self) -> datetime | None:
        """The creation date, aware, UTC; None when unknown or beyond what a date can hold."""
        return moment(self.created_ms)

    def unlock(self, password: Password | str | None = None, budget: Budget | None = None) -> PrivateKey:
        """The key, opened with `password`, else with `key_password`.

        Raises PasswordNeededError, WrongKeyPasswordError, LimitError, UnsupportedError, CorruptError.
        """
        if isinstance(self.key, PrivateKey):
            return self.key
        return unlock_private_key(
            self.key, _needed(self, password), Budget() if budget is None else budget, alias=self.alias
        )


@attrs.frozen(kw_only=True)
class SecretKeyEntry:
    """A symmetric key or a stored password."""

    alias: str
    key: LockedKey | SecretKey
    created_ms: int | None = None
    key_password: Password | None = None
    attributes: tuple[Attribute, ...] = ()
    java_sees_it: bool = True

    @property
    def created(self) -> datetime | None:
        """As in PrivateKeyEntry."""
        return moment(self.created_ms)

    def unlock(self, password: Password | str | None = None, budget: Budget | None = None) -> SecretKey:
        """As in PrivateKeyEntry."""
        if isinstance(self.key, SecretKey):
            return self.key
        return unlock_secret_key(
            self.key, _needed(self, password), Budget() if budget is None else budget, alias=self.alias
        )


@attrs.frozen(kw_only=True)
class TrustedCertificateEntry:
    """A certificate somebody decided to trust; no key belongs to it here."""

    alias: str
    certificate: Certificate
    created_ms: int | None = None
    attributes: tuple[Attribute, ...] = ()
    java_sees_it: bool = True

    @property
    def created(self) -> datetime | None:
        """As in PrivateKeyEntry."""
        return moment(self.created_ms)


KeyEntry = PrivateKeyEntry | SecretKeyEntry
Entry = PrivateKeyEntry | SecretKeyEntry | TrustedCertificateEntry


def moment(created_ms: int | None) -> datetime | None:
    """Milliseconds since 1970 as an aware date; None for None and for what no date can hold."""
    try:
        return None if created_ms is None else _EPOCH + timedelta(milliseconds=created_ms)
    except OverflowError:
        return None


def fold_alias(alias: str) -> str:
    """What Java compares: lower case by English rules.

    `str.lower` gives the same (sharp s stays, dotted capital I becomes i and U+0307); `casefold` does not.
    """
    return alias.lower()


def _needed(entry: KeyEntry, password: Password | str | None) -> Password:
    chosen = entry.key_password if password is None else Password.of(password)
    if chosen is None:
        raise PasswordNeededError(f"The key {quoted(entry.alias)} needs a password.", alias=entry.alias)
    return chosen

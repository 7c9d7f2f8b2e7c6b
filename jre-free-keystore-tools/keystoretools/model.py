"""`Keystore`: what every format is read into and written from.  Frozen; every change gives a new one.

Entries keep the order of the file, new ones come last.  Aliases are compared as Java compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cached_property

import attrs

from keystoretools.entries import (
    Entry,
    KeyEntry,
    PrivateKeyEntry,
    SecretKeyEntry,
    TrustedCertificateEntry,
    fold_alias,
)
from keystoretools.errors import (
    CorruptError,
    ErrorCode,
    KeystoreError,
    LimitError,
    OperationError,
    UnsupportedError,
    WrongKeyPasswordError,
    quoted,
)
from keystoretools.limits import Budget
from keystoretools.lockedkey import LockedKey, SecretKey
from keystoretools.octets import encode_modified_utf8
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password


class Format(Enum):
    """The kinds of keystore this package models; the value is Java's name of the type."""

    JKS = "JKS"
    JCEKS = "JCEKS"
    PKCS12 = "PKCS12"
    BKS = "BKS"

    @property
    def provider(self) -> str:
        """The provider that keytool names in its listing."""
        return {"JCEKS": "SunJCE", "BKS": "BC"}.get(self.value, "SUN")

    @property
    def holds_secret_keys(self) -> bool:
        return self is not Format.JKS


@attrs.frozen(kw_only=True)
class Note:
    """Something the reader noticed that is no error: `code` for programs, `sentence` for people."""

    code: str
    sentence: str
    alias: str | None = None


@attrs.frozen
class FormatState:
    """What one format's reader wants to find again when the store is rewritten; others do not look inside.

    Each format subclasses it in its own module (PKCS#12: algorithms and counts, unknown bags and contents).
    """


@attrs.frozen(kw_only=True)
class Keystore:
    """An ordered collection of entries.

    `password` is the store's: what it was opened with and what it will be saved under (None: not given).
    `verified`: the integrity check passed with a password; False when none was given or the file has no
    check. `version`: the format's own version number.
    """

    format: Format
    entries: tuple[Entry, ...] = ()
    password: Password | None = None
    verified: bool = False
    version: int = 0
    notes: tuple[Note, ...] = ()
    state: FormatState | None = attrs.field(default=None, repr=False)

    # --- looking ---

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, alias: object) -> bool:
        return isinstance(alias, str) and self.get(alias) is not None

    def get(self, alias: str) -> Entry | None:
        """The entry Java would find under `alias`; one spelt exactly so comes first."""
        places = self._places.get(fold_alias(alias), ())
        found = [self.entries[at] for at in places]
        return next((entry for entry in found if entry.alias == alias), found[0] if found else None)

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Folded alias -> places in `entries` (several where a file is odd)."""
        places: dict[str, list[int]] = {}
        for at, entry in enumerate(self.entries):
            places.setdefault(fold_alias(entry.alias), []).append(at)
        return places

    def __getitem__(self, alias: str) -> Entry:
        """As `get`; raises OperationError `no-such-alias`, naming the aliases there are."""
        entry = self.get(alias)
        if entry is None:
            there = ", ".join(quoted(one.alias) for one in self.entries[:10]) or "no entries at all"
            more = f" and {len(self.entries) - 10} more" if len(self.entries) > 10 else ""
            raise OperationError(
                f"There is no entry {quoted(alias)} in the keystore; it has {there}{more}.",
                code=ErrorCode.NO_SUCH_ALIAS,
                alias=alias,
            )
        return entry

    @property
    def private_keys(self) -> tuple[PrivateKeyEntry, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, PrivateKeyEntry))

    @property
    def secret_keys(self) -> tuple[SecretKeyEntry, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, SecretKeyEntry))

    @property
    def trusted_certificates(self) -> tuple[TrustedCertificateEntry, ...]:
        return tuple(entry for entry in self.entries if isinstance(entry, TrustedCertificateEntry))

    def unlock(
        self, alias: str, password: Password | str | None = None, *, budget: Budget | None = None
    ) -> PrivateKey | SecretKey:
        """The key of an entry, opened with `password`, else the entry's own, else the store's.

        Raises OperationError (no-such-alias, no-private-key) and what `PrivateKeyEntry.unlock` raises.
        """
        entry = self[alias]
        if isinstance(entry, TrustedCertificateEntry):
            raise OperationError(
                f"The entry {quoted(entry.alias)} is a trusted certificate: there is no private key in it.",
                code=ErrorCode.NO_PRIVATE_KEY,
                alias=entry.alias,
            )
        return entry.unlock(self._password_for(entry, password), budget)

    def locked_apart(self, *, budget: Budget | None = None) -> tuple[str, ...]:
        """Aliases of keys that do not open with the store's password: a Java server fails for the whole
        store.

        Keys that cannot be tried (unknown algorithm, absurd counts) are counted among them.
        """
        budget = Budget() if budget is None else budget
        apart: list[str] = []
        for entry in self.entries:
            if isinstance(entry, TrustedCertificateEntry) or (not isinstance(entry.key, LockedKey)):
                if isinstance(entry, KeyEntry) and entry.key_password not in (None, self.password):
                    apart.append(entry.alias)
                continue
            try:
                entry.unlock(self.password, budget)
            except KeystoreError:
                apart.append(entry.alias)
        return tuple(apart)

    def _password_for(self, entry: KeyEntry, given: Password | str | None) -> Password | None:
        return Password.of(given) if given is not None else entry.key_password or self.password

    # --- changing: every method returns a new Keystore ---

    def add(self, entry: Entry, *, replace: bool = False) -> Keystore:
        """With `entry` last, or in the place of the one whose alias it takes when `replace` is given.

        Raises OperationError alias-exists, alias-not-allowed, cannot-hold-secret-keys.
        """
        return self.add_all([entry], replace=replace)

    def add_all(self, entries: Iterable[Entry], *, replace: bool = False) -> Keystore:
        """As `add` for each, one after the other, in one go: stores of a hundred thousand entries occur."""
        now, places = list(self.entries), {alias: list(found) for alias, found in self._places.items()}
        for entry in entries:
            self._check(entry)
            there = places.setdefault(fold_alias(entry.alias), [])
            if not there:
                there.append(len(now))
                now.append(entry)
                continue
            at = next((at for at in there if now[at].alias == entry.alias), there[0])
            if not replace:
                raise OperationError(
                    f"An entry {quoted(now[at].alias)} is already in the keystore.",
                    code=ErrorCode.ALIAS_EXISTS,
                    alias=now[at].alias,
                )
            now[at] = entry
        return attrs.evolve(self, entries=tuple(now))

    def remove(self, alias: str) -> Keystore:
        """Without that entry.  Raises OperationError no-such-alias."""
        gone = self[alias]
        return attrs.evolve(self, entries=tuple(entry for entry in self.entries if entry is not gone))

    def rename(self, old: str, new: str) -> Keystore:
        """With another alias on one entry, in its place.  Raises as `add` and `remove`."""
        entry, other = self[old], self.get(new)
        if other is not None and other is not entry:
            raise OperationError(
                f"An entry {quoted(other.alias)} is already in the keystore.",
                code=ErrorCode.ALIAS_EXISTS,
                alias=other.alias,
            )
        renamed = attrs.evolve(entry, alias=new)
        self._check(renamed)
        return self._with(entry, renamed)

    def set_password(self, new: Password | str, *, keys_too: bool = True, budget: Budget | None = None) -> Keystore:
        """Saved under `new` from now on; keys under the old store password follow unless `keys_too` is False.

        Keys that do not open with the old password keep their own (name them with `locked_apart` afterwards).
        """
        changed = attrs.evolve(self, password=Password.of(new))
        if keys_too:
            budget = Budget() if budget is None else budget
            entries = tuple(self._opened(entry, self.password, budget) for entry in self.entries)
            changed = attrs.evolve(changed, entries=entries)
        return changed

    def set_key_password(
        self, alias: str, new: Password | str | None, *, old: Password | str | None = None
    ) -> Keystore:
        """One key under another password (None: the store's).  Raises what `unlock` raises."""
        entry = self[alias]
        key = self.unlock(alias, old)
        if isinstance(entry, TrustedCertificateEntry):  # pragma: no cover - unlock has refused it
            raise AssertionError
        return self._with(entry, _with_key(entry, key, None if new is None else Password.of(new)))

    def import_(
        self,
        source: Keystore,
        *,
        aliases: Mapping[str, str] | None = None,
        key_passwords: Mapping[str, Password | str] | None = None,
        replace: bool = False,
        accept: Callable[[Entry], bool] | None = None,
        budget: Budget | None = None,
    ) -> Keystore:
        """With the entries of another store; their keys come under **this** store's password.

        (keytool leaves them under the source's, and a Java server then fails with "Cannot recover key".)
        `aliases`: which entries, and their new names (None: all, names kept).  `key_passwords`: by source
        alias, for keys whose password is not the source store's.  `accept`: leave out entries for which it
        is False.  What Java did not see in the source (unmarked certificates) it sees in this store.
        Raises OperationError as `add`, WrongKeyPasswordError, PasswordNeededError.
        """
        budget = Budget() if budget is None else budget
        passwords = {fold_alias(alias): password for alias, password in (key_passwords or {}).items()}
        names = {entry.alias: entry.alias for entry in source.entries} if aliases is None else aliases
        imported: list[Entry] = []
        for name, new_name in names.items():
            entry = source[name]
            if accept is not None and not accept(entry):
                continue
            if not isinstance(entry, TrustedCertificateEntry):
                given = source._password_for(entry, passwords.get(fold_alias(entry.alias)))
                entry = _with_key(entry, entry.unlock(given, budget), None)
            imported.append(attrs.evolve(entry, alias=new_name, java_sees_it=True))
        return self.add_all(imported, replace=replace)

    def _with(self, old: Entry, new: Entry) -> Keystore:
        return attrs.evolve(self, entries=tuple(new if entry is old else entry for entry in self.entries))

    def _opened(self, entry: Entry, password: Password | None, budget: Budget) -> Entry:
        """The entry with its key open when `password` opens it, else as it is (damaged and absurd ones too)."""
        if isinstance(entry, TrustedCertificateEntry) or not isinstance(entry.key, LockedKey) or password is None:
            return entry
        try:
            return _with_key(entry, entry.unlock(password, budget), None)
        except (WrongKeyPasswordError, CorruptError, LimitError, UnsupportedError):
            return entry

    def _check(self, entry: Entry) -> None:
        if isinstance(entry, SecretKeyEntry) and not self.format.holds_secret_keys:
            raise OperationError(
                f"A {self.format.value} keystore cannot hold the secret key {quoted(entry.alias)};"
                " PKCS12 and JCEKS can.",
                code=ErrorCode.CANNOT_HOLD_SECRET_KEYS,
                alias=entry.alias,
            )
        if len(encode_modified_utf8(entry.alias)) > 65_535:
            raise OperationError(
                "An alias has at most 65535 octets.", code=ErrorCode.ALIAS_NOT_ALLOWED, alias=entry.alias
            )


def _with_key(entry: KeyEntry, key: PrivateKey | SecretKey, key_password: Password | None) -> KeyEntry:
    if isinstance(entry, PrivateKeyEntry) and isinstance(key, PrivateKey):
        return attrs.evolve(entry, key=key, key_password=key_password)
    if isinstance(entry, SecretKeyEntry) and isinstance(key, SecretKey):
        return attrs.evolve(entry, key=key, key_password=key_password)
    raise AssertionError("an entry unlocks to a key of its own kind")

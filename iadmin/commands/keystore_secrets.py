"""Secret keys and stored passwords of keystores that somebody gives to `iadmin keystore import`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from iadmin.commands.keystore_plan import Plan, Step, Wishes
from iadmin.commands.keystore_sources import Sources
from keystoretools import Keystore, KeystoreError, OperationError, Password, SecretKeyEntry
from keystoretools.errors import ErrorCode, quoted
from keystoretools.lockedkey import SecretKey


@attrs.frozen(kw_only=True)
class FoundSecrets:
    """Entries with their keys open, to come under the keystore's password; and the aliases of those still locked."""

    entries: tuple[SecretKeyEntry, ...] = ()
    locked: tuple[str, ...] = ()


def find_secrets(sources: Sources) -> FoundSecrets:
    """All secret keys of the given keystores, opened with the keystore's own password or one of the given ones."""
    entries: list[SecretKeyEntry] = []
    locked: list[str] = []
    for store in sources.contents.stores:
        for entry in store.secret_keys:
            key = _opened(store, entry, sources)
            if key is None:
                locked.append(entry.alias)
            else:
                entries.append(SecretKeyEntry(alias=entry.alias, key=key, created_ms=entry.created_ms))
    return FoundSecrets(entries=tuple(entries), locked=tuple(locked))


def plan_secrets(keystore: Keystore, found: FoundSecrets, wishes: Wishes) -> Plan:
    """Steps for the secret keys; remarks where the format cannot hold them. Raises `OperationError`: alias taken."""
    remarks = [f"the secret key {quoted(alias)} was left out: no given password opens it" for alias in found.locked]
    if found.entries and not keystore.format.holds_secret_keys:
        count = len(found.entries)
        remarks.append(
            f"{count} secret key{'s were' if count > 1 else ' was'} left out: a {keystore.format.value} keystore cannot"
            " hold them. Convert it first with iadmin keystore migrate, then import again"
        )
        return Plan(steps=(), remarks=tuple(remarks))
    steps = []
    for entry in found.entries:
        there = keystore.get(entry.alias)
        if there is None:
            steps.append(Step(entry=entry, sentence=f"Imported the secret key {quoted(entry.alias)}."))
        elif _is_same(keystore, there, entry):
            remarks.append(f"the secret key {quoted(there.alias)} is in the keystore already")
        elif wishes.replace:
            sentence = f"Replaced the entry {quoted(there.alias)} by the secret key of that name."
            steps.append(Step(entry=entry, sentence=sentence, replaces=there.alias))
        else:
            raise OperationError(
                f"An entry {quoted(there.alias)} is there already, with another key; rename it, or replace it with"
                " --replace.",
                code=ErrorCode.ALIAS_EXISTS,
                alias=there.alias,
            )
    return Plan(steps=tuple(steps), remarks=tuple(remarks))


def _opened(store: Keystore, entry: SecretKeyEntry, sources: Sources) -> SecretKey | None:
    passwords: Sequence[Password | None] = (None, *sources.passwords)
    for password in passwords:
        try:
            key = store.unlock(entry.alias, password, budget=sources.budget)
        except KeystoreError:
            continue
        if isinstance(key, SecretKey):
            return key
    return None


def _is_same(keystore: Keystore, there: object, entry: SecretKeyEntry) -> bool:
    if not isinstance(there, SecretKeyEntry):
        return False
    try:
        return keystore.unlock(there.alias) == entry.key
    except KeystoreError:
        return False

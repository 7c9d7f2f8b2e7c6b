"""Reads what a writer made, before it takes the place of anything: is everything in it, and does everything open?

For `files.save(check=...)`: a fault of ours, or of the memory, is then an error and not a lost key.
"""

from __future__ import annotations

from keystoretools.certificate import Certificate
from keystoretools.entries import Entry, PrivateKeyEntry, TrustedCertificateEntry, fold_alias
from keystoretools.errors import CorruptError, KeystoreError, quoted
from keystoretools.limits import Budget
from keystoretools.lockedkey import LockedKey
from keystoretools.model import Keystore
from keystoretools.secret import Password
from keystoretools.store import open_keystore


def require_same(
    octets: bytes, wanted: Keystore, password: Password | str | None = None, *, budget: Budget | None = None
) -> Keystore:
    """The store in `octets`, once it has proved to hold what `wanted` does; `password` None: that of `wanted`.

    Compared are aliases, kinds, all certificates (a PKCS#12 file does not say which chain they are in), and the keys
    that `wanted` holds in the clear.  Raises CorruptError naming the entry, and what opening raises.
    """
    budget = Budget() if budget is None else budget
    chosen = wanted.password if password is None else Password.of(password)
    found = open_keystore(octets, chosen, budget=budget)
    for missing in sorted(map(_summary, wanted.entries)):
        alias = missing[0]
        if missing not in list(map(_summary, found.entries)):
            raise _lost(alias)
    if len(found) != len(wanted):
        raise CorruptError(f"The new keystore has {len(found)} entries instead of {len(wanted)}; nothing was changed.")
    if _certificates(found) != _certificates(wanted):
        raise CorruptError("The new keystore does not hold the same certificates; nothing was changed.")
    for entry in wanted.entries:
        _require_key(found, entry, chosen, budget)
    return found


def _summary(entry: Entry) -> tuple[str, str, bytes]:
    if isinstance(entry, TrustedCertificateEntry):
        return fold_alias(entry.alias), "certificate", entry.certificate.der
    own = entry.chain[0].der if isinstance(entry, PrivateKeyEntry) and entry.chain else b""
    return fold_alias(entry.alias), type(entry).__name__, own


def _certificates(keystore: Keystore) -> set[Certificate]:
    of_keys = {one for entry in keystore.private_keys for one in entry.chain}
    return of_keys | {entry.certificate for entry in keystore.trusted_certificates}


def _require_key(found: Keystore, entry: Entry, password: Password | None, budget: Budget) -> None:
    if isinstance(entry, TrustedCertificateEntry) or isinstance(entry.key, LockedKey):
        return
    for one in (password, entry.key_password):
        try:
            if one is not None and found.unlock(entry.alias, one, budget=budget) == entry.key:
                return
        except KeystoreError:
            continue
    raise _lost(entry.alias)


def _lost(alias: str) -> CorruptError:
    return CorruptError(
        f"The new keystore does not give back the entry {quoted(alias)}; nothing was changed. This is a fault of these"
        " tools: please report it."
    )

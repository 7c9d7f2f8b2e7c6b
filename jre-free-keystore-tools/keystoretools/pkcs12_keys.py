"""Keys for a PKCS#12 file: carried as they are where that is possible and right, locked anew otherwise.

Source: RFC 7292 4.2.2 (shrouded keys); secret keys as `sun.security.pkcs12.PKCS12KeyStore` writes them (facts
only).
"""

from __future__ import annotations

from typing import Final

import attrs

from keystoretools import der, oids, pbe, pbes2
from keystoretools.entries import KeyEntry
from keystoretools.errors import (
    CorruptError,
    KeystoreError,
    PasswordNeededError,
    UnsupportedError,
    WrongKeyPasswordError,
    quoted,
)
from keystoretools.javaprotection import RandomOctets
from keystoretools.limits import Budget
from keystoretools.lockedkey import SECRET_KEY_OIDS, KeyForm, LockedKey, SecretKey
from keystoretools.privatekey import PrivateKey
from keystoretools.profiles import Profile
from keystoretools.secret import Password

_JAVA_PROTECTIONS: Final = (oids.JKS_PROTECTION, oids.JCEKS_PROTECTION)
_OID_OF_SECRET: Final = {name.lower(): oid for oid, name in SECRET_KEY_OIDS.items()}
_AES: Final = "2.16.840.1.101.3.4.1"


@attrs.frozen(kw_only=True)
class KeyLocker:
    """Gives the EncryptedPrivateKeyInfo of each entry's key.

    `old_password` is what the file was opened with (None: it is new).  `renew`: keys that the password opens
    are encrypted anew unless they are as `profile` would have them.
    """

    password: Password | None
    old_password: Password | None
    profile: Profile
    renew: bool
    random: RandomOctets
    budget: Budget

    def locked(self, entry: KeyEntry) -> tuple[bytes, bool]:
        """(octets, whether they are a key in the clear that nobody touched)."""
        key = entry.key
        if isinstance(key, PrivateKey) and not entry.java_sees_it and not self.renew:
            return key.pkcs8.reveal(), True
        if isinstance(key, LockedKey) and self._may_stay(entry, key):
            return key.octets, False
        plain = _plain(self._opened(entry), entry.alias)
        under = entry.key_password or self.password
        if under is None:
            raise PasswordNeededError(
                f"A password is needed to encrypt the key {quoted(entry.alias)}.", alias=entry.alias
            )
        self.budget.spend(self.profile.encryption_iterations, "an iteration count for a key")
        identifier, octets = pbe.encrypt(plain, under, self.profile, self.random)
        return der.sequence(identifier, der.octet_string(octets)), False

    def _may_stay(self, entry: KeyEntry, key: LockedKey) -> bool:
        if key.form is not KeyForm.ENCRYPTED_PKCS8:
            return False
        try:
            if key.scheme in _JAVA_PROTECTIONS:
                return False
        except CorruptError:  # unreadable where it was found: it stays as it is
            return True
        if self.old_password is not None and self.old_password != self.password:
            return self._opens(entry, self.password)
        if self.renew and not self._is_as_wanted(key):
            return not self._opens(entry, entry.key_password or self.password)
        return True

    def _opens(self, entry: KeyEntry, password: Password | None) -> bool:
        try:
            entry.unlock(password, self.budget)
        except KeystoreError:
            return False
        return True

    def _is_as_wanted(self, key: LockedKey) -> bool:
        """Whether the profile would have used the same scheme: then there is nothing to gain."""
        identifier = der.parse(key.octets).sequence(2)[0]
        parts = identifier.sequence(1)
        if not self.profile.pbes2:
            return parts[0].oid() == pbe.PBE_SHA1_3DES
        try:
            how, cipher, _ = pbes2.read_parameters(parts[1])
        except (KeystoreError, IndexError):
            return False
        return (how.prf, how.key_bytes, cipher.words) == ("sha256", 32, "AES-256")

    def _opened(self, entry: KeyEntry) -> PrivateKey | SecretKey:
        """With the entry's, the new or the old password, whichever fits."""
        candidates = [entry.key_password, self.password, self.old_password]
        for password in dict.fromkeys(one for one in candidates if one is not None):
            try:
                return entry.unlock(password, self.budget)
            except WrongKeyPasswordError:
                continue
        if isinstance(entry.key, PrivateKey | SecretKey):
            return entry.key
        raise WrongKeyPasswordError(
            f"The key {quoted(entry.alias)} must be encrypted anew for the PKCS#12 keystore, but it has another"
            " password than the keystore. Give the key's password.",
            alias=entry.alias,
        )


def _plain(key: PrivateKey | SecretKey, alias: str) -> bytes:
    """PKCS#8, also for secret keys: SEQUENCE { 0, algorithm, OCTET STRING raw key }."""
    if isinstance(key, PrivateKey):
        return key.pkcs8.reveal()
    name = key.algorithm
    oid = name if name[:1].isdigit() else _OID_OF_SECRET.get(name.lower())
    if oid is None:
        raise UnsupportedError(
            f"PKCS#12 has no identifier for the algorithm {quoted(name)} of the secret key {quoted(alias)};"
            " a JCEKS keystore can hold it.",
            name=name,
            alias=alias,
        )
    identifier = der.algorithm(oid, None if oid == _AES else der.null())
    return der.sequence(der.integer(0), identifier, der.octet_string(key.raw.reveal()))

"""BKS, the keystore of BouncyCastle (Android): read, never written.

Layout (numbers big-endian): u4 version (1 or 2), u4 length, salt, u4 iterations; entries; a zero octet; HMAC-SHA1
over entries and zero octet, its key by PKCS#12 derivation (version 1: two octets of key, so that one password in
65 536 passes; that is why version 2 exists).
Entry: u1 kind, utf alias, s8 created, u4 number of certificates, each utf type, u4 length, DER; then the payload:
kind 1 a certificate, 2 a key in clear, 3 octets somebody else encrypted, 4 u4 length and a sealed key.
Sealed key: u4 length, salt, u4 iterations, PBE-SHA1-3DES of: u1 kind (0 private, 1 public, 2 secret), utf format,
utf algorithm, u4 length, octets.
Source: BouncyCastle `BcKeyStoreSpi` (facts only); checked against stores of version 1.72.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import attrs

from keystoretools import der
from keystoretools.certificate import Certificate
from keystoretools.entries import Entry, PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry
from keystoretools.errors import (
    CorruptError,
    KeystoreError,
    NotAKeystoreError,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
    quoted,
)
from keystoretools.limits import Budget, check
from keystoretools.lockedkey import KeyForm, LockedKey, SecretKey
from keystoretools.model import Format, Keystore, Note
from keystoretools.octets import OctetReader
from keystoretools.privatekey import PrivateKey, read_private_key
from keystoretools.secret import Password, SecretBytes

_MAC: Final = 20
_CERTIFICATE, _KEY, _FOREIGN, _SEALED = 1, 2, 3, 4
_PRIVATE, _SECRET = 0, 2
_PBE_SHA1_3DES: Final = "1.2.840.113549.1.12.1.3"


def read_bks(data: bytes, password: Password | None, budget: Budget) -> Keystore:
    """A Keystore of format BKS; sealed keys stay locked.  With a password the HMAC is checked.

    A sealed key without certificates is taken for a secret key, unless the password opens it and it is private.
    Raises NotAKeystoreError, UnsupportedError (version, certificate type), TruncatedError, CorruptError,
    LimitError, WrongPasswordError.
    """
    reader = OctetReader(data)
    version = reader.s4("the header")
    if version not in (1, 2):
        raise NotAKeystoreError("This is no BKS keystore.", looks_like="something else")
    salt = reader.counted("the salt", budget.limits.salt_bytes)
    iterations = reader.s4("the header")
    begin = reader.at
    found: dict[str, Entry] = {}
    notes: list[Note] = []
    count = 0
    while kind := reader.u1("an entry"):
        count += 1
        check("a number of entries", count, budget.limits.entries)
        alias, entry = _read_entry(reader, kind, budget)
        if entry is None:
            sentence = f"The entry {quoted(alias)} holds octets that another program encrypted; it is left out."
            notes.append(Note(code="unknown-entry", sentence=sentence, alias=alias))
        else:
            found[alias] = entry
    content = data[begin : reader.at]
    mac = reader.take(_MAC, "the integrity check at the end")
    if reader.left:
        notes.append(Note(code="trailing-octets", sentence=f"{reader.left} octets follow the end of the keystore."))
    store = Keystore(format=Format.BKS, entries=tuple(found.values()), version=version, notes=tuple(notes))
    if password is None:
        return store
    checked = bool(password.reveal())  # BouncyCastle checks nothing under an empty password
    if checked and not _mac_fits(content, mac, version, salt, iterations, password, budget):
        raise WrongPasswordError(
            "The password does not open the keystore (or the file was altered: the check covers both)."
        )
    entries = tuple(_told_apart(entry, password, budget) for entry in store.entries)
    return attrs.evolve(store, entries=entries, password=password, verified=checked)


def _mac_fits(
    content: bytes, mac: bytes, version: int, salt: bytes, iterations: int, password: Password, budget: Budget
) -> bool:
    from keystoretools.pkcs12kdf import Purpose, derive

    budget.spend(iterations, "an iteration count for the MAC")
    key = derive(Purpose.MAC, password.bmp(), salt, iterations, _MAC if version == 2 else 2)
    return hmac.compare_digest(hmac.new(key, content, hashlib.sha1).digest(), mac)


def _read_entry(reader: OctetReader, kind: int, budget: Budget) -> tuple[str, Entry | None]:
    start = reader.at - 1
    if kind not in (_CERTIFICATE, _KEY, _FOREIGN, _SEALED):
        raise CorruptError(
            f"The file is damaged: the entry at octet {start} has the unknown kind {kind}.", offset=start
        )
    alias, created = reader.utf("an alias"), reader.s8("a creation date")
    size = reader.s4("the number of certificates in a chain")
    if size < 0:
        raise CorruptError("The file is damaged: a number of certificates is negative.", offset=reader.at - 4)
    check("a number of certificates in a chain", size, budget.limits.chain, offset=reader.at - 4)
    chain = tuple(_read_certificate(reader, budget) for _ in range(size))
    if kind == _CERTIFICATE:
        certificate = _read_certificate(reader, budget)
        return alias, TrustedCertificateEntry(alias=alias, created_ms=created, certificate=certificate)
    if kind == _KEY:
        key = _read_clear_key(reader, budget)
        if isinstance(key, PrivateKey):
            return alias, PrivateKeyEntry(alias=alias, created_ms=created, key=key, chain=chain)
        return alias, None if key is None else SecretKeyEntry(alias=alias, created_ms=created, key=key)
    octets = reader.counted(f"the key {quoted(alias)}", budget.limits.key_bytes)
    if kind == _FOREIGN:
        return alias, None
    locked = LockedKey(form=KeyForm.BKS_SEALED, octets=octets)
    if chain:
        return alias, PrivateKeyEntry(alias=alias, created_ms=created, key=locked, chain=chain)
    return alias, SecretKeyEntry(alias=alias, created_ms=created, key=locked)


def _read_certificate(reader: OctetReader, budget: Budget) -> Certificate:
    start = reader.at
    name = reader.utf("the type of a certificate")
    if name not in ("X.509", "X509"):
        raise UnsupportedError(
            f"The certificate at octet {start} is of type {quoted(name)}; only X.509 is known.",
            name=name,
            offset=start,
        )
    return Certificate(reader.counted("a certificate", budget.limits.certificate_bytes))


def _read_clear_key(reader: OctetReader, budget: Budget) -> PrivateKey | SecretKey | None:
    """A key of either kind; None for a public key, which nobody needs."""
    start = reader.at
    kind = reader.u1("a key")
    reader.utf("the format of a key")
    algorithm = reader.utf("the algorithm of a key")
    octets = reader.counted("a key", budget.limits.key_bytes)
    if kind == _PRIVATE:
        return read_private_key(octets)
    if kind == _SECRET:
        return SecretKey(algorithm=algorithm, raw=SecretBytes(octets))
    if kind == 1:
        return None
    raise CorruptError(f"The file is damaged: the key at octet {start} has the unknown kind {kind}.", offset=start)


def open_sealed(
    octets: bytes, password: Password, budget: Budget, *, alias: str | None = None
) -> PrivateKey | SecretKey:
    """The key in a sealed entry.

    Raises WrongKeyPasswordError (bad padding, or rubbish), LimitError (iterations), CorruptError (parameters).
    """
    from keystoretools import pbe

    reader = OctetReader(octets)
    try:
        salt = reader.counted("the salt", budget.limits.salt_bytes)
        iterations = reader.s4("a sealed key")
    except KeystoreError as error:
        raise CorruptError("The sealed key is damaged: its parameters are cut off.", alias=alias) from error
    parameters = der.sequence(der.octet_string(salt), der.integer(iterations))
    identifier = der.parse(der.algorithm(_PBE_SHA1_3DES, parameters))
    plain = pbe.decrypt(identifier, octets[reader.at :], password, budget, alias=alias)
    try:
        key = _read_clear_key(OctetReader(plain), budget)
    except KeystoreError as error:
        raise _wrong_password(alias) from error
    if key is None:
        raise _wrong_password(alias)
    return key


def _told_apart(entry: Entry, password: Password, budget: Budget) -> Entry:
    """A sealed key without certificates, listed as secret: private when the password shows it to be."""
    if not isinstance(entry, SecretKeyEntry) or not isinstance(entry.key, LockedKey):
        return entry
    try:
        key = open_sealed(entry.key.octets, password, budget, alias=entry.alias)
    except KeystoreError:
        return entry
    if isinstance(key, SecretKey):
        return entry
    return PrivateKeyEntry(alias=entry.alias, created_ms=entry.created_ms, key=entry.key)


def _wrong_password(alias: str | None) -> WrongKeyPasswordError:
    which = "this key" if alias is None else f"the key {quoted(alias)}"
    return WrongKeyPasswordError(f"The password does not open {which}: it has another password.", alias=alias)

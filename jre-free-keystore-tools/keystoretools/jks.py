"""JKS and JCEKS, read and written.

Layout (numbers big-endian): magic, version, count, entries, and a digest SHA-1(password as UTF-16BE, "Mighty
Aphrodite", all octets before it).  JCEKS differs in its magic, its key protection, and has secret keys.
Without a password everything but the keys can be listed; the digest then stays unchecked.
Source: `sun.security.provider.JavaKeyStore`, `com.sun.crypto.provider.JceKeyStore` (facts only); checked
against stores of Java 8 and 17.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from keystoretools import der, oids
from keystoretools.certificate import Certificate
from keystoretools.entries import Entry, PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry
from keystoretools.errors import (
    CorruptError,
    ErrorCode,
    KeystoreError,
    NotAKeystoreError,
    OperationError,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
    quoted,
)
from keystoretools.javaprotection import RandomOctets, protect_jceks_octets, protect_jks_key
from keystoretools.limits import Budget, check
from keystoretools.lockedkey import KeyForm, LockedKey, SecretKey
from keystoretools.model import Format, Keystore, Note
from keystoretools.octets import OctetReader, counted, utf
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password
from keystoretools.serialization import SealedObject, read_sealed, write_sealed, write_secret_key

MAGIC: Final = {b"\xfe\xed\xfe\xed": Format.JKS, b"\xce\xce\xce\xce": Format.JCEKS}

_SALT_TEXT: Final = b"Mighty Aphrodite"
_DIGEST: Final = 20
_PRIVATE, _TRUSTED, _SECRET = 1, 2, 3
# Key protections each format may carry: Java's JCEKS reads both, its JKS only its own.
_CARRIES: Final = {
    Format.JKS: frozenset({oids.JKS_PROTECTION}),
    Format.JCEKS: frozenset({oids.JKS_PROTECTION, oids.JCEKS_PROTECTION}),
}


def read_jks(data: bytes, password: Password | None, budget: Budget) -> Keystore:
    """A Keystore of format JKS or JCEKS from the octets of the file; keys stay locked.

    With a password the digest is checked.  Raises NotAKeystoreError (magic), UnsupportedError (version,
    certificate type), TruncatedError, CorruptError, LimitError, WrongPasswordError.
    """
    reader = OctetReader(data)
    kind = MAGIC.get(reader.take(4, "the header"))
    if kind is None:
        raise NotAKeystoreError("This is no JKS or JCEKS keystore.", looks_like="something else")
    version = reader.s4("the header")
    if version not in (1, 2):
        raise UnsupportedError(
            f"The {kind.value} keystore has version {version}; only 1 and 2 exist.",
            name=f"version {version}",
            offset=4,
        )
    count = _count(reader, "entries", budget.limits.entries)
    found: dict[str, Entry] = {}
    notes: list[Note] = []
    for _ in range(count):
        entry = _read_entry(reader, kind, version, budget)
        if entry.alias in found:
            notes.append(
                Note(
                    code="duplicate-alias",
                    sentence=f"The alias {quoted(entry.alias)} occurs twice; the last one counts.",
                    alias=entry.alias,
                )
            )
        found[entry.alias] = entry
    signed = reader.at
    digest = reader.take(_DIGEST, "the integrity check at the end")
    if reader.left:
        notes.append(
            Note(
                code="trailing-octets",
                sentence=f"{reader.left} octets follow the end of the keystore; Java ignores them.",
            )
        )
    keystore = Keystore(format=kind, entries=tuple(found.values()), version=version, notes=tuple(notes))
    if password is None:
        return keystore
    if not hmac.compare_digest(_digest(data[:signed], password), digest):
        raise _why_digest_differs(keystore, password, budget)
    return Keystore(
        format=kind,
        entries=keystore.entries,
        password=password,
        verified=True,
        version=version,
        notes=keystore.notes,
    )


def write_jks(
    keystore: Keystore,
    password: Password,
    *,
    now_ms: int,
    random: RandomOctets,
    budget: Budget,
    jceks_iterations: int,
) -> bytes:
    """The octets of a JKS or JCEKS file (version 2), by `keystore.format`.

    Locked keys whose protection the format may carry are written as they are.  Others are opened with the
    entry's or the given password and locked again.  `now_ms` dates entries that have no date.
    Raises OperationError (cannot-hold-secret-keys, password-not-ascii), WrongKeyPasswordError.
    """
    magic = next(octets for octets, kind in MAGIC.items() if kind is keystore.format)
    writer = _Writer(keystore.format, password, random, budget, jceks_iterations)
    parts = [magic, (2).to_bytes(4, "big"), len(keystore).to_bytes(4, "big")]
    for entry in keystore.entries:
        created = now_ms if entry.created_ms is None else entry.created_ms
        tag, body = writer.entry(entry)
        parts += [tag.to_bytes(4, "big"), utf(entry.alias), created.to_bytes(8, "big", signed=True), body]
    content = b"".join(parts)
    return content + _digest(content, password)


def _digest(content: bytes, password: Password) -> bytes:
    running = hashlib.sha1(password.utf16be() + _SALT_TEXT, usedforsecurity=False)
    running.update(content)
    return running.digest()


def _why_digest_differs(keystore: Keystore, password: Password, budget: Budget) -> KeystoreError:
    """If the password opens a key it is right, and the file was altered; otherwise nobody can tell."""
    for entry in keystore.private_keys[:3]:  # a JCEKS key costs a tenth of a second
        try:
            entry.unlock(password, budget)
        except KeystoreError:
            continue
        return CorruptError(
            f"The file was altered: the password is right (it opens the key {quoted(entry.alias)}), but the"
            " integrity check fails. Restore a backup."
        )
    return WrongPasswordError(
        "The password does not open the keystore (or the file was altered: the check covers both)."
    )


def _count(reader: OctetReader, what: str, ceiling: int) -> int:
    """A signed count; Java reads zero as none, and negative ones do not occur in genuine files."""
    start = reader.at
    count = reader.s4(f"the number of {what}")
    if count < 0:
        raise CorruptError(f"The file is damaged: the number of {what} is negative.", offset=start)
    check(f"a number of {what}", count, ceiling, offset=start)
    return count


def _read_entry(reader: OctetReader, kind: Format, version: int, budget: Budget) -> Entry:
    start = reader.at
    tag = reader.s4("an entry")
    if tag not in (_PRIVATE, _TRUSTED) and not (tag == _SECRET and kind is Format.JCEKS):
        raise CorruptError(f"The file is damaged: the entry at octet {start} has the unknown kind {tag}.", offset=start)
    alias, created = reader.utf("an alias"), reader.s8("a creation date")
    if tag == _TRUSTED:
        return TrustedCertificateEntry(
            alias=alias, created_ms=created, certificate=_read_certificate(reader, version, budget)
        )
    if tag == _SECRET:
        begin = reader.at
        _, reader.at = read_sealed(reader.data, begin, budget.limits)
        sealed = LockedKey(form=KeyForm.SEALED_OBJECT, octets=reader.data[begin : reader.at])
        return SecretKeyEntry(alias=alias, created_ms=created, key=sealed)
    octets = reader.counted(f"the key {quoted(alias)}", budget.limits.key_bytes)
    size = _count(reader, "certificates in a chain", budget.limits.chain)
    chain = tuple(_read_certificate(reader, version, budget) for _ in range(size))
    locked = LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=octets)
    return PrivateKeyEntry(alias=alias, created_ms=created, key=locked, chain=chain)


def _read_certificate(reader: OctetReader, version: int, budget: Budget) -> Certificate:
    if version == 2:
        start = reader.at
        name = reader.utf("the type of a certificate")
        if name not in ("X.509", "X509"):
            raise UnsupportedError(
                f"The certificate at octet {start} is of type {quoted(name)}; only X.509 is known.",
                name=name,
                offset=start,
            )
    return Certificate(reader.counted("a certificate", budget.limits.certificate_bytes))


class _Writer:
    """The bodies of entries for one file."""

    def __init__(
        self, kind: Format, password: Password, random: RandomOctets, budget: Budget, jceks_iterations: int
    ) -> None:
        self._kind = kind
        self._password = password
        self._random = random
        self._budget = budget
        self._iterations = jceks_iterations

    def entry(self, entry: Entry) -> tuple[int, bytes]:
        """(tag, octets behind alias and date)."""
        if isinstance(entry, TrustedCertificateEntry):
            return _TRUSTED, _certificate(entry.certificate)
        if isinstance(entry, PrivateKeyEntry):
            chain = b"".join(map(_certificate, entry.chain))
            return _PRIVATE, counted(self._private_key(entry)) + len(entry.chain).to_bytes(4, "big") + chain
        if self._kind is Format.JKS:
            raise OperationError(
                f"A JKS keystore cannot hold the secret key {quoted(entry.alias)}; PKCS12 and JCEKS can.",
                code=ErrorCode.CANNOT_HOLD_SECRET_KEYS,
                alias=entry.alias,
            )
        return _SECRET, self._secret_key(entry)

    def _private_key(self, entry: PrivateKeyEntry) -> bytes:
        if isinstance(entry.key, LockedKey) and self._may_carry(entry.key):
            return entry.key.octets
        password = entry.key_password or self._password
        key = self._opened(entry, password)
        if self._kind is Format.JKS:
            octets = protect_jks_key(key.pkcs8.reveal(), password, self._random)
            return der.sequence(der.algorithm(oids.JKS_PROTECTION), der.octet_string(octets))
        octets, parameters = protect_jceks_octets(key.pkcs8.reveal(), password, self._random, self._iterations)
        return der.sequence(der.algorithm(oids.JCEKS_PROTECTION, parameters), der.octet_string(octets))

    def _may_carry(self, key: LockedKey) -> bool:
        try:
            return key.scheme in _CARRIES[self._kind]
        except CorruptError:  # unreadable where it was found: it came from such a file, and stays as it is
            return True

    def _opened(self, entry: PrivateKeyEntry, password: Password) -> PrivateKey:
        try:
            return entry.unlock(password, self._budget)
        except WrongKeyPasswordError as error:
            raise WrongKeyPasswordError(
                f"The key {quoted(entry.alias)} must be encrypted anew for a {self._kind.value} keystore, but"
                " it has another password than the keystore. Give the key's password.",
                alias=entry.alias,
            ) from error

    def _secret_key(self, entry: SecretKeyEntry) -> bytes:
        if isinstance(entry.key, LockedKey) and entry.key.form is KeyForm.SEALED_OBJECT:
            return entry.key.octets
        password = entry.key_password or self._password
        key: SecretKey = entry.unlock(password, self._budget)
        octets, parameters = protect_jceks_octets(
            write_secret_key(key.algorithm, key.raw), password, self._random, self._iterations
        )
        return write_sealed(SealedObject(parameters=parameters, content=octets))


def _certificate(certificate: Certificate) -> bytes:
    return utf("X.509") + counted(certificate.der)

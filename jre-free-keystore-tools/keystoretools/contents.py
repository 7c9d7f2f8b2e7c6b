"""What any file holds that a certificate department may send: keys, certificates, requests, keystores, the rest.

`read_anything` never guesses by file name and never stops at one bad part among good ones: that becomes a
`Leftover` with its sentence.  It raises only when nothing at all could be used.  Keystores and encrypted keys that
no given password opens are kept (`LockedStore`, `EncryptedKey`), so that a caller can ask and read again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import attrs

from keystoretools import der, detect
from keystoretools.certificate import Certificate
from keystoretools.entries import TrustedCertificateEntry
from keystoretools.errors import (
    KeystoreError,
    NotAKeystoreError,
    PasswordNeededError,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
)
from keystoretools.kinds import Detected, Kind
from keystoretools.limits import Budget, check
from keystoretools.lockedkey import LockedKey
from keystoretools.model import Keystore
from keystoretools.pem import BrokenBlock, PemBlock, read_blocks
from keystoretools.pkcs7 import read_pkcs7
from keystoretools.pkcs12_state import Pkcs12State
from keystoretools.privatekey import PrivateKey
from keystoretools.privatekey_forms import EncryptedKey, read_key
from keystoretools.publickey import PublicKey, read_public_key
from keystoretools.request import CertificateRequest
from keystoretools.secret import Password
from keystoretools.store import not_a_keystore, open_keystore


@attrs.frozen(kw_only=True)
class LockedStore:
    """A keystore that no given password opened: `kind` of store, `octets` to read again, `error` of the last try."""

    kind: Kind
    octets: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")
    error: KeystoreError


@attrs.frozen(kw_only=True)
class Leftover:
    """Something of no use here: `what` in words, a `sentence` for the operator, the `error` where it was one."""

    what: str
    sentence: str
    error: KeystoreError | None = None


def is_closed(store: Keystore) -> bool:
    """Whether the store was only listed, without its password, and more would come out with it."""
    if store.password is not None:
        return False
    locked = any(not isinstance(entry, TrustedCertificateEntry) and isinstance(entry.key, LockedKey) for entry in store)
    return locked or (isinstance(store.state, Pkcs12State) and bool(store.state.sealed))


Value = PrivateKey | EncryptedKey | Certificate | CertificateRequest | PublicKey | Keystore | LockedStore | Leftover
_V = TypeVar("_V")


@attrs.frozen(kw_only=True)
class Part:
    """One thing found: `source` is the caller's name of the file, `line` (from 1) of a PEM block, else None."""

    value: Value
    source: str = ""
    line: int | None = None

    @property
    def place(self) -> str:
        """`server.pem, line 12`, as much of it as is known."""
        return ", ".join([self.source] * bool(self.source) + [f"line {self.line}"] * (self.line is not None))


@attrs.frozen(kw_only=True)
class Contents:
    """Everything that was found, in the order of the file; `notes` are sentences about how it was written."""

    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[PrivateKey, ...]:
        return self._all(PrivateKey)

    @property
    def locked_keys(self) -> tuple[EncryptedKey, ...]:
        return self._all(EncryptedKey)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Those that stand in the file itself, not those inside keystores."""
        return self._all(Certificate)

    @property
    def requests(self) -> tuple[CertificateRequest, ...]:
        return self._all(CertificateRequest)

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        return self._all(PublicKey)

    @property
    def stores(self) -> tuple[Keystore, ...]:
        """Keystores that can be listed; `verified` says whether a password opened them."""
        return self._all(Keystore)

    @property
    def locked_stores(self) -> tuple[LockedStore, ...]:
        return self._all(LockedStore)

    @property
    def leftovers(self) -> tuple[Leftover, ...]:
        return self._all(Leftover)

    @property
    def needs_password(self) -> bool:
        """Whether another password might open more."""
        return bool(self.locked_keys or self.locked_stores) or any(map(is_closed, self.stores))

    @classmethod
    def joined(cls, *several: Contents) -> Contents:
        """One Contents of several files, in their order."""
        return cls(
            parts=tuple(part for one in several for part in one.parts),
            notes=tuple(note for one in several for note in one.notes),
        )

    def _all(self, kind: type[_V]) -> tuple[_V, ...]:
        return tuple(part.value for part in self.parts if isinstance(part.value, kind))


def read_anything(
    data: bytes,
    passwords: Sequence[Password | str] = (),
    *,
    name: str = "",
    budget: Budget | None = None,
) -> Contents:
    """Everything in `data`, whatever it is: PEM, DER, PKCS#7, keys, requests, keystores, also inside base64 or UTF-16.

    Each password is tried on every store and encrypted key.  `name` is remembered as the source of the parts.
    Raises NotAKeystoreError (saying what it is), MangledError, TruncatedError, CorruptError, UnsupportedError and
    LimitError when nothing in the file can be used; a wrong or missing password is no error here.
    """
    budget = Budget() if budget is None else budget
    check("a file with a size in octets", len(data), budget.limits.file_bytes)
    found = detect.sniff(data)
    reader = _Reader([Password.of(password) for password in passwords], name, budget)
    try:
        parts = tuple(reader.read(found))
    except KeystoreError as error:
        damage = detect.line_end_damage(found.content) if found.kind.is_der else None
        if damage is None:
            raise
        raise not_a_keystore(attrs.evolve(found, kind=Kind.MANGLED, detail=f"{found.kind.words}; {damage}")) from error
    if not parts:
        raise NotAKeystoreError("The file holds no certificate, no key and no keystore.", looks_like=found.kind.words)
    errors = [part.value.error for part in parts if isinstance(part.value, Leftover) and part.value.error is not None]
    if errors and len(errors) == len(parts):
        raise errors[0]
    return Contents(parts=parts, notes=tuple(reader.notes))


_NO_USE: Final = {
    "DH PARAMETERS": "Diffie-Hellman parameters are not needed: the server has its own.",
    "X509 CRL": "A revocation list says which certificates are no longer valid; it is not imported.",
    "ATTRIBUTE CERTIFICATE": "Attribute certificates are not used for TLS.",
    "OPENSSH PRIVATE KEY": "OpenSSH keys are for logins, not for TLS; convert one with: ssh-keygen -p -m PEM -f FILE",
    "SSH2 PUBLIC KEY": "OpenSSH keys are for logins, not for TLS.",
    "PGP": "PGP keys and messages are for mail and files, not for TLS.",
    "EC PARAMETERS": "",
}


class _Reader:
    """One file: steps through its parts."""

    def __init__(self, passwords: list[Password], name: str, budget: Budget) -> None:
        self._passwords = passwords
        self._name = name
        self._budget = budget
        self._curve: bytes | None = None
        self.notes: list[str] = []

    def read(self, found: Detected) -> Iterator[Part]:
        if found.kind is Kind.PEM:
            for block in read_blocks(found.content, self._budget.limits):
                yield from self._block(block)
        elif found.kind.is_keystore:
            yield self._part(self._store(found))
        elif found.kind.is_der:
            yield from self._several(found)
        else:
            raise not_a_keystore(found)

    def _part(self, value: Value, line: int | None = None) -> Part:
        return Part(value=value, source=self._name, line=line)

    def _block(self, block: PemBlock | BrokenBlock) -> Iterator[Part]:
        """One PEM block: what it is says its content; the label only helps where that says nothing."""
        if isinstance(block, BrokenBlock):
            yield self._part(_refused(block.label, block.error), block.line)
            return
        if block.label == "EC PARAMETERS":
            self._curve = block.octets
            return
        useless = next((words for label, words in _NO_USE.items() if label in block.label), None)
        if useless is not None:
            yield self._part(Leftover(what=block.label, sentence=useless), block.line)
            return
        dek_info = block.header("DEK-Info")
        try:
            if dek_info is not None:
                locked = EncryptedKey(octets=block.octets, label=block.label, dek_info=dek_info, curve=self._curve)
                yield self._part(self._opened(locked), block.line)
                return
            found = detect.sniff(block.octets)
            if found.kind.is_keystore:
                yield self._part(self._store(found), block.line)
            elif found.kind.is_der:
                for value in self._values(found.kind, block.octets):
                    yield self._part(value, block.line)
            else:
                raise UnsupportedError(
                    f'The block "{block.label}" at line {block.line} holds neither a certificate nor a key.',
                    name=block.label,
                )
        except KeystoreError as error:
            yield self._part(_refused(block.label, error), block.line)

    def _several(self, found: Detected) -> Iterator[Part]:
        """DER objects one behind the other; blanks and line ends behind the last one are common."""
        data, at, kind, limits = found.content, 0, found.kind, self._budget.limits
        for count in itertools.count(1):
            check("a number of DER objects", count, limits.pem_blocks)
            octets = self._one(data, at)
            for value in self._values(kind, octets):
                yield self._part(value)
            at += len(octets)
            behind = data[at : at + 4096].lstrip(b" \t\r\n\0\x1a")
            if not behind:
                if at < len(data):
                    self.notes.append(f"{len(data) - at} octets of blanks follow the DER structure; they are ignored.")
                return
            at += len(data[at : at + 4096]) - len(behind)
            kind = Kind.UNKNOWN
            if behind[:2] not in (b"0", b"0\x80") and behind[0] == der.SEQUENCE:
                kind = detect.sniff(self._one(data, at)).kind
            if not kind.is_der:
                self.notes.append(
                    f"{len(data) - at} octets of something else follow the DER structure; they are ignored."
                )
                return

    def _one(self, data: bytes, at: int) -> bytes:
        """The octets of the object at `at`, copied without what follows.  Raises TruncatedError, CorruptError."""
        limits = self._budget.limits
        header = der.read_header(data, at, len(data), limits)
        if header.length is not None and header.body + header.length <= len(data):
            return data[at : header.body + header.length]
        return der.parse(data[at:], limits=limits, is_file=True, allow_trailing=True).raw  # indefinite, or cut off

    def _values(self, kind: Kind, octets: bytes) -> Iterator[Value]:
        """The things in one DER object.  Raises what the readers raise."""
        limits = self._budget.limits
        raw = der.parse(octets, limits=limits, allow_trailing=True).raw
        match kind:
            case Kind.CERTIFICATE:
                check("a certificate with a length", len(raw), limits.certificate_bytes)
                yield Certificate(raw)
            case Kind.REQUEST:
                yield CertificateRequest(raw)
            case Kind.PKCS7:
                yield from read_pkcs7(raw, limits)
            case Kind.PUBLIC_KEY:
                yield read_public_key(der.parse(raw))
            case Kind.ENCRYPTED_PKCS8:
                yield self._opened(EncryptedKey(octets=raw))
            case Kind.PKCS8 | Kind.RSA_KEY | Kind.DSA_KEY | Kind.EC_KEY:
                check("a private key with a length", len(raw), limits.key_bytes)
                yield read_key(kind, raw, curve=self._curve)
            case _:
                yield Leftover(what=kind.words, sentence=_NO_USE["X509 CRL"])

    def _opened(self, locked: EncryptedKey) -> PrivateKey | EncryptedKey:
        """Open, or still locked when no password fits.  Raises LimitError, UnsupportedError, CorruptError."""
        for password in self._passwords:
            try:
                return locked.unlock(password, self._budget)
            except (WrongKeyPasswordError, WrongPasswordError):
                continue
        return locked

    def _store(self, found: Detected) -> Keystore | LockedStore:
        """Opened, else listed without a password, else locked.  Raises what no password would cure."""
        last: KeystoreError = PasswordNeededError(f"The {found.kind.words} needs its password.")
        for password in (*self._passwords, None):
            try:
                store = open_keystore(found.content, password, budget=self._budget)
            except (WrongPasswordError, PasswordNeededError) as error:
                if password is not None:
                    last = error
                continue
            if password is not None or store.entries or not self._passwords:
                return store
        return LockedStore(kind=found.kind, octets=found.content, error=last)


def _refused(label: str, error: KeystoreError) -> Leftover:
    return Leftover(what=label, sentence=error.sentence, error=error)

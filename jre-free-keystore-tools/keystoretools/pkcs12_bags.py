"""Bags for a PKCS#12 file: the ones that were read where nothing changed, new ones in Java's manner.

* Key and secret: friendlyName = alias, localKeyID = `Time <creation date>`; the key's certificate the same.
* Chain certificates: friendlyName = subject, no localKeyID; each once.
* Trusted certificates: friendlyName = alias and Oracle's mark, which makes them visible to Java.
"""

from __future__ import annotations

import hashlib
from typing import Final

from keystoretools import der
from keystoretools.certificate import Certificate
from keystoretools.entries import (
    Attribute,
    Entry,
    KeyEntry,
    PrivateKeyEntry,
    TrustedCertificateEntry,
    fold_alias,
)
from keystoretools.errors import KeystoreError
from keystoretools.pkcs12_state import (
    ANY_EXTENDED_KEY_USAGE,
    CERTIFICATE_BAG,
    FRIENDLY_NAME,
    KEY_BAG,
    LOCAL_KEY_ID,
    SECRET_BAG,
    SHROUDED_KEY_BAG,
    TRUSTED_KEY_USAGE,
    X509_CERTIFICATE,
    Bag,
    Original,
    Pkcs12State,
)

# Zeros in front of a date are put up to here; readers take 40 digits.
_DATE_DIGITS: Final = 24
_MARK: Final = der.sequence(der.oid(TRUSTED_KEY_USAGE), der.set_of(der.oid(ANY_EXTENDED_KEY_USAGE)))


class BagWriter:
    """Collects the bags of one file: `clear` for the plain content, `hidden` for the encrypted one."""

    def __init__(self, state: Pkcs12State, key_aliases: frozenset[str], now_ms: int) -> None:
        self._state = state
        self._key_aliases = key_aliases
        self._now_ms = now_ms
        self._originals: dict[bytes, list[Original]] = {}
        for original in state.originals:
            self._originals.setdefault(original.bag.value, []).append(original)
        self._written: set[bytes] = set()
        self._keys = 0
        self._key_ids: set[bytes | None] = set()
        self._latest: dict[int, int] = {}
        self.clear: list[bytes] = []
        self.hidden: list[bytes] = []

    def key(self, entry: KeyEntry, octets: bytes, is_clear: bool) -> None:
        """A key or secret (`octets`: EncryptedPrivateKeyInfo, or PKCS#8 when `is_clear`), and its certificate."""
        original = self._original(entry, octets)
        if original is not None and self._may_reuse(entry, original):
            key_id, raw = original.bag.local_id, original.bag.raw
        else:
            key_id = self._unused(self._key_id(entry, original))
            kind, value = KEY_BAG if is_clear else SHROUDED_KEY_BAG, octets
            if not isinstance(entry, PrivateKeyEntry):
                held = der.explicit(0, der.octet_string(octets))
                kind, value = SECRET_BAG, der.sequence(der.oid(SHROUDED_KEY_BAG), held)
            raw = _bag(kind, value, entry.alias, key_id, entry.attributes)
        # a key in the clear may lie in an encrypted content, and must stay there
        (self.hidden if is_clear and original is not None and original.bag.hidden else self.clear).append(raw)
        self._keys += 1
        self._key_ids.add(key_id)
        if isinstance(entry, PrivateKeyEntry) and entry.chain:
            self._leaf(entry, original, key_id)

    def _may_reuse(self, entry: KeyEntry, original: Original) -> bool:
        """The bag as it was: not when it leaves to its place what the key is called or belongs to.

        A key without localKeyID is ignored by Java unless it is the first; so it stays.
        """
        has_id = original.bag.local_id is not None or (not entry.java_sees_it and self._keys > 0)
        return has_id and _is_same(entry, original) and _says_alias(original.bag, entry)

    def issuers(self, entry: PrivateKeyEntry) -> None:
        """The certificates above the key's own, unless they are there; after all keys."""
        for certificate in entry.chain[1:]:
            if certificate.der not in self._written:
                self._written.add(certificate.der)
                there = self._state.issuers.get(certificate.der)
                if there is not None and fold_alias(there.name or "") in self._key_aliases:
                    there = None  # a key without certificates of that name would take it for its own
                self.hidden.append(_issuer(certificate) if there is None else there.raw)

    def trusted(self, entry: TrustedCertificateEntry) -> None:
        """With Oracle's mark, except for certificates that Java did not see before and shall not now."""
        original = self._original(entry, entry.certificate.der)
        if original is not None and _is_same(entry, original):
            nameless = original.bag.name is None and not entry.java_sees_it
            if nameless or _says_alias(original.bag, entry):
                self.hidden.append(original.bag.raw)
                return
        mark = (Attribute(oid=TRUSTED_KEY_USAGE, der=_MARK),) if entry.java_sees_it else ()
        attributes = tuple(one for one in entry.attributes if one.oid != LOCAL_KEY_ID)
        value = _certificate_value(entry.certificate)
        self.hidden.append(_bag(CERTIFICATE_BAG, value, entry.alias, None, (*attributes, *mark)))

    def unknown(self) -> None:
        """What nobody here understands, kept where it was."""
        for bag in self._state.unknown:
            (self.hidden if bag.hidden else self.clear).append(bag.raw)

    def _original(self, entry: Entry, value: bytes) -> Original | None:
        """The bag this entry was read from; the one of the same alias first."""
        found = self._originals.get(value, [])
        return next((one for one in found if one.entry.alias == entry.alias), found[0] if found else None)

    def _key_id(self, entry: KeyEntry, original: Original | None) -> bytes:
        """Java's date; for keys of unknown date the octets they had, else OpenSSL's SHA-1 of the certificate."""
        if entry.created_ms is not None:
            return b"Time %d" % entry.created_ms
        for attribute in entry.attributes:
            if attribute.oid == LOCAL_KEY_ID:
                return der.parse(attribute.der).sequence(2)[1].children()[0].octets()
        if original is not None and isinstance(entry, PrivateKeyEntry) and entry.chain:
            return hashlib.sha1(entry.chain[0].der, usedforsecurity=False).digest()
        return b"Time %d" % self._now_ms

    def _unused(self, key_id: bytes) -> bytes:
        """Not the localKeyID of another key, whose certificate a key without one would get.

        A date is the same with zeros in front, for Java's `Long.parseLong` as for us. Where thousands of keys
        share one, the later ones get the next free millisecond.
        """
        if key_id not in self._key_ids:
            return key_id
        moment = int(key_id[5:]) if key_id.startswith(b"Time ") else self._now_ms
        for width in range(_DATE_DIGITS):
            if (padded := b"Time %0*d" % (width, moment)) not in self._key_ids:
                return padded
        later = self._latest.get(moment, moment) + 1
        while b"Time %d" % later in self._key_ids:
            later += 1
        self._latest[moment] = later
        return b"Time %d" % later

    def _leaf(self, entry: PrivateKeyEntry, original: Original | None, key_id: bytes | None) -> None:
        leaf = entry.chain[0]
        self._written.add(leaf.der)
        there = None if original is None else original.certificate
        if there is not None and there.value == leaf.der and there.local_id == key_id and _says_alias(there, entry):
            self.hidden.append(there.raw)
        else:
            value = _certificate_value(leaf)
            self.hidden.append(_bag(CERTIFICATE_BAG, value, entry.alias, key_id, ()))


def _is_same(entry: Entry, original: Original) -> bool:
    """Whether everything that the bag says is as it was; the key's octets have been compared already."""
    before = original.entry
    return (entry.alias, entry.created_ms, entry.attributes, entry.java_sees_it) == (
        before.alias,
        before.created_ms,
        before.attributes,
        before.java_sees_it,
    )


def _says_alias(bag: Bag, entry: Entry) -> bool:
    """Whether the bag bears the alias in a form that Java reads."""
    return bag.name is not None and fold_alias(bag.name) == entry.alias and der.bmp_string(bag.name) in bag.raw


def _issuer(certificate: Certificate) -> bytes:
    try:
        name = certificate.subject.text(",") or None
    except KeystoreError:
        name = None
    return _bag(CERTIFICATE_BAG, _certificate_value(certificate), name, None, (), fold=False)


def _certificate_value(certificate: Certificate) -> bytes:
    return der.sequence(der.oid(X509_CERTIFICATE), der.explicit(0, der.octet_string(certificate.der)))


def _bag(
    kind: str,
    value: bytes,
    alias: str | None,
    key_id: bytes | None,
    attributes: tuple[Attribute, ...],
    *,
    fold: bool = True,
) -> bytes:
    """A SafeBag; Java lower-cases aliases when it stores them."""
    parts: list[bytes] = []
    if alias is not None:
        name = fold_alias(alias) if fold else alias
        parts.append(der.sequence(der.oid(FRIENDLY_NAME), der.set_of(der.bmp_string(name))))
    if key_id is not None:
        parts.append(der.sequence(der.oid(LOCAL_KEY_ID), der.set_of(der.octet_string(key_id))))
    parts += [attribute.der for attribute in attributes if attribute.oid != LOCAL_KEY_ID]
    return der.sequence(der.oid(kind), der.explicit(0, value), *([der.set_of(*parts)] if parts else []))

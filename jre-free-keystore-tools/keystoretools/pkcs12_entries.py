"""From bags to entries, as Java does it: names, which certificate belongs to which key, chains.

* Aliases are lower-cased; a key or trusted certificate without a name is called 1, 2, ... in order.
* A key's certificate has the same localKeyID and name, else the same localKeyID, else the same name.  The
  first key, when it has no localKeyID, and a certificate without one that comes first in its content belong
  together.
* The chain is found issuer by issuer among all certificates of the file: by key identifier, else by name.
* A certificate that belongs to no key and lacks Oracle's mark is invisible to Java, and so are a key in the
  clear and a second key without localKeyID; they are entries here, with `java_sees_it` False.

Source: `sun.security.pkcs12.PKCS12KeyStore` (facts only); checked against Java 17.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

from keystoretools import der
from keystoretools.certificate import Certificate
from keystoretools.entries import (
    Attribute,
    Entry,
    PrivateKeyEntry,
    SecretKeyEntry,
    TrustedCertificateEntry,
    fold_alias,
)
from keystoretools.errors import KeystoreError, quoted
from keystoretools.limits import Limits, check
from keystoretools.lockedkey import KeyForm, LockedKey
from keystoretools.model import Note
from keystoretools.pkcs12_state import (
    CERTIFICATE_BAG,
    KEY_BAG,
    LOCAL_KEY_ID,
    SECRET_BAG,
    SHROUDED_KEY_BAG,
    Bag,
    Original,
)
from keystoretools.privatekey import PrivateKey, read_private_key

_KEYS: Final = (SHROUDED_KEY_BAG, KEY_BAG)
# Java's own mark for the one key that has no localKeyID.
_ONLY_KEY: Final = b"01"
# Java's Long.parseLong takes leading zeros.
_TIME: Final = re.compile(rb"Time ([+-]?[0-9]{1,40})")


@attrs.frozen(kw_only=True)
class Made:
    """The entries in the order of the file, and the bags of issuers by certificate."""

    originals: tuple[Original, ...]
    issuers: dict[bytes, Bag]
    notes: tuple[Note, ...]


def make_entries(bags: list[Bag], limits: Limits) -> Made:
    """Entries from all bags of a file.  Raises LimitError (chains)."""
    return _Maker(bags, limits).made()


class _Maker:
    def __init__(self, bags: list[Bag], limits: Limits) -> None:
        self._limits = limits
        self._bags = [bag for bag in bags if bag.value]
        self._ids = _with_java_ids(self._bags)
        self._certificates = {
            at: Certificate(bag.value) for at, bag in enumerate(self._bags) if bag.oid == CERTIFICATE_BAG
        }
        self._notes: list[Note] = []
        self._names = _names(self._bags, self._ids)

    def made(self) -> Made:
        """Keys first, because their chains decide which certificates stand alone; then the order of the file."""
        found: dict[int, Original] = {}
        used: set[bytes] = set()
        leaves = _Leaves(self._bags, self._ids, self._names)
        issuers = _Issuers(self._certificates.values())
        links = 0
        for at, bag in enumerate(self._bags):
            if bag.oid == SECRET_BAG:
                found[at] = Original(entry=self._secret(at, bag), bag=bag)
            elif bag.oid in _KEYS:
                leaf = leaves.of(at)
                chain = () if leaf is None else issuers.chain(self._certificates[leaf], self._limits)
                links += len(chain)
                check("certificates in all chains together", links, self._limits.der_elements)
                used.update(certificate.der for certificate in chain)
                found[at] = Original(
                    entry=self._private(at, bag, chain),
                    bag=bag,
                    certificate=None if leaf is None else self._bags[leaf],
                )
        chained: dict[bytes, Bag] = {}
        for at, certificate in self._certificates.items():
            bag = self._bags[at]
            if bag.trusted or bag.value not in used:
                found[at] = Original(entry=self._trusted(at, bag, certificate), bag=bag, certificate=bag)
            elif bag.local_id is None:
                chained.setdefault(bag.value, bag)
        return Made(originals=self._unique(found), issuers=chained, notes=tuple(self._notes))

    def _private(self, at: int, bag: Bag, chain: tuple[Certificate, ...]) -> PrivateKeyEntry:
        created, attributes = _date(bag)
        key: LockedKey | PrivateKey = LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=bag.value)
        if bag.oid == KEY_BAG:
            key = read_private_key(bag.value)
        return PrivateKeyEntry(
            alias=self._names[at] or "",
            key=key,
            chain=chain,
            created_ms=created,
            attributes=attributes,
            java_sees_it=bag.oid != KEY_BAG and self._ids[at] is not None,
        )

    def _secret(self, at: int, bag: Bag) -> SecretKeyEntry:
        created, attributes = _date(bag)
        locked = LockedKey(form=KeyForm.ENCRYPTED_PKCS8, octets=bag.value)
        return SecretKeyEntry(alias=self._names[at] or "", key=locked, created_ms=created, attributes=attributes)

    def _trusted(self, at: int, bag: Bag, certificate: Certificate) -> TrustedCertificateEntry:
        created, attributes = _date(bag)
        return TrustedCertificateEntry(
            alias=self._names[at] or "",
            certificate=certificate,
            created_ms=created,
            attributes=attributes,
            java_sees_it=bag.trusted,
        )

    def _unique(self, found: dict[int, Original]) -> tuple[Original, ...]:
        """One entry for each alias: the last visible one counts, at the place of the first, as in Java; invisible
        ones get a number.
        """
        visible: dict[str, int] = {}
        for at in sorted(found):
            if not found[at].entry.java_sees_it:
                continue
            alias = found[at].entry.alias
            if alias in visible:
                sentence = f"The alias {quoted(alias)} occurs twice; the last one counts."
                self._notes.append(Note(code="duplicate-alias", sentence=sentence, alias=alias))
                found[visible[alias]] = found.pop(at)
            else:
                visible[alias] = at
        names = _FreeNames(set(visible))
        for at in sorted(found):
            entry = found[at].entry
            if not entry.java_sees_it:
                entry = attrs.evolve(entry, alias=names.take(entry.alias))
                found[at] = attrs.evolve(found[at], entry=entry)
                self._notes.append(_invisible(entry))
        return tuple(found[at] for at in sorted(found))


class _FreeNames:
    """Aliases for what has none of its own: counted on, because hostile files have a hundred thousand."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._last: dict[str, int] = {"": 0}

    def take(self, alias: str) -> str:
        """`alias`, or with a number behind it when it is taken; a number alone for none."""
        name = alias
        while not name or name in self._taken:
            self._last[alias] = self._last.get(alias, 1) + 1
            name = f"{alias}-{self._last[alias]}" if alias else str(self._last[alias])
        self._taken.add(name)
        return name


def _invisible(entry: Entry) -> Note:
    if isinstance(entry, TrustedCertificateEntry):
        sentence = (
            f"Java ignores the certificate {quoted(entry.alias)}: it belongs to no key and is not marked as trusted."
        )
        return Note(code="java-ignores-certificate", sentence=sentence, alias=entry.alias)
    why = "it is not encrypted" if isinstance(entry.key, PrivateKey) else "it has no localKeyID, and is not the first"
    sentence = f"Java ignores the key {quoted(entry.alias)}: {why}."
    return Note(code="java-ignores-key", sentence=sentence, alias=entry.alias)


def _names(bags: list[Bag], ids: list[bytes | None]) -> list[str | None]:
    """Java's alias for each bag: what it sees and what has no name is numbered; the rest has none."""
    names = [None if bag.name is None else fold_alias(bag.name) for bag in bags]
    unnamed = (
        at
        for at, bag in enumerate(bags)
        if bag.name is None
        and (bag.trusted or bag.oid == SECRET_BAG or (bag.oid == SHROUDED_KEY_BAG and ids[at] is not None))
    )
    for number, at in enumerate(unnamed, 1):
        names[at] = str(number)
    return names


def _with_java_ids(bags: list[Bag]) -> list[bytes | None]:
    """The localKeyID of each bag, Java's stand-in where the first key has none."""
    ids = [bag.local_id for bag in bags]
    keys = 0
    for at, bag in enumerate(bags):
        if bag.oid == SHROUDED_KEY_BAG:
            keys += 1
            if ids[at] is None and keys == 1:
                ids[at] = _ONLY_KEY
        is_first = at == 0 or bags[at - 1].content != bag.content
        if bag.oid == CERTIFICATE_BAG and ids[at] is None and keys == 1 and is_first:
            ids[at] = _ONLY_KEY
    return ids


class _Leaves:
    """Finds the certificate of a key; trusted ones never are."""

    def __init__(self, bags: list[Bag], ids: list[bytes | None], names: list[str | None]) -> None:
        self._ids, self._names = ids, names
        self._by_both: dict[tuple[bytes, str], int] = {}
        self._by_id: dict[bytes, int] = {}
        self._by_name: dict[str, int] = {}
        for at, bag in enumerate(bags):
            if bag.oid != CERTIFICATE_BAG or bag.trusted:
                continue
            key_id = ids[at]
            name = names[at]
            if key_id is not None:
                self._by_id[key_id] = at
                if name is not None:
                    self._by_both.setdefault((key_id, name), at)
            if name is not None:
                self._by_name[name] = at

    def of(self, at: int) -> int | None:
        """The index of the certificate of the key at `at`."""
        key_id, name = self._ids[at], self._names[at]
        if key_id is not None and name is not None and (key_id, name) in self._by_both:
            return self._by_both[key_id, name]
        if key_id is not None and key_id in self._by_id:
            return self._by_id[key_id]
        return None if name is None else self._by_name.get(name)


class _Issuers:
    """All certificates by subject, to follow chains; they are looked into when the first key asks."""

    def __init__(self, certificates: Iterable[Certificate]) -> None:
        self._certificates = certificates
        self._by_subject: dict[bytes, list[Certificate]] | None = None

    def chain(self, leaf: Certificate, limits: Limits) -> tuple[Certificate, ...]:
        """The leaf and its issuers, up to a self-signed one, a repeat, or one that is not there."""
        chain, seen = [leaf], {leaf.der}
        while chain[-1].problem is None and not chain[-1].is_self_issued:
            issuer = self._issuer(chain[-1])
            if issuer is None or issuer.der in seen:
                break
            check("certificates in a chain", len(chain) + 1, limits.chain)
            chain.append(issuer)
            seen.add(issuer.der)
        return tuple(chain)

    def _issuer(self, certificate: Certificate) -> Certificate | None:
        """Without an authority key identifier the first of that name.  With one, the first whose subject key
        identifier is the same, else the last that has none: this is what Java 17 and 25 take.
        """
        if self._by_subject is None:
            self._by_subject = {}
            for one in self._certificates:
                self._by_subject.setdefault(_subject(one), []).append(one)
        candidates = self._by_subject.get(certificate.issuer.der, [])
        wanted = certificate.authority_key_id
        if wanted is None:
            return candidates[0] if candidates else None
        found = None
        for candidate in candidates:
            offered = candidate.subject_key_id
            if offered == wanted:
                return candidate
            found = candidate if offered is None else found
        return found


def _subject(certificate: Certificate) -> bytes:
    """The DER of the subject, read without the rest: hostile files hold a hundred thousand certificates."""
    try:
        body = der.parse(certificate.der, allow_trailing=True).sequence(1)[0].sequence(6)
        return body[5 if body[0].tag == der.context(0) else 4].raw
    except (KeystoreError, IndexError):
        return b""


def _date(bag: Bag) -> tuple[int | None, tuple[Attribute, ...]]:
    """(creation date from a localKeyID `Time ...`, attributes); another localKeyID stays an attribute."""
    key_id = bag.local_id
    if key_id is None:
        return None, bag.attributes
    match = _TIME.fullmatch(key_id)
    if match is not None and -(2**63) <= int(match[1]) < 2**63:
        return int(match[1]), bag.attributes
    kept = der.sequence(der.oid(LOCAL_KEY_ID), der.set_of(der.octet_string(key_id)))
    return None, (*bag.attributes, Attribute(oid=LOCAL_KEY_ID, der=kept))

"""Puts together what belongs together: keys with their certificates, certificates with their issuers.

Pairs are found by the public key, chains by issuer and key identifier, whatever files the parts came in.  Dates,
names and strength are not judged here (`findings` does); `Assembly.problems` holds what keeps parts from fitting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from keystoretools import cures
from keystoretools.certificate import Certificate
from keystoretools.certificate_findings import incomplete, title
from keystoretools.chain import BySubject, Chain, follow, group_by_subject, is_self_signed, order
from keystoretools.contents import Contents, Leftover, LockedStore, Part, is_closed
from keystoretools.entries import PrivateKeyEntry
from keystoretools.errors import KeystoreError, LimitError, UnsupportedError, quoted
from keystoretools.finding import Finding, error, info, warning
from keystoretools.limits import Budget
from keystoretools.lockedkey import LockedKey
from keystoretools.model import Keystore
from keystoretools.privatekey import PrivateKey
from keystoretools.privatekey_forms import EncryptedKey
from keystoretools.publickey import PublicKey
from keystoretools.request import CertificateRequest
from keystoretools.secret import Password

# A heap of certificates of strangers (an address book) is not judged one by one.
_MOST_LONELY: Final = 100


@attrs.frozen(kw_only=True)
class FoundKey:
    """An open private key: `place` says where it was (file and line, or alias), `alias` what it was called there."""

    key: PrivateKey
    place: str = ""
    alias: str | None = None

    @property
    def words(self) -> str:
        """`The private key (RSA, 2048 bits) in server.key`."""
        size = f", {self.key.bits} bits" if self.key.bits else ""
        return f"The private key ({self.key.algorithm}{size})" + (f" in {self.place}" if self.place else "")


@attrs.frozen(kw_only=True)
class AssembledIdentity:
    """A key and its chain, ready to become an entry; `older` are other certificates for the same key."""

    found: FoundKey
    chain: Chain
    older: tuple[Certificate, ...] = ()

    @property
    def key(self) -> PrivateKey:
        return self.found.key

    @property
    def leaf(self) -> Certificate:
        return self.chain.chain[0]

    def entry(self, alias: str) -> PrivateKeyEntry:
        """An entry to add to a keystore; the key comes under that keystore's password."""
        return PrivateKeyEntry(alias=alias, key=self.key, chain=self.chain.chain)


@attrs.frozen(kw_only=True)
class Assembly:
    """The parts, each in one place.

    `trusted`: authorities and self-signed certificates that are in no chain.  `lonely`: chains of server
    certificates whose key is not there.  `bare_keys`: keys without a certificate.
    `locked`: places of keys that no password opened.  `untried`: how many keys beyond `Limits.keys_tried` there are.
    `opened`: keys by what they were opened from and with, so that nobody pays for that a second time.
    """

    identities: tuple[AssembledIdentity, ...] = ()
    trusted: tuple[Certificate, ...] = ()
    lonely: tuple[Chain, ...] = ()
    bare_keys: tuple[FoundKey, ...] = ()
    requests: tuple[CertificateRequest, ...] = ()
    locked: tuple[str, ...] = ()
    untried: int = 0
    problems: tuple[Finding, ...] = ()
    opened: Mapping[tuple[LockedKey, Password], PrivateKey] = attrs.field(factory=dict, eq=False, repr=False)


def assemble(*contents: Contents, passwords: Sequence[Password | str] = (), budget: Budget | None = None) -> Assembly:
    """What the files hold together.  `passwords` are tried on keys inside keystores, after the store's own.

    Never raises: what cannot be opened is a problem, with its sentence.
    """
    joined = Contents.joined(*contents)
    collector = _Collector([Password.of(one) for one in passwords], Budget() if budget is None else budget)
    for part in joined.parts:
        collector.take(part)
    return collector.assembly(joined)


class _Collector:
    """Walks over the parts once, then matches."""

    def __init__(self, passwords: list[Password], budget: Budget) -> None:
        self._passwords = passwords
        self._budget = budget
        self._keys: dict[tuple[str, bytes], FoundKey] = {}
        self._certificates: list[Certificate] = []
        self._requests: list[CertificateRequest] = []
        self._locked: list[str] = []
        self._tried = 0
        self._untried = 0
        self._locked_leaves: set[Certificate] = set()
        self._problems: list[Finding] = []
        self._opened_with: dict[tuple[LockedKey, Password], PrivateKey] = {}

    def take(self, part: Part) -> None:
        value = part.value
        match value:
            case Certificate():
                self._certificates.append(value)
            case PrivateKey():
                self._add_key(FoundKey(key=value, place=part.place))
            case CertificateRequest():
                self._requests.append(value)
            case Keystore():
                self._store(value, part.source)
            case EncryptedKey() | LockedStore():
                what = "private key" if isinstance(value, EncryptedKey) else value.kind.words
                self._needs_password(f"The {what}{_in(part.place)}", part.place)
            case Leftover():
                self._problems.append(warning("not-usable", _sentence(value, part.place)))
            case PublicKey():
                found = f"A public key{_in(part.place)} is of no use alone: the certificate holds it too."
                self._problems.append(info("not-usable", found))

    def _store(self, store: Keystore, source: str) -> None:
        for entry in store.private_keys:
            self._certificates.extend(entry.chain)
            place = f"{source}, entry {quoted(entry.alias)}" if source else f"entry {quoted(entry.alias)}"
            self._tried += 1
            try:
                key = None if self._tried > self._budget.limits.keys_tried else self._opened(entry, store)
            except (LimitError, UnsupportedError) as problem:
                self._locked_leaves.update(entry.chain[:1])
                sentence = f"The key {quoted(entry.alias)} cannot be opened: {problem.sentence}"
                self._problems.append(error("key-unusable", sentence, alias=entry.alias))
                continue
            if key is not None:
                self._add_key(FoundKey(key=key, place=place, alias=entry.alias))
                continue
            self._locked_leaves.update(entry.chain[:1])
            if self._tried > self._budget.limits.keys_tried:
                self._untried += 1
            else:
                self._needs_password(f"The private key {quoted(entry.alias)}{_in(source)}", place)
        self._certificates.extend(entry.certificate for entry in store.trusted_certificates)
        if not store.private_keys and is_closed(store):
            self._needs_password(f"The {store.format.value} keystore{_in(source)}", source)

    def _opened(self, entry: PrivateKeyEntry, store: Keystore) -> PrivateKey | None:
        """With the store's password, else the given ones.  Raises LimitError, UnsupportedError: no password helps."""
        own = [] if store.password is None else [store.password]
        if isinstance(entry.key, PrivateKey):
            return entry.key
        for password in [*own, *(one for one in self._passwords if one not in own)]:
            try:
                key = entry.unlock(password, self._budget)
            except (LimitError, UnsupportedError):
                raise
            except KeystoreError:
                continue
            self._opened_with[entry.key, password] = key
            return key
        return None

    def _add_key(self, found: FoundKey) -> None:
        try:
            public = found.key.public_key
        except KeystoreError as problem:
            self._problems.append(error("key-unusable", f"{found.words}: {problem.sentence}"))
            return
        self._keys.setdefault(public.comparable, found)

    def _needs_password(self, what: str, place: str) -> None:
        tried = "none of the given passwords opens it" if self._passwords else "it needs its password"
        self._locked.append(place)
        self._problems.append(error("needs-password", f"{what} is still locked: {tried}.", cures.GIVE_PASSWORD))

    def assembly(self, joined: Contents) -> Assembly:
        certificates = list(dict.fromkeys(self._certificates))
        by_subject = group_by_subject(certificates)
        identities: list[AssembledIdentity] = []
        bare: list[FoundKey] = []
        by_key: dict[tuple[str, bytes], list[Certificate]] = {}
        for certificate in certificates:
            if certificate.public_key is not None:
                by_key.setdefault(certificate.public_key.comparable, []).append(certificate)
        for known, found in self._keys.items():
            one = _identity(found, by_key.get(known, []), by_subject)
            if one is None:
                bare.append(found)
            else:
                identities.append(one)
        used = {one for each in identities for one in (*each.chain.chain, *each.older)}
        for leaf in self._locked_leaves:
            used.update(follow(leaf, by_subject))
        rest = [one for one in certificates if one not in used]
        leaves = [one for one in rest if one.problem is None and not one.is_authority and not is_self_signed(one)]
        lonely = tuple(
            attrs.evolve(order(certificates, leaf=leaf, by_subject=by_subject), leftovers=())
            for leaf in leaves[:_MOST_LONELY]
        )
        issuers = {one for chain in lonely for one in chain.chain} | set(leaves)
        result = Assembly(
            identities=tuple(identities),
            trusted=tuple(one for one in rest if one not in issuers and one.problem is None),
            lonely=lonely,
            bare_keys=tuple(bare),
            requests=tuple(dict.fromkeys(self._requests)),
            locked=tuple(self._locked),
            untried=self._untried,
            opened=self._opened_with,
        )
        return attrs.evolve(result, problems=(*self._problems, *_misfits(result), *_chains(result, joined)))


def _identity(found: FoundKey, fitting: list[Certificate], by_subject: BySubject) -> AssembledIdentity | None:
    if not fitting:
        return None
    chain = order(fitting, key=found.key.public_key, by_subject=by_subject)
    return AssembledIdentity(found=found, chain=chain, older=tuple(one for one in fitting if one not in chain.chain))


def _misfits(assembly: Assembly) -> list[Finding]:
    """Keys without certificates, certificates without keys, requests."""
    found: list[Finding] = []
    for bare in assembly.bare_keys:
        asked = [one for one in assembly.requests if one.public_key and bare.key.public_key.same_key(one.public_key)]
        if asked:
            sentence = f"{bare.words} belongs to the request for {_subject(asked[0])}; its certificate is not here yet."
            found.append(info("key-without-certificate", sentence, "Wait for the certificate; keep the key."))
        elif assembly.lonely:
            names = ", ".join(title(one.chain[0]) for one in assembly.lonely[:3])
            sentence = f"{bare.words} does not belong to {names}: they were made for another key."
            found.append(error("key-certificate-mismatch", sentence, cures.FIND_THE_KEY))
        else:
            sentence = f"{bare.words} has no certificate among the given files."
            found.append(warning("key-without-certificate", sentence, "Give the certificate together with the key."))
    for one in assembly.lonely:
        what = f"The certificate {title(one.chain[0])}"
        if assembly.locked:
            sentence = f"{what} came without an open private key; its key may be among what is still locked."
            found.append(warning("no-key-for-certificate", sentence))
        else:
            sentence = f"{what} came without its private key; a server cannot use it alone."
            found.append(error("no-key-for-certificate", sentence, cures.FIND_THE_KEY))
    for request in assembly.requests:
        sentence = f"{_subject(request)} is a certificate request, not a certificate."
        cure = "Send it to your certificate department; what comes back is the certificate."
        found.append(info("request-without-certificate", sentence, cure))
    for identity in assembly.identities:
        if identity.older:
            count = len(identity.older) + 1
            sentence = f"There are {count} certificates for one key; the newest is taken ({title(identity.leaf)})."
            found.append(info("several-certificates", sentence))
    return found


def _chains(assembly: Assembly, joined: Contents) -> list[Finding]:
    """Missing issuers, and files whose certificates are in another order than a server presents them."""
    chains = (*(identity.chain for identity in assembly.identities), *assembly.lonely)
    found = [incomplete(chain, None, ()) for chain in chains if chain.lacks_intermediate]
    places: dict[str, dict[Certificate, int]] = {}
    for number, part in enumerate(joined.parts):
        if isinstance(part.value, Certificate):
            places.setdefault(part.source, {}).setdefault(part.value, number)
    for source, numbers in places.items():
        rows = ([numbers[one] for one in each.chain.chain if one in numbers] for each in assembly.identities)
        if any(row != sorted(row) for row in rows):
            sentence = (
                f"The certificates{_in(source)} were not in the order that servers present; they have been sorted."
            )
            found.append(info("chain-out-of-order", sentence))
    return found


def _sentence(leftover: Leftover, place: str) -> str:
    sentence = leftover.sentence or f"{leftover.what} is not needed."
    return f"{place}: {sentence}" if place else sentence


def _subject(request: CertificateRequest) -> str:
    return quoted(request.subject.common_name or request.subject.text() or "(no name)")


def _in(place: str) -> str:
    return f" in {place}" if place else ""

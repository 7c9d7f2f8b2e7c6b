"""What becomes of the things that were found in files, once they meet a keystore. Pure: no files, no questions.

1. A key with its certificate becomes an entry. Where the keystore has an entry with the same key, that one is renewed.
2. A certificate whose key is in the keystore answers a request: it takes its place at that key.
3. A key whose certificate lies in the keystore alone (the trap of importing it without its key) joins it.
4. Certificates of authorities complete chains of the keystore that lack them.
5. Where none of that is to be done, authorities and self-signed certificates are added as trusted.
A server's certificate without its key is refused unless it is to be trusted: nobody could present it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import attrs

from iadmin.commands.keystore_sources import owner_of
from keystoretools import Certificate, Entry, Keystore, OperationError, PrivateKeyEntry, TrustedCertificateEntry
from keystoretools.assemble import AssembledIdentity, Assembly, FoundKey
from keystoretools.certificate_findings import title
from keystoretools.chain import Chain, order
from keystoretools.cures import FIND_THE_KEY, command
from keystoretools.entries import fold_alias
from keystoretools.errors import ErrorCode, quoted
from keystoretools.identity import ADMIN_ALIAS


@attrs.frozen(kw_only=True)
class Wishes:
    """What the operator said: the alias for the one thing imported, and what may be done without asking further."""

    alias: str | None = None
    trust: bool = False
    replace: bool = False
    force: bool = False


@attrs.frozen(kw_only=True)
class Step:
    """One entry to put into the keystore, in the place of `replaces` where it names one; `sentence` tells it."""

    entry: Entry
    sentence: str
    replaces: str | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """All steps, and remarks about what is left out."""

    steps: tuple[Step, ...]
    remarks: tuple[str, ...] = ()

    def apply(self, keystore: Keystore) -> Keystore:
        """The keystore with all steps taken. Raises `OperationError` where it has changed too much meanwhile."""
        for step in self.steps:
            if step.replaces is None:
                continue
            if fold_alias(step.replaces) != fold_alias(step.entry.alias):
                keystore = keystore.rename(step.replaces, step.entry.alias)
            keystore = keystore.add(step.entry, replace=True)
        return keystore.add_all(step.entry for step in self.steps if step.replaces is None)


def plan_import(keystore: Keystore, found: Assembly, wishes: Wishes) -> Plan:
    """Decide what to import. Raises `OperationError` with the reason why something must not be."""
    return _Planner(keystore, found, wishes).plan()


class _Planner:
    def __init__(self, keystore: Keystore, found: Assembly, wishes: Wishes) -> None:
        self._keystore = keystore
        self._found = found
        self._wishes = wishes
        self._steps: list[Step] = []
        self._remarks: list[str] = []
        self._taken = {fold_alias(entry.alias) for entry in keystore}
        # What can complete a chain: everything that was given, and what the keystore trusts.
        self._at_hand = [
            *(one for identity in found.identities for one in identity.chain.chain),
            *(one for chain in found.lonely for one in chain.chain),
            *found.trusted,
            *(entry.certificate for entry in keystore.trusted_certificates),
        ]

    def plan(self) -> Plan:
        for identity in self._found.identities:
            self._identity(identity)
        for found in self._found.bare_keys:
            self._bare_key(found)
        self._answers_and_strangers()
        used = {one for step in self._steps for one in _certificates(step.entry)}
        used |= self._completed_chains(used)
        self._trusted([one for one in self._found.trusted if one not in used])
        if self._found.requests and not self._steps and not self._remarks:
            raise _refused(
                "the file is a certificate request, not a certificate; send it to your certificate department, and"
                " import what comes back",
                ErrorCode.NO_PRIVATE_KEY,
            )
        aliases = [step.entry.alias for step in self._steps]
        if self._wishes.alias is not None and len(aliases) > 1:
            raise _refused(
                f"--alias names one entry, but {len(aliases)} things are there to import: {_list(aliases)}",
                ErrorCode.ALIAS_EXISTS,
            )
        return Plan(steps=tuple(self._steps), remarks=tuple(self._remarks))

    # --- 1: keys with certificates ---

    def _identity(self, identity: AssembledIdentity) -> None:
        mine = owner_of(self._keystore, identity.leaf)
        chain = self._chain(identity.chain, mine)
        if mine is not None:
            # The key that came along is under the keystore's password from now on, whatever the old one was under.
            self._renew(mine, chain.chain, attrs.evolve(mine, key=identity.key, key_password=None))
            return
        wanted = self._wishes.alias or identity.found.alias or name_for(identity.leaf)
        there = self._keystore.get(wanted)
        if there is not None and fold_alias(wanted) == ADMIN_ALIAS and not self._wishes.replace:
            self._remarks.append(
                f"{quoted(wanted)} was left out: the keystore has its own, which is iadmin's identity (--replace takes"
                " the other one)"
            )
            return
        if there is not None and not self._wishes.replace:
            raise _refused(
                f"an entry {quoted(there.alias)} is there already, with another key; choose a name with --alias, or"
                " replace it with --replace",
                ErrorCode.ALIAS_EXISTS,
            )
        alias = wanted if there is not None else self._free(wanted)
        entry = PrivateKeyEntry(alias=alias, key=identity.key, chain=chain.chain)
        sentence = f"Imported the key and certificate of {title(identity.leaf)} as {quoted(alias)}{_behind(chain)}."
        if there is not None:
            sentence = f"Replaced the entry {quoted(there.alias)} by the key and certificate of {title(identity.leaf)}."
        if identity.found.alias is not None:
            sentence += " Its key has the keystore's password now, no longer that of the file."
        self._put(entry, sentence, None if there is None else there.alias)

    def _renew(self, mine: PrivateKeyEntry, chain: tuple[Certificate, ...], new: PrivateKeyEntry | None = None) -> None:
        if mine.chain == chain:
            self._remarks.append(f"{quoted(mine.alias)} has this certificate already; nothing to do for it")
            return
        if self._wishes.alias is not None and fold_alias(self._wishes.alias) != fold_alias(mine.alias):
            # The configuration may name the entry, and somebody may rely on it: renaming is a decision of its own.
            self._remarks.append(
                f"the key is in the keystore already, as {quoted(mine.alias)}, and keeps that name; to change it:"
                f" {command('rename', mine.alias, self._wishes.alias)}"
            )
        end = chain[0].not_after
        until = f", valid until {end:%Y-%m-%d}" if end is not None else ""
        sentence = (
            f"The certificate {title(chain[0])}{until} now stands with its key {quoted(mine.alias)}{_behind(chain)}."
        )
        self._put(attrs.evolve(new or mine, chain=chain), sentence, mine.alias)

    def _chain(self, given: Chain, mine: PrivateKeyEntry | None) -> Chain:
        """The chain from what was given and is at hand, issuers that stand with the entry already included."""
        there = () if mine is None else mine.chain
        chain = order([*given.chain, *self._at_hand, *there], leaf=given.chain[0])
        self._require_no_gap(chain)
        return chain

    def _require_no_gap(self, chain: Chain) -> None:
        """Refuse authorities that came along and yet do not reach the certificate: one between them was forgotten."""
        missing = chain.missing_issuer
        above = [one for one in self._found.trusted if one not in chain.chain]
        if self._wishes.force or missing is None or not chain.lacks_intermediate or not above:
            return
        where = f" The certificate says it can be fetched at {missing.urls[0]}." if missing.urls else ""
        key = f" (key identifier {missing.key_id.hex(':').upper()})" if missing.key_id else ""
        raise _refused(
            f"the chain has a gap: {title(chain.chain[-1])} was issued by {quoted(missing.name.text())}{key}, which is"
            f" not among the files, although {title(above[0])} is.{where} Give the missing certificate together with"
            " the others; --force imports it all the same",
            ErrorCode.CHAIN_INCOMPLETE,
        )

    # --- 2 and 3: halves that find their other half in the keystore ---

    def _answers_and_strangers(self) -> None:
        strangers: list[Certificate] = []
        for lonely in self._found.lonely:
            leaf = lonely.chain[0]
            mine = owner_of(self._keystore, leaf)
            if mine is None:
                strangers.append(leaf)
                continue
            self._renew(mine, self._chain(lonely, mine).chain)
        if strangers and not self._wishes.trust:
            names = ", ".join(title(one) for one in strangers[:3])
            raise _refused(
                f"no private key for the certificate {names} is in the files or in the keystore; a server cannot"
                f" present it without. {FIND_THE_KEY} If it is only to be trusted, add --trust",
                ErrorCode.NO_PRIVATE_KEY,
            )
        for one in strangers:
            self._trust(one)

    def _bare_key(self, found: FoundKey) -> None:
        public = found.key.public_key
        for entry in self._keystore.trusted_certificates:
            if entry.certificate.public_key is not None and public.same_key(entry.certificate.public_key):
                chain = order(self._at_hand, leaf=entry.certificate).chain
                alias = self._wishes.alias or entry.alias
                sentence = (
                    f"{found.words} fits the certificate {quoted(entry.alias)}, which was in the keystore without its"
                    f" key; both are now the entry {quoted(alias)}."
                )
                self._put(PrivateKeyEntry(alias=alias, key=found.key, chain=chain), sentence, entry.alias)
                return
        raise _refused(
            f"{found.words} has no certificate in the files or in the keystore. Give the certificate together with the"
            " key; if there is none yet, make a new key and a request with: iadmin keystore request ALIAS",
            ErrorCode.KEY_DOES_NOT_MATCH,
        )

    # --- 4 and 5: authorities ---

    def _completed_chains(self, used: set[Certificate]) -> set[Certificate]:
        given = [one for one in self._found.trusted if one not in used]
        completed: set[Certificate] = set()
        changed = {fold_alias(step.replaces) for step in self._steps if step.replaces is not None}
        for entry in self._keystore.private_keys if given else ():
            if not entry.chain or fold_alias(entry.alias) in changed:
                continue
            longer = order([*entry.chain, *given], leaf=entry.chain[0]).chain
            if len(longer) > len(entry.chain) and set(longer) >= set(entry.chain):
                new = [one for one in longer if one not in entry.chain]
                completed.update(new)
                names = ", ".join(title(one) for one in new)
                sentence = f"Completed the chain of {quoted(entry.alias)} with {names}."
                self._steps.append(
                    Step(entry=attrs.evolve(entry, chain=longer), sentence=sentence, replaces=entry.alias)
                )
        return completed

    def _trusted(self, rest: list[Certificate]) -> None:
        if self._steps and not self._wishes.trust:
            if rest:
                names = _list([title(one)[1:-1] for one in rest])
                self._remarks.append(f"not imported, because no chain needs them: {names} (--trust imports them, too)")
            return
        for one in rest:
            self._trust(one)

    def _trust(self, certificate: Certificate) -> None:
        there = next((e for e in self._keystore.trusted_certificates if e.certificate == certificate), None)
        if there is not None:
            self._remarks.append(f"{title(certificate)} is in the keystore already, as {quoted(there.alias)}")
            return
        alias = self._free(self._wishes.alias or name_for(certificate))
        entry = TrustedCertificateEntry(alias=alias, certificate=certificate)
        self._put(entry, f"Added {title(certificate)} as trusted, under the alias {quoted(alias)}.", None)

    # --- names ---

    def _put(self, entry: Entry, sentence: str, replaces: str | None) -> None:
        self._taken.add(fold_alias(entry.alias))
        self._steps.append(Step(entry=entry, sentence=sentence, replaces=replaces))

    def _free(self, wanted: str) -> str:
        """`wanted`, or `wanted-2` ... where it is taken; a name that the operator gave must be free as it is."""
        if fold_alias(wanted) not in self._taken:
            return wanted
        if self._wishes.alias is not None:
            raise _refused(f"an entry {quoted(wanted)} is there already; choose another name", ErrorCode.ALIAS_EXISTS)
        numbers = (f"{wanted}-{number}" for number in range(2, len(self._taken) + 3))
        return next(one for one in numbers if fold_alias(one) not in self._taken)


def name_for(certificate: Certificate) -> str:
    """An alias that can be typed: from the common name or the first host name, in lower case."""
    names = [name.value for name in certificate.alternative_names if name.kind == "dns"]
    said = certificate.subject.common_name or (names[0] if names else "") or "certificate"
    plain = re.sub(r"[^a-z0-9._-]+", "-", said.lower().replace("*.", "wildcard.")).strip("-._")
    return plain[:64] or "certificate"


def _certificates(entry: Entry) -> Iterator[Certificate]:
    if isinstance(entry, PrivateKeyEntry):
        yield from entry.chain
    elif isinstance(entry, TrustedCertificateEntry):
        yield entry.certificate


def _behind(chain: Chain | tuple[Certificate, ...]) -> str:
    links = chain.chain if isinstance(chain, Chain) else chain
    if len(links) < 2:
        return ""
    return ", with " + _list([title(one)[1:-1] for one in links[1:]])


def _list(names: Iterable[str]) -> str:
    several = list(names)
    more = f" and {len(several) - 5} more" if len(several) > 5 else ""
    return ", ".join(several[:5]) + more


def _refused(sentence: str, code: ErrorCode) -> OperationError:
    return OperationError(sentence[0].upper() + sentence[1:] + ".", code=code)

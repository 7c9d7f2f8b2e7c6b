"""What is wrong with a keystore, or with the files somebody sent: everything at once, worst first.

Each finding has a stable code, a severity, one sentence and a cure.  Nothing is fetched and nothing is changed.
The codes are listed in `CODES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from keystoretools import assemble, certificate_findings, cures, hostnames, store_findings
from keystoretools.certificate import Certificate
from keystoretools.certificate_findings import title
from keystoretools.chain import is_self_signed
from keystoretools.contents import Contents
from keystoretools.entries import PrivateKeyEntry, TrustedCertificateEntry, fold_alias
from keystoretools.errors import quoted
from keystoretools.finding import Finding, Severity, info, warning, worst_first
from keystoretools.identity import ADMIN_ALIAS
from keystoretools.limits import Budget
from keystoretools.model import Keystore

__all__ = ["CODES", "Finding", "Severity", "findings"]

# Notes of the readers that are findings of their own; the others say what a rule here says better.
_NOTES: Final = frozenset(
    {"duplicate-alias", "trailing-octets", "no-integrity-check", "unknown-entry", "alias-not-for-java"}
)
CODES: Final = frozenset(
    {
        "ca-as-server",
        "chain-gap",
        "chain-incomplete",
        "chain-out-of-order",
        "default-password",
        "dsa-key",
        "duplicate-alias",
        "expired",
        "expires-soon",
        "host-not-covered",
        "java-cannot-read",
        "java-ignores-certificate",
        "java-ignores-key",
        "java-would-serve-other",
        "key-certificate-mismatch",
        "key-password-differs",
        "key-unusable",
        "key-without-certificate",
        "needs-password",
        "no-alternative-names",
        "no-key-for-certificate",
        "no-server-usage",
        "not-checked",
        "not-usable",
        "not-yet-valid",
        "odd-alias",
        "old-java-cannot-read",
        "request-without-certificate",
        "root-included",
        "self-signed",
        "several-certificates",
        "several-identities",
        "unreadable-certificate",
        "unusual-key",
        "weak-key",
        "weak-signature",
        "weak-store-protection",
        "windows-cannot-read",
        *_NOTES,
    }
)


def findings(
    what: Keystore | Contents,
    *,
    now: datetime,
    host_names: Sequence[str] = (),
    alias: str | None = None,
    passwords: Sequence[str] = (),
    budget: Budget | None = None,
) -> tuple[Finding, ...]:
    """Everything worth knowing, errors first.

    `now` is aware.  `host_names`: how clients call the server; each must be covered by the identity.  `alias`: the
    entry that is to be presented (of a Keystore).  `passwords`: for keys inside the stores of Contents.
    Keys are opened with the store's password, which costs what opening them costs; `budget` bounds it.  Never raises.
    """
    budget = Budget() if budget is None else budget
    if isinstance(what, Contents):
        assembly = assemble.assemble(what, passwords=passwords, budget=budget)
        return of_assembly(assembly, what, now=now, host_names=host_names, budget=budget)
    return worst_first(_of_store(what, now, host_names, alias, budget))


def of_assembly(
    assembly: assemble.Assembly,
    contents: Contents,
    *,
    now: datetime,
    host_names: Sequence[str] = (),
    budget: Budget | None = None,
) -> tuple[Finding, ...]:
    """As `findings`, for contents that were put together already.

    Of several identities one must cover each host name; the admin tool's own is not asked.
    """
    budget = Budget() if budget is None else budget
    found = list(assembly.problems)
    leaves = [one.leaf for one in assembly.identities if not _is_admin(one.found.alias)]
    uncovered = [host for host in host_names if not any(hostnames.covers(leaf, host) for leaf in leaves)]
    for identity in assembly.identities:
        alias, serves = identity.found.alias, not _is_admin(identity.found.alias)
        for number, certificate in enumerate(identity.chain.chain):
            found += certificate_findings.validity(certificate, now, alias=alias, severe=serves)
            found += certificate_findings.strength(certificate, alias=alias, own=number == 0 and serves)
        if serves:
            found += certificate_findings.server_use(
                identity.leaf, alias=alias, host_names=uncovered, any_host=host_names
            )
    for certificate in (*(chain.chain[0] for chain in assembly.lonely), *assembly.trusted):
        found += certificate_findings.validity(certificate, now, alias=None, severe=False)
        found += certificate_findings.strength(certificate, alias=None, own=False)
    for store in contents.stores:
        if store.password is not None:
            found += store_findings.keys(store, budget, assembly.opened)
        found += store_findings.other_programs(store)
        found += _notes(store)
    return worst_first(found)


def _is_admin(alias: str | None) -> bool:
    return alias is not None and fold_alias(alias) == ADMIN_ALIAS


def _of_store(
    keystore: Keystore, now: datetime, host_names: Sequence[str], alias: str | None, budget: Budget
) -> list[Finding]:
    found: list[Finding] = []
    found += store_findings.keys(keystore, budget)
    found += store_findings.identities(keystore, alias, now, budget)
    trusted = [entry.certificate for entry in keystore.trusted_certificates]
    for entry in keystore.entries:
        if isinstance(entry, PrivateKeyEntry):
            serves = fold_alias(entry.alias) != ADMIN_ALIAS if alias is None else _same(entry.alias, alias)
            found += _of_key(entry, trusted, now, host_names if serves else (), serves)
        elif isinstance(entry, TrustedCertificateEntry):
            found += _of_trusted(entry, now)
    for rule in (store_findings.aliases, store_findings.protection, store_findings.other_programs):
        found += rule(keystore)
    return found + _notes(keystore)


def _notes(keystore: Keystore) -> list[Finding]:
    return [
        (warning if note.code == "duplicate-alias" else info)(note.code, note.sentence, alias=note.alias)
        for note in keystore.notes
        if note.code in _NOTES
    ]


def _same(one: str, other: str) -> bool:
    return fold_alias(one) == fold_alias(other)


def _of_key(
    entry: PrivateKeyEntry, trusted: Sequence[Certificate], now: datetime, host_names: Sequence[str], serves: bool
) -> list[Finding]:
    found: list[Finding] = []
    for number, certificate in enumerate(entry.chain):
        found += certificate_findings.validity(certificate, now, alias=entry.alias, severe=serves)
        found += certificate_findings.strength(certificate, alias=entry.alias, own=number == 0 and serves)
    if entry.chain and serves:
        found += certificate_findings.server_use(entry.chain[0], alias=entry.alias, host_names=host_names)
    found += certificate_findings.chain_order(entry.chain, alias=entry.alias, around=trusted)
    return found


def _of_trusted(entry: TrustedCertificateEntry, now: datetime) -> list[Finding]:
    certificate = entry.certificate
    found = [*certificate_findings.validity(certificate, now, alias=entry.alias, severe=False)]
    found += certificate_findings.strength(certificate, alias=entry.alias, own=False)
    if certificate.problem is None and not certificate.is_authority and not is_self_signed(certificate):
        sentence = (
            f"The entry {quoted(entry.alias)} is the certificate {title(certificate)} without its private key: a server"
            " cannot present it. As a trusted certificate it only says that this one server is trusted."
        )
        found.append(warning("no-key-for-certificate", sentence, cures.FIND_THE_KEY, alias=entry.alias))
    return found

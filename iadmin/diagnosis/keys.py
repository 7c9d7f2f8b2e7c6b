"""Certificates that gateways present, and everything else in the keystore."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

import attrs

from agent.wire.expiry import stage_of
from iadmin.diagnosis.finding import Finding, fault, note, warning
from keystoretools import Certificate, KeystoreError
from keystoretools.certificate_findings import server_use, strength, validity
from keystoretools.finding import Finding as KeyFinding
from keystoretools.finding import Severity as KeySeverity
from keystoretools.hostnames import covers

UNTOLD = frozenset({"root-included", "java-would-serve-other", "old-java-cannot-read", "several-identities"})
"""What `iadmin keystore check` tells about a keystore, and what is no fault of an agent."""

KNOWN_TO_ALL: Final = frozenset({"default-password"})
"""A risk only where others can read the file, which is a finding of its own."""


def look_at_presented(
    leaf: Certificate, *, gap: str, port: int, alias: str, host_names: Collection[str], now: datetime
) -> Iterator[Finding]:
    """What a gateway presents: dates, strength, names, chain. One of `host_names` must be covered, if there are any.

    `gap` is a sentence about what is missing in the chain, empty when it is whole.
    """
    known = f'the entry "{alias}" for port {port}'
    found = [
        *validity(leaf, now, alias=alias, severe=True),
        *strength(leaf, alias=alias, own=True),
        *server_use(leaf, alias=alias, any_host=tuple(host_names)),
    ]
    for one in found:
        if one.code == "self-signed":
            # The one that an agent makes itself stands in no keystore.
            one = attrs.evolve(one, cure="give it to every sender: iadmin tls export")
        if one.code not in UNTOLD:
            yield _told(one, known=known)
    if gap:
        sentence, _, remedy = gap.partition("; ")
        yield warning("key-chain-incomplete", sentence, known=known, remedy=remedy or "iadmin keystore import FILE")
    if host_names and not any(covers(leaf, name) for name in host_names):
        name = next(iter(host_names))
        yield warning(
            "host-not-covered",
            f"port {port} presents a certificate that covers none of this machine's names ({', '.join(host_names)}): "
            "senders that use them refuse it",
            known=f'the names in the certificate of "{alias}"',
            remedy=f"iadmin keystore request --name {name}",
        )


def look_at_keystore(found: Sequence[KeyFinding], *, presented: Collection[str]) -> Iterator[Finding]:
    """What a check of the keystore says, but for entries in `presented`, which are told of with their port."""
    for one in found:
        if one.severity is not KeySeverity.INFO and one.code not in UNTOLD and one.alias not in presented:
            yield _told(one, known="iadmin keystore check")


def look_at_unopened(error: KeystoreError, path: str) -> Iterator[Finding]:
    """The keystore does not open."""
    yield fault(
        f"keystore-{error.code!s}",
        f"{path}: {error.sentence.rstrip('.')}",
        known="opening it",
        remedy="iadmin keystore check; the password comes from keystore-password-file or IA_KEYSTORE_PASSWORD",
    )


def look_at_unserved(code: str, sentence: str, port: int) -> Iterator[Finding]:
    """What a gateway's section says cannot be presented."""
    yield fault(
        code,
        f"port {port} cannot speak HTTPS as configured: {sentence}",
        known="reading the keys as the agent does",
        remedy="mend that, then: iadmin reload",
    )


def look_at_anchor(certificate: Certificate, *, where: str, now: datetime) -> Iterator[Finding]:
    """A certificate that is trusted, and runs out."""
    end = certificate.not_after
    if end is None or stage_of((end - now).days) is None:
        return
    when = "expired" if end < now else "expires"
    yield warning(
        "trust-expiring",
        f"{certificate.subject.text()}, which {where} trusts, {when} on {end:%Y-%m-%d}",
        known="its dates",
        remedy="iadmin tls expiry lists all; ask whoever issued it for the next one",
    )


def _told(one: KeyFinding, *, known: str) -> Finding:
    if one.code in KNOWN_TO_ALL:
        return note(f"key-{one.code}", one.sentence.rstrip("."), known=known, remedy=one.cure)
    make = {KeySeverity.ERROR: fault, KeySeverity.WARNING: warning, KeySeverity.INFO: note}[one.severity]
    return make(f"key-{one.code}", one.sentence.rstrip("."), known=known, remedy=one.cure)

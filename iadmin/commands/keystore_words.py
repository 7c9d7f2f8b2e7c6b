"""Entries, certificates and findings as table rows, sentences and JSON-able values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from iadmin.model import Block
from iadmin.render import Cell, Column, Line, Table, Tone
from keystoretools import Certificate, Entry, PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry
from keystoretools.certificate_findings import SOON, title
from keystoretools.finding import Finding, Severity
from keystoretools.hostnames import names_of
from keystoretools.javapick import key_algorithm

COLUMNS: Final = (
    Column("ALIAS"),
    Column("KIND"),
    Column("FOR", flexible=True),
    Column("ISSUED BY", flexible=True, spare=True),
    Column("VALID UNTIL"),
    Column("LEFT", align="right"),
    Column("KEY", spare=True),
    Column("", spare=True),
)
TONES: Final[dict[Severity, Tone]] = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "dim"}


def kind_of(entry: Entry) -> str:
    """`key`, `trusted` or `secret`."""
    if isinstance(entry, PrivateKeyEntry):
        return "key"
    return "secret" if isinstance(entry, SecretKeyEntry) else "trusted"


def certificate_of(entry: Entry) -> Certificate | None:
    """The entry's own certificate."""
    if isinstance(entry, TrustedCertificateEntry):
        return entry.certificate
    return entry.chain[0] if isinstance(entry, PrivateKeyEntry) and entry.chain else None


def entry_table(entries: Iterable[Entry], now: datetime, remarks: dict[str, str]) -> Table:
    """One row per entry; `remarks`: alias -> the last column."""
    return Table(
        columns=COLUMNS,
        rows=[_row(entry, now, remarks.get(entry.alias, "")) for entry in entries],
        empty="The keystore is empty.",
    )


def _row(entry: Entry, now: datetime, remark: str) -> list[str | Cell]:
    certificate = certificate_of(entry)
    if certificate is None:
        return [entry.alias, kind_of(entry), "", "", "", "", "", remark]
    names = names_of(certificate)
    end = certificate.not_after
    tone: Tone = "" if end is None else "bad" if end < now else "warn" if end - now < SOON else ""
    return [
        entry.alias,
        kind_of(entry),
        ", ".join(names) if names and kind_of(entry) == "key" else title(certificate)[1:-1],
        "itself" if certificate.is_self_issued else certificate.issuer.common_name or certificate.issuer.text(),
        Cell("" if end is None else f"{end:%Y-%m-%d}", tone),
        Cell(days_left(certificate, now), tone),
        key_words(certificate),
        remark,
    ]


def days_left(certificate: Certificate, now: datetime) -> str:
    """`97 days`, `EXPIRED`, or empty where the date cannot be read."""
    end = certificate.not_after
    if end is None:
        return ""
    return "EXPIRED" if end < now else f"{(end - now).days} days"


def key_words(certificate: Certificate) -> str:
    """`RSA 2048`, `EC secp256r1`."""
    key = certificate.public_key
    if key is None:
        return ""
    return f"{key.algorithm} {key.curve or key.bits or ''}".rstrip()


def entry_data(entry: Entry) -> dict[str, Any]:
    """An entry for JSON; times are ISO 8601, fingerprints and serial numbers hexadecimal."""
    own = certificate_of(entry)
    chain = entry.chain if isinstance(entry, PrivateKeyEntry) else () if own is None else (own,)
    return {
        "alias": entry.alias,
        "kind": kind_of(entry),
        "created": None if entry.created is None else entry.created.isoformat(),
        "key_algorithm": key_algorithm(entry) if isinstance(entry, PrivateKeyEntry) else None,
        "certificates": [certificate_data(one) for one in chain],
    }


def certificate_data(certificate: Certificate) -> dict[str, Any]:
    """A certificate for JSON."""
    key = certificate.public_key
    start, end = certificate.not_before, certificate.not_after
    return {
        "subject": certificate.subject.text(),
        "issuer": certificate.issuer.text(),
        "serial": f"{certificate.serial:x}",
        "not_before": None if start is None else start.isoformat(),
        "not_after": None if end is None else end.isoformat(),
        "names": list(names_of(certificate)),
        "key": None if key is None else {"algorithm": key.algorithm, "bits": key.bits, "curve": key.curve},
        "signature": certificate.signature_algorithm,
        "authority": certificate.is_authority,
        "sha256": certificate.sha256.hex(),
        "problem": certificate.problem,
    }


def finding_blocks(found: Iterable[Finding]) -> Iterator[Block]:
    """Each finding with its severity; the remedy below it."""
    for one in found:
        yield Line(f"{one.severity.value.upper()}: {one.sentence}", TONES[one.severity])
        if one.cure:
            yield Line(f"    {one.cure}", "dim" if one.severity is Severity.INFO else "")


def finding_data(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings for JSON, worst first as they came."""
    return [
        {
            "code": one.code,
            "severity": one.severity.value,
            "alias": one.alias,
            "sentence": one.sentence,
            "cure": one.cure,
        }
        for one in found
    ]

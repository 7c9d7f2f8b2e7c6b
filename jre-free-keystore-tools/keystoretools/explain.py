"""Plain words for people who do not know TLS: what is in these files, what belongs together, what to do next.

`explain` gives four short lists of sentences; a sentence says one thing, names the file it is about and uses no
abbreviation that it does not need.  Foreign text is escaped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

import attrs

from keystoretools import cures, findings, hostnames
from keystoretools.assemble import Assembly, assemble
from keystoretools.certificate import Certificate
from keystoretools.certificate_findings import is_root, title
from keystoretools.chain import Chain, is_self_signed
from keystoretools.contents import Contents, Leftover, LockedStore, Part
from keystoretools.entries import PrivateKeyEntry, SecretKeyEntry, TrustedCertificateEntry
from keystoretools.errors import quoted
from keystoretools.finding import Finding, Severity
from keystoretools.limits import Budget
from keystoretools.model import Format, Keystore
from keystoretools.privatekey import PrivateKey
from keystoretools.privatekey_forms import EncryptedKey
from keystoretools.publickey import PublicKey
from keystoretools.request import CertificateRequest
from keystoretools.secret import Password

# More lines of one kind are counted, not shown: nobody reads 150 authorities.
_MOST_LINES = 25


@attrs.frozen(kw_only=True)
class Explanation:
    """Sentences in four groups, and the findings and the assembly they were made from."""

    inside: tuple[str, ...]
    together: tuple[str, ...]
    wrong: tuple[str, ...]
    next_steps: tuple[str, ...]
    findings: tuple[Finding, ...]
    assembly: Assembly

    @property
    def text(self) -> str:
        """All of it under headings, empty groups left out."""
        groups = (
            ("What is in it", self.inside),
            ("What belongs together", self.together),
            ("What to know", self.wrong),
            ("What to do next", self.next_steps),
        )
        return "\n".join(f"{name}:\n" + "".join(f"  - {line}\n" for line in lines) for name, lines in groups if lines)


def explain(
    *contents: Contents,
    now: datetime,
    host_names: Sequence[str] = (),
    passwords: Sequence[Password | str] = (),
    assembly: Assembly | None = None,
    budget: Budget | None = None,
) -> Explanation:
    """What the files are and what to do with them.  Never raises.

    `host_names`: how clients will call the server.  `passwords` as for `assemble`.  `assembly`: of the same contents,
    where it is known already: keys are not opened again.
    """
    budget = Budget() if budget is None else budget
    joined = Contents.joined(*contents)
    assembly = assemble(joined, passwords=passwords, budget=budget) if assembly is None else assembly
    found = findings.of_assembly(assembly, joined, now=now, host_names=host_names, budget=budget)
    return Explanation(
        inside=_inside(joined, now) + joined.notes,
        together=tuple(_together(assembly)),
        wrong=tuple(one.sentence for one in found),
        next_steps=tuple(_next_steps(assembly, found, joined)),
        findings=found,
        assembly=assembly,
    )


def describe(certificate: Certificate, now: datetime) -> str:
    """One sentence about a certificate: whose it is, who issued it, which names it covers, how long it is valid."""
    if certificate.problem is not None:
        return f"A certificate that cannot be read: {certificate.problem}"
    is_authority = certificate.is_authority
    if is_self_signed(certificate):
        is_authority = is_root(certificate)
        issued = "self-signed" if not is_authority else "a root (it signs itself)"
    else:
        issued = f"issued by {quoted(certificate.issuer.common_name or certificate.issuer.text())}"
    whose = "Certificate authority" if is_authority else "Certificate for"
    names = [name for name in hostnames.names_of(certificate) if quoted(name) != title(certificate)]
    also = f", also for {', '.join(quoted(name)[1:-1] for name in names[:10])}" if names else ""
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{whose} {title(certificate)}{also}{more}, {issued}, {_until(certificate, now)}."


def _until(certificate: Certificate, now: datetime) -> str:
    start, end = certificate.not_before, certificate.not_after
    if start is None or end is None:
        return "of unreadable validity"
    if end < now:
        return f"EXPIRED on {end:%Y-%m-%d}"
    if start > now:
        return f"valid only from {start:%Y-%m-%d} on"
    left = (end - now).days
    return f"valid until {end:%Y-%m-%d} ({left} day{'s' * (left != 1)} left)"


def _part(part: Part, now: datetime) -> Iterator[str]:
    where, value = f"{part.place}: " if part.place else "", part.value
    match value:
        case Certificate():
            yield where + describe(value, now)
        case PrivateKey():
            yield f"{where}Private key ({_size(value.algorithm, value.bits)}), not encrypted: keep this file secret."
        case EncryptedKey():
            yield f"{where}Private key, locked with a password."
        case CertificateRequest():
            yield f"{where}Certificate request for {quoted(value.subject.common_name or value.subject.text())}."
        case PublicKey():
            yield f"{where}Public key ({_size(value.algorithm, value.bits)})."
        case LockedStore():
            yield f"{where}{value.kind.words}, locked with a password."
        case Leftover():
            yield f"{where}{value.what}: of no use here."
        case Keystore():
            yield f"{where}{_FORMATS[value.format]} with {_count(len(value), 'entry', 'entries')}{_checked(value)}."
            for entry in value:
                yield from (f"{where}{line}" for line in _entry(entry, now))


_FORMATS = {
    Format.JKS: "Java keystore (JKS)",
    Format.JCEKS: "Java keystore (JCEKS)",
    Format.PKCS12: "PKCS#12 keystore (.pfx, .p12)",
    Format.BKS: "BouncyCastle keystore (BKS)",
}


def _checked(store: Keystore) -> str:
    if store.verified:
        return ", opened with the password"
    return ", read without its password" if store.password is None else ", which has no integrity check"


def _entry(entry: PrivateKeyEntry | SecretKeyEntry | TrustedCertificateEntry, now: datetime) -> Iterator[str]:
    name = quoted(entry.alias)
    if isinstance(entry, SecretKeyEntry):
        yield f"{name}: a secret key or a stored password."
    elif isinstance(entry, TrustedCertificateEntry):
        yield f"{name}: a trusted certificate, no key. {describe(entry.certificate, now)}"
    elif not entry.chain:
        yield f"{name}: a private key without a certificate."
    else:
        behind = len(entry.chain) - 1
        chain = f" {_count(behind, 'certificate', 'certificates')} of its issuers with it." if behind else ""
        yield f"{name}: a private key with its certificate. {describe(entry.chain[0], now)}{chain}"


def _together(assembly: Assembly) -> Iterator[str]:
    for identity in assembly.identities:
        yield f"{identity.found.words} fits the certificate {title(identity.leaf)}."
        yield _chain(identity.chain)
        names = hostnames.names_of(identity.leaf)
        if names:
            yield f"It covers these names: {', '.join(quoted(name)[1:-1] for name in names[:20])}."
    for chain in assembly.lonely:
        yield _chain(chain)
    for request in assembly.requests:
        fits = [
            one.found.words
            for one in assembly.identities
            if request.public_key is not None and one.key.public_key.same_key(request.public_key)
        ]
        if fits:
            yield f"{fits[0]} is also that of the request; the certificate answers it."


def _chain(chain: Chain) -> str:
    links = chain.chain
    if len(links) == 1 and chain.is_complete:
        return f"{title(links[0])} is signed by itself; there is no chain."
    shown = ", issued by ".join(title(link) for link in links)
    missing = chain.missing_issuer
    if missing is None:
        return f"The chain is complete: {shown}."
    name = quoted(missing.name.common_name or missing.name.text())
    if chain.lacks_intermediate:
        return f"The chain is not complete: {shown}, issued by {name}, which is missing."
    return f"The chain is {shown}; its root {name} is not there, and need not be."


def _next_steps(assembly: Assembly, found: tuple[Finding, ...], joined: Contents) -> Iterator[str]:
    """The cures of what is wrong, worst first, each once; then what the files are good for."""
    yield from dict.fromkeys(one.cure for one in found if one.cure and one.severity is not Severity.INFO)
    sources = list(dict.fromkeys(part.source for part in joined.parts if part.source))
    blocking = {"needs-password", "key-certificate-mismatch", "no-key-for-certificate", "dsa-key"}
    if assembly.identities and not any(one.code in blocking for one in found):
        yield f"Put the key and its certificates into the keystore: {cures.command('import', *(sources or ['FILE']))}"
    elif assembly.trusted and not (assembly.identities or assembly.lonely or assembly.bare_keys or assembly.locked):
        yield (
            "These are certificates to trust, not one to present: "
            + cures.command("import", *(sources or ["FILE"]))
            + " adds them to the keystore as trusted."
        )
    if assembly.requests and not assembly.identities:
        yield "Send the request to your certificate department; what comes back is the certificate."


def _size(algorithm: str, bits: int) -> str:
    return f"{algorithm}, {bits} bits" if bits else algorithm


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number} {many}"


def _inside(contents: Contents, now: datetime) -> tuple[str, ...]:
    """The first lines about the parts; what is only counted is not looked at: there may be a hundred thousand."""
    entries = sum(len(part.value) for part in contents.parts if isinstance(part.value, Keystore))
    count = len(contents.parts) + entries
    lines = (line for part in contents.parts for line in _part(part, now))
    if count <= _MOST_LINES:
        return tuple(lines)
    return (*itertools.islice(lines, _MOST_LINES - 1), f"... and {count - _MOST_LINES + 1} more.")

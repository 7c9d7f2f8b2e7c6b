"""Findings about one certificate and about a chain: dates, names, usages, strength, order, gaps.

Pure rules over what the certificate says; no signature is checked but where `chain` does, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from keystoretools import cures, der, hostnames
from keystoretools.certificate import Certificate
from keystoretools.chain import Chain, is_self_signed, order
from keystoretools.errors import quoted
from keystoretools.finding import Finding, error, info, warning
from keystoretools.publickey import PublicKey

# A month: certificate departments need days, holidays take weeks.
SOON: Final = timedelta(days=30)

_SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
_ANY_USAGE: Final = "2.5.29.37.0"
_BROKEN_DIGESTS: Final = ("MD2", "MD5")
_COMMON_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
# Under these sizes Java and OpenSSL refuse or mark a key (jdk.certpath.disabledAlgorithms, security level 2).
_LEAST_BITS: Final = {"RSA": 2048, "RSASSA-PSS": 2048, "EC": 224}


def title(certificate: Certificate) -> str:
    """How to call a certificate in a sentence: its CN, else its first name, else its subject."""
    if certificate.problem is not None:
        return "an unreadable certificate"
    names = [name.value for name in certificate.alternative_names if name.kind in ("dns", "ip")]
    chosen = certificate.subject.common_name or (names[0] if names else certificate.subject.text())
    return quoted(chosen or "(no name)")


def validity(certificate: Certificate, now: datetime, *, alias: str | None, severe: bool) -> Iterator[Finding]:
    """Expired, soon to expire, not yet valid.  `severe`: a server presents it."""
    start, end = certificate.not_before, certificate.not_after
    if start is None or end is None:
        return
    what = f"The certificate {title(certificate)}"
    if end < now:
        found = f"{what} expired on {end:%Y-%m-%d}, {_days(now - end)} ago."
        yield (error if severe else warning)("expired", found, _renew(certificate, alias), alias=alias)
    elif start > now:
        found = f"{what} is valid only from {start:%Y-%m-%d %H:%M} UTC on, in {_days(start - now)}."
        cure = f"Wait until {start:%Y-%m-%d %H:%M} UTC, or check the clock of this machine."
        yield (error if severe else warning)("not-yet-valid", found, cure, alias=alias)
    elif end - now < SOON:
        found = f"{what} expires on {end:%Y-%m-%d}, in {_days(end - now)}."
        yield warning("expires-soon", found, _renew(certificate, alias), alias=alias)


def strength(certificate: Certificate, *, alias: str | None, own: bool) -> Iterator[Finding]:
    """Weak key or signature.  `own`: a server presents it (then DSA is an error)."""
    key = certificate.public_key
    what = f"The certificate {title(certificate)}"
    if certificate.problem is not None:
        found = f"A certificate cannot be read wholly: {certificate.problem}"
        yield warning("unreadable-certificate", found, "Ask for it again.", alias=alias)
        return
    if key is not None and key.algorithm == "DSA" and own:
        found = f"{what} has a DSA key: no client accepts DSA for TLS any more."
        yield error("dsa-key", found, "Make a new RSA or EC key and request a certificate for it.", alias=alias)
    least = _LEAST_BITS.get(key.algorithm, 0) if key is not None else 0
    if key is not None and 0 < key.bits < least:
        found = f"{what} has an {key.algorithm} key of {key.bits} bits; clients want {least} or more."
        yield (error if own else warning)("weak-key", found, "Make a new key and request a certificate.", alias=alias)
    odd = _odd_kind(key) if key is not None and own else None
    if odd is not None:
        found = f"{what} has {odd}: browsers and many Java senders do not accept it."
        cure = "Make an RSA key, or an EC key on secp256r1, and request a certificate for it."
        yield warning("unusual-key", found, cure, alias=alias)
    digest = certificate.signature_algorithm.partition("with")[0]
    if is_self_signed(certificate) and not own:
        return  # the signature of a root proves nothing
    if digest in _BROKEN_DIGESTS or digest == "SHA1":
        found = f"{what} is signed with {certificate.signature_algorithm}, which clients refuse as insecure."
        broken = digest in _BROKEN_DIGESTS and not is_self_signed(certificate)
        yield (error if broken else warning)("weak-signature", found, _renew(certificate, alias), alias=alias)


def _odd_kind(key: PublicKey) -> str | None:
    """The words for a key that is sound, but that not every TLS client takes."""
    if key.algorithm == "EC" and _spells_curve_out(key):
        return (
            "an EC key whose curve is not named but spelled out in numbers (Java then says that the password is wrong)"
        )
    if key.algorithm == "EC" and key.curve not in _COMMON_CURVES:
        return f"an EC key on the curve {key.curve}"
    return f"an {key.algorithm} key" if key.algorithm in ("Ed25519", "Ed448", "RSASSA-PSS") else None


def _spells_curve_out(key: PublicKey) -> bool:
    """RFC 5480 2.1.1 forbids it in certificates; old OpenSSL command lines made it."""
    parameters = der.parse(key.der).sequence(2)[0].sequence(1)[1:]
    return bool(parameters) and parameters[0].tag == der.SEQUENCE


def server_use(
    certificate: Certificate, *, alias: str | None, host_names: Sequence[str] = (), any_host: Sequence[str] = ()
) -> Iterator[Finding]:
    """Whether clients accept it from a server: names, usage, who signed it.

    `host_names` must be covered by this certificate, `any_host` are known to be covered by it or another.
    """
    if certificate.problem is not None:
        return
    what = f"The certificate {title(certificate)}"
    names = hostnames.names_of(certificate)
    for host in host_names:
        if not hostnames.covers(certificate, host):
            found = f"{what} does not cover {quoted(host)}: {hostnames.why_not(certificate, host)}."
            cure = f"Request one with all names: {cures.command('request', alias or 'server', '--name', host)}"
            yield error("host-not-covered", found, cure, alias=alias)
    if not names and not host_names and not any_host:
        found = f"{what} names no host in its alternative names; today's clients do not look at the CN."
        yield warning("no-alternative-names", found, _renew(certificate, alias), alias=alias)
    usages = certificate.extended_key_usage
    if usages and _SERVER_AUTH not in usages and _ANY_USAGE not in usages:
        found = f"{what} is not meant for servers: its extended key usage lacks serverAuth."
        yield error("no-server-usage", found, "Ask for a certificate for a TLS server (serverAuth).", alias=alias)
    if is_self_signed(certificate):
        found = f"{what} is self-signed: no sender trusts it until it is put into the sender's trust store."
        cure = f"Give it to every sender: {cures.command('export', alias)}" if alias else ""
        yield info("self-signed", found, cure, alias=alias)
    elif certificate.is_authority:
        found = f"{what} is that of a certificate authority, not of a server."
        yield warning("ca-as-server", found, "Import the server's own certificate instead.", alias=alias)


def chain_order(
    certificates: Sequence[Certificate], *, alias: str | None, around: Sequence[Certificate] = ()
) -> Iterator[Finding]:
    """Order and completeness of the chain that stands with a key; `around`: other certificates at hand."""
    if not certificates:
        return
    right = order(certificates, leaf=certificates[0])
    if right.leftovers:
        yield _left_over(right, alias)
    elif not right.was_in_order:
        names = ", ".join(title(one) for one in right.chain)
        found = f"The certificates are in the wrong order; right is: {names}."
        cure = f"Import the chain again: {cures.command('import', 'FILE')}" if alias else ""
        yield warning("chain-out-of-order", found, cure, alias=alias)
    elif right.lacks_intermediate:
        yield incomplete(right, alias, around)
    if right.root_included and not right.leftovers:
        found = f"The root {title(right.chain[-1])} is in the chain; that does no harm, clients have their own copy."
        yield info("root-included", found, alias=alias)


def _left_over(right: Chain, alias: str | None) -> Finding:
    """Certificates stand behind the leaf that did not issue it: an intermediate is missing, or they are strangers."""
    strangers = ", ".join(title(one) for one in right.leftovers[:3])
    missing = right.missing_issuer
    if missing is None:
        found = f"{strangers} does not belong to the chain of {title(right.chain[0])}."
        return warning("chain-gap", found, alias=alias)
    found = (
        f"The chain has a gap: {title(right.chain[-1])} was issued by {quoted(missing.name.text())}"
        f"{_key_id(missing.key_id)}, but {strangers} follows. Clients that do not know the missing certificate refuse"
        " the connection."
    )
    return error("chain-gap", found, cures.add_issuer(alias, missing.urls), alias=alias)


def incomplete(right: Chain, alias: str | None, around: Sequence[Certificate]) -> Finding:
    """The finding for a chain whose `missing_issuer` is known to be missing."""
    missing = right.missing_issuer
    assert missing is not None  # the caller has looked
    at_hand = order([*right.chain, *around], leaf=right.chain[0]).chain[len(right.chain) :]
    found = (
        f"The certificate of the issuer is missing: {title(right.chain[-1])} was issued by"
        f" {quoted(missing.name.text())}{_key_id(missing.key_id)}. Browsers may still connect, Java senders and curl"
        " will not."
    )
    if at_hand:
        return warning(
            "chain-incomplete",
            found,
            f"{title(at_hand[0])} is in the same keystore; import both together.",
            alias=alias,
        )
    return warning("chain-incomplete", found, cures.add_issuer(alias, missing.urls), alias=alias)


def _renew(certificate: Certificate, alias: str | None) -> str:
    signs_itself = is_self_signed(certificate) and not is_root(certificate)
    return cures.renew(alias, title(certificate), signs_itself=signs_itself)


def is_root(certificate: Certificate) -> bool:
    """Whether what signs itself is an authority that issues others; `openssl req -x509` marks servers so, too."""
    return certificate.is_authority and not hostnames.names_of(certificate)


def _key_id(key_id: bytes | None) -> str:
    return f" (key identifier {key_id.hex(':').upper()})" if key_id else ""


def _days(span: timedelta) -> str:
    return "less than a day" if span.days < 1 else "1 day" if span.days == 1 else f"{span.days} days"

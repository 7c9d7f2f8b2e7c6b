"""Puts certificates in order: the one a server presents, then issuer by issuer up to the root.

An issuer fits when its name is the one that the certificate gives, key identifiers do not contradict, and the
signature (checked where there is doubt) was made with its key.  Of several that fit, the one whose key identifier
agrees comes first, then the one that is valid longest.
Source: RFC 5280 4.2.1.1, 6.1 and 7.1 (comparison of names).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs

from keystoretools import der, oids
from keystoretools.certificate import Certificate
from keystoretools.errors import KeystoreError
from keystoretools.names import Name, read_general_name
from keystoretools.publickey import PublicKey
from keystoretools.signature import signed_by

# Real chains have up to 5; a hostile file may hold thousands that issue one another.
MOST_LINKS: Final = 20
# Authorities of one name: a renewed one stands beside the old one.  Each may cost a signature check.
MOST_NAMESAKES: Final = 20

_ISSUER_URL: Final = "1.3.6.1.5.5.7.48.2"
BySubject = dict[tuple[object, ...], list[Certificate]]

_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class MissingIssuer:
    """The certificate that would have to follow `certificate`.

    `name` as the certificate gives it, `key_id` its key identifier, `urls` where it can be fetched (never done here).
    """

    certificate: Certificate
    name: Name
    key_id: bytes | None = None
    urls: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Chain:
    """`chain[0]` is the leaf, the last one its root or the last that was there.

    `missing_issuer` is None when the chain ends with a self-signed certificate (or is empty).  `leftovers` are the
    given certificates that do not belong to it, each once.  `was_in_order`: they came as leaf, issuer, issuer ...
    """

    chain: tuple[Certificate, ...] = ()
    missing_issuer: MissingIssuer | None = None
    leftovers: tuple[Certificate, ...] = ()
    was_in_order: bool = True

    @property
    def leaf(self) -> Certificate | None:
        return self.chain[0] if self.chain else None

    @property
    def is_complete(self) -> bool:
        """Up to a self-signed certificate."""
        return bool(self.chain) and self.missing_issuer is None

    @property
    def lacks_intermediate(self) -> bool:
        """Whether an issuer is missing that clients are not likely to have themselves (they have roots only)."""
        return self.missing_issuer is not None and (len(self.chain) == 1 or not self.chain[-1].is_authority)

    @property
    def root_included(self) -> bool:
        """Whether a root stands behind other certificates; a server need not send it."""
        return len(self.chain) > 1 and self.chain[-1].is_self_issued


def order(
    certificates: Iterable[Certificate],
    *,
    key: PublicKey | None = None,
    leaf: Certificate | None = None,
    by_subject: BySubject | None = None,
) -> Chain:
    """The chain among `certificates`, given in any order and any number of times.

    It starts at `leaf`, else at the certificate made for `key`, else at the one that issued none of the others
    (server certificates before authorities).  `by_subject`: the same certificates grouped, for callers that ask often.
    Never raises.
    """
    unique = list(dict.fromkeys(certificates))
    start = leaf if leaf is not None else _leaf(unique, key)
    if start is None:
        return Chain(leftovers=tuple(unique))
    links = follow(start, group_by_subject(unique) if by_subject is None else by_subject)
    inside = set(links)
    return Chain(
        chain=links,
        missing_issuer=None if is_self_signed(links[-1]) else missing_issuer(links[-1]),
        leftovers=tuple(one for one in unique if one not in inside),
        was_in_order=[one for one in unique if one in inside] == [one for one in links if one in unique],
    )


def follow(leaf: Certificate, by_subject: BySubject) -> tuple[Certificate, ...]:
    """The leaf and its issuers, as far as they are there."""
    links = [leaf]
    while len(links) < MOST_LINKS and not is_self_signed(links[-1]):
        issuer = find_issuer(links[-1], by_subject)
        if issuer is None or issuer in links:
            break
        links.append(issuer)
    return tuple(links)


def group_by_subject(certificates: Iterable[Certificate]) -> BySubject:
    """Certificates by their subject, in a form that compares as names compare."""
    found: BySubject = {}
    for certificate in certificates:
        if certificate.problem is None:
            found.setdefault(certificate.subject.comparable, []).append(certificate)
    return found


def find_issuer(certificate: Certificate, by_subject: BySubject) -> Certificate | None:
    """The issuer of a certificate among others, None when it is not there."""
    named = [one for one in by_subject.get(certificate.issuer.comparable, ()) if one != certificate]
    wanted = certificate.authority_key_id
    ranked = sorted(
        named,
        key=lambda one: (wanted is not None and one.subject_key_id == wanted, one.not_after or _LONG_AGO),
        reverse=True,
    )
    for one in ranked[:MOST_NAMESAKES]:
        if wanted is not None and one.subject_key_id == wanted:
            return one
        if signed_by(certificate, one) is not False:
            return one
    return None


def is_self_signed(certificate: Certificate) -> bool:
    """Issued by itself, as far as names and key identifiers say."""
    if certificate.problem is not None or certificate.subject.comparable != certificate.issuer.comparable:
        return False
    mine, issuer = certificate.subject_key_id, certificate.authority_key_id
    return mine is None or issuer is None or mine == issuer


def missing_issuer(certificate: Certificate) -> MissingIssuer:
    """What is known about the issuer of a certificate."""
    return MissingIssuer(
        certificate=certificate,
        name=certificate.issuer,
        key_id=certificate.authority_key_id,
        urls=issuer_urls(certificate),
    )


def issuer_urls(certificate: Certificate) -> tuple[str, ...]:
    """Where the certificate says that its issuer can be fetched (authorityInfoAccess, caIssuers)."""
    found = certificate.extension(oids.AUTHORITY_INFORMATION_ACCESS)
    urls: list[str] = []
    try:
        for access in der.parse(found.value).sequence() if found else []:
            parts = access.sequence(2)
            name = read_general_name(parts[1])
            if parts[0].oid() == _ISSUER_URL and name.kind == "uri":
                urls.append(name.value)
    except KeystoreError:
        pass
    return tuple(urls)


def _leaf(certificates: Sequence[Certificate], key: PublicKey | None) -> Certificate | None:
    """Where the chain starts: see `order`."""
    readable = [one for one in certificates if one.problem is None]
    if key is not None:
        fitting = [one for one in certificates if one.public_key is not None and key.same_key(one.public_key)]
        # A renewed certificate stands beside the old one: the newest; a self-signed one made before the real one: last.
        fitting.sort(key=lambda one: (not is_self_signed(one), one.not_before or _LONG_AGO), reverse=True)
        return fitting[0] if fitting else None
    issuers = {one.issuer.comparable for one in readable if not is_self_signed(one)}
    candidates = [one for one in readable if one.subject.comparable not in issuers] or readable
    candidates.sort(key=lambda one: (one.is_authority, is_self_signed(one)))  # stable: else as given
    return candidates[0] if candidates else None

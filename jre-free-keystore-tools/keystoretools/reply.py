"""Joins the certificates a CA sent back to the private key they were made for.

One certificate alone is completed with issuers that the store trusts.  Several are put in order, the key's own first;
what does not belong to the chain is kept behind it, as keytool does, and named in the result.
Source: behaviour of keytool's `-importcert` on an alias that holds a private key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from keystoretools.certificate import Certificate
from keystoretools.chain import (
    MissingIssuer,
    find_issuer,
    follow,
    group_by_subject,
    is_self_signed,
    missing_issuer,
)
from keystoretools.entries import PrivateKeyEntry
from keystoretools.errors import ErrorCode, OperationError, quoted


@attrs.frozen(kw_only=True)
class Reply:
    """`chain` is the entry's new chain.

    `untrusted_top`: its last certificate, when nothing in the store vouches for it (ask somebody).  `missing`: the
    issuer that lacks before the chain reaches a root, None when it does (a missing root alone counts when the store has
    it not either).  `unrelated`: certificates at the end of `chain` that belong to no link of it.
    """

    chain: tuple[Certificate, ...]
    untrusted_top: Certificate | None = None
    missing: MissingIssuer | None = None
    unrelated: tuple[Certificate, ...] = ()


def join(entry: PrivateKeyEntry, certificates: Sequence[Certificate], trusted: Iterable[Certificate]) -> Reply:
    """The chain that `certificates` make for the key of `entry`; `trusted` are the certificates of the store.

    Raises OperationError: no-private-key (the entry has no certificate whose key could be compared),
    key-does-not-match, alias-exists (the very certificate is installed), chain-incomplete (a single certificate
    whose issuers are not trusted).
    """
    if not entry.chain:
        raise OperationError(
            f"The entry {quoted(entry.alias)} has no certificate: nobody knows its public key.",
            code=ErrorCode.NO_PRIVATE_KEY,
            alias=entry.alias,
        )
    known = list(trusted)
    unique = list(dict.fromkeys(certificates))
    own = next((one for one in unique if _same_key(one, entry.chain[0])), None)
    if own is None:
        raise _does_not_match(entry, unique)
    return _alone(entry, own, known) if len(unique) == 1 else _several(own, unique, known)


def completed(certificate: Certificate, trusted: Iterable[Certificate]) -> tuple[Certificate, ...] | None:
    """The chain from `certificate` through trusted ones to a self-signed one; None when there is no such chain."""
    links = follow(certificate, group_by_subject([certificate, *trusted]))
    return links if is_self_signed(links[-1]) else None


def _alone(entry: PrivateKeyEntry, own: Certificate, trusted: list[Certificate]) -> Reply:
    if own == entry.chain[0]:
        raise OperationError(
            f"The entry {quoted(entry.alias)} has this very certificate already.",
            code=ErrorCode.ALIAS_EXISTS,
            alias=entry.alias,
        )
    chain = completed(own, trusted)
    if chain is None:
        links = follow(own, group_by_subject([own, *trusted]))
        raise OperationError(
            f"The issuer {quoted(missing_issuer(links[-1]).name.text(), 200)} is not in the keystore. Import its"
            " certificate first, or give a file that holds the whole chain.",
            code=ErrorCode.CHAIN_INCOMPLETE,
            alias=entry.alias,
        )
    return Reply(chain=chain)


def _several(own: Certificate, unique: list[Certificate], trusted: list[Certificate]) -> Reply:
    links = follow(own, group_by_subject(unique))
    unrelated = tuple(one for one in unique if one not in links)
    chain = (*links, *unrelated)
    top = chain[-1]
    missing = None if is_self_signed(links[-1]) else missing_issuer(links[-1])
    by_subject = group_by_subject(trusted)
    if missing is not None and find_issuer(links[-1], by_subject) is not None:
        missing = None
    if top in trusted:
        return Reply(chain=chain, missing=missing, unrelated=unrelated)
    issuer = None if is_self_signed(top) else find_issuer(top, by_subject)
    if issuer is not None:
        return Reply(chain=(*chain, issuer), missing=missing, unrelated=unrelated)
    return Reply(chain=chain, untrusted_top=top, missing=missing, unrelated=unrelated)


def _same_key(one: Certificate, other: Certificate) -> bool:
    mine, its = one.public_key, other.public_key
    return mine is not None and its is not None and mine.same_key(its)


def _does_not_match(entry: PrivateKeyEntry, certificates: list[Certificate]) -> OperationError:
    key = entry.chain[0].public_key
    shown = "unreadable" if key is None else key.sha256.hex()[:16]
    theirs = [one.public_key.sha256.hex()[:16] for one in certificates if one.public_key is not None]
    return OperationError(
        f"None of the certificates was made for the key {quoted(entry.alias)} (its public key is {shown}..., theirs"
        f" {', '.join(f'{one}...' for one in theirs[:5]) or 'none'}): the reply answers another request.",
        code=ErrorCode.KEY_DOES_NOT_MATCH,
        alias=entry.alias,
    )

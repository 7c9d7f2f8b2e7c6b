"""A key with its certificates: made from what lies in files or in an entry of a keystore, and judged.

Nothing here touches OpenSSL or the disk.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from agent.errors import OperatorError
from agent.gateway.staple import CLOCK_SLACK
from keystoretools import (
    AssembledIdentity,
    Budget,
    Certificate,
    Chain,
    Keystore,
    KeystoreError,
    PrivateKey,
    PrivateKeyEntry,
)
from keystoretools.certificate_findings import title
from keystoretools.chain import is_self_signed, order
from keystoretools.hostnames import names_of


@attrs.frozen(kw_only=True)
class Identity:
    """A key with its certificates, the own one first, then the issuers in order, without the root.

    `alias` names it in sentences: the keystore's alias, or the file. `gap` is the sentence about an issuer that is
    missing, empty where none is. `staple` is an OCSP response (DER), empty: none; `staple_doubt` is the sentence about
    one that lies there and is not sent.
    """

    alias: str
    key: PrivateKey
    chain: tuple[Certificate, ...]
    gap: str = ""
    staple: bytes = b""
    staple_doubt: str = ""

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.leaf)


def of_files(found: AssembledIdentity, alias: str) -> Identity:
    """What was put together from files; `alias` is the name it gets."""
    return Identity(alias=alias, key=found.key, chain=_sent(found.chain), gap=_gap(found.chain, alias))


def of_entry(keystore: Keystore, entry: PrivateKeyEntry, *, budget: Budget) -> Identity:
    """An entry of a keystore; issuers may stand beside it as trusted certificates. Raises `KeystoreError`."""
    key = keystore.unlock(entry.alias, budget=budget)
    assert isinstance(key, PrivateKey), "only entries with a private key are candidates"
    trusted = [one.certificate for one in keystore.trusted_certificates]
    chain = order([*entry.chain, *trusted], leaf=entry.chain[0])
    return Identity(alias=entry.alias, key=key, chain=_sent(chain), gap=_gap(chain, entry.alias))


def require_fit(identity: Identity) -> None:
    """Raise `OperatorError` for a certificate that was made for another key."""
    try:
        fits = identity.key.fits(identity.leaf)
    except KeystoreError:
        return  # the public half is not to be had here; OpenSSL decides
    if not fits:
        raise OperatorError(
            "tls-key-does-not-match",
            f"the certificate of {identity.alias!r} was made for another key: every handshake would fail; put the "
            "certificate and the key that belong together",
        )


def wrong_dates(identity: Identity, now: datetime) -> list[str]:
    """A sentence for each certificate of the chain that is out of its time."""
    found: list[str] = []
    for one in identity.chain:
        start, end = one.not_before, one.not_after
        which = f"{title(one)} in {identity.alias!r}"
        if end is not None and end < now:
            found.append(f"the certificate {which} has expired on {end:%Y-%m-%d}: senders refuse it; renew it")
        elif start is not None and start > now + CLOCK_SLACK:
            found.append(f"the certificate {which} is valid only from {start:%Y-%m-%d %H:%M} UTC on")
    return found


def _sent(chain: Chain) -> tuple[Certificate, ...]:
    """What goes to senders: they have the root themselves, and ignore one that is sent."""
    own, *issuers = chain.chain
    return (own, *(one for one in issuers if not is_self_signed(one)))


def _gap(chain: Chain, alias: str) -> str:
    if not chain.lacks_intermediate:
        return ""
    missing = f"the certificate of the issuer of {title(chain.chain[-1])} is missing in {alias!r}"
    return f"{missing}: senders that do not have it refuse the connection; add it, unless it is a root that all know"

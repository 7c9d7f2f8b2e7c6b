"""Which entry a server shall present: never a guess, always with reasons.

The rule: the alias that is named; else the only private key with a certificate, the admin tool's own (`apia`) left
out; else an error that lists the candidates.  An entry that cannot work (no certificate, DSA) is refused here, with
the reason, and not in the first handshake.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import attrs

from keystoretools.entries import PrivateKeyEntry, SecretKeyEntry, fold_alias
from keystoretools.errors import ErrorCode, OperationError, UnsupportedError, quoted
from keystoretools.javapick import java_would_pick, key_algorithm
from keystoretools.model import Keystore

# The entry that belongs to the admin tool in a stock keystore; never served unless named.
ADMIN_ALIAS: Final = "apia"


@attrs.frozen(kw_only=True)
class Identity:
    """The chosen entry, and sentences that say why it and not another."""

    entry: PrivateKeyEntry
    reasons: tuple[str, ...]


def choose_identity(keystore: Keystore, alias: str | None = None, *, now: datetime) -> Identity:
    """The entry to present.  The key stays locked and is not checked against its certificate here.

    Raises OperationError no-such-alias, no-private-key (also: no certificate), several-identities (the sentence
    lists the candidates, and which of them Java would have served), and UnsupportedError for a DSA key.
    """
    if alias is not None:
        entry = keystore[alias]
        if not isinstance(entry, PrivateKeyEntry):
            kind = "a secret key" if isinstance(entry, SecretKeyEntry) else "a certificate without its private key"
            raise OperationError(
                f"The entry {quoted(entry.alias)} cannot be presented to clients: it is {kind}.{_others(keystore)}",
                code=ErrorCode.NO_PRIVATE_KEY,
                alias=entry.alias,
            )
        reasons: tuple[str, ...] = (f"{quoted(entry.alias)} was named.",)
    else:
        entry, reasons = _only_one(keystore, now)
    _require_usable(entry)
    return Identity(entry=entry, reasons=(*reasons, _validity(entry, now)))


def candidates(keystore: Keystore) -> tuple[PrivateKeyEntry, ...]:
    """The private keys with certificates that may be chosen without being named: none that no client accepts."""
    return tuple(entry for entry in _choosable(keystore) if not _is_dsa(entry))


def _choosable(keystore: Keystore) -> list[PrivateKeyEntry]:
    return [entry for entry in keystore.private_keys if entry.chain and fold_alias(entry.alias) != ADMIN_ALIAS]


def _is_dsa(entry: PrivateKeyEntry) -> bool:
    return key_algorithm(entry) == "DSA"


def _only_one(keystore: Keystore, now: datetime) -> tuple[PrivateKeyEntry, tuple[str, ...]]:
    choosable = _choosable(keystore)
    # One DSA key alone is named in its refusal; beside a key that works it does not count.
    found = list(candidates(keystore)) or choosable[:1]
    if len(found) == 1:
        reason = f"{quoted(found[0].alias)} is the only private key with a certificate"
        beside = [f"the admin tool's own {quoted(ADMIN_ALIAS)}"] if ADMIN_ALIAS in keystore else []
        beside += [f"{quoted(one.alias)}, whose DSA key no client accepts" for one in choosable if one not in found]
        return found[0], (reason + (f", besides {' and '.join(beside)}." if beside else "."),)
    if found:
        lines = "; ".join(describe_candidate(entry, now) for entry in found[:10])
        picked = _java(keystore)
        java = "" if picked is None else f" Java would have served {quoted(picked)}."
        raise OperationError(
            f"The keystore has {len(found)} private keys and none is named: {lines}.{java} Name the one to present.",
            code=ErrorCode.SEVERAL_IDENTITIES,
        )
    if keystore.private_keys:
        names = ", ".join(quoted(entry.alias) for entry in keystore.private_keys[:5])
        raise OperationError(
            f"The keystore has no private key to present: {names} is there, but it is the admin tool's own or has no"
            " certificate. Import or create one, or name the entry.",
            code=ErrorCode.NO_PRIVATE_KEY,
        )
    raise OperationError(
        "The keystore has no private key: a server cannot present a certificate without its key. Import or create one.",
        code=ErrorCode.NO_PRIVATE_KEY,
    )


def _java(keystore: Keystore) -> str | None:
    """What today's clients would have got: they ask for EC before RSA."""
    picks = (java_would_pick(keystore, kind, check_passwords=False).alias for kind in ("EC", "RSA", "EdDSA"))
    return next((alias for alias in picks if alias is not None), None)


def describe_candidate(entry: PrivateKeyEntry, now: datetime) -> str:
    """`"new-cert" for ia.example.com (RSA, valid until 2027-01-01)`."""
    leaf = entry.chain[0]
    names = [one.value for one in leaf.alternative_names if one.kind in ("dns", "ip")][:3]
    common = leaf.subject.common_name
    shown = ", ".join(names) or common or "nobody"
    return f"{quoted(entry.alias)} for {quoted(shown)[1:-1]} ({key_algorithm(entry)}, {_dates(entry, now)})"


def _validity(entry: PrivateKeyEntry, now: datetime) -> str:
    return f"It is {_dates(entry, now)}."


def _dates(entry: PrivateKeyEntry, now: datetime) -> str:
    end, start = entry.chain[0].not_after, entry.chain[0].not_before
    if end is None or start is None:
        return "of unreadable validity"
    if end < now:
        return f"expired since {end:%Y-%m-%d}"
    return f"valid from {start:%Y-%m-%d} only" if start > now else f"valid until {end:%Y-%m-%d}"


def _require_usable(entry: PrivateKeyEntry) -> None:
    if not entry.chain:
        raise OperationError(
            f"The entry {quoted(entry.alias)} has a private key but no certificate; import the certificate first.",
            code=ErrorCode.NO_PRIVATE_KEY,
            alias=entry.alias,
        )
    if _is_dsa(entry):
        raise UnsupportedError(
            f"The entry {quoted(entry.alias)} has a DSA key; no client accepts DSA any more. Make a new RSA or EC key"
            " and request a certificate for it.",
            name="DSA",
            alias=entry.alias,
        )


def _others(keystore: Keystore) -> str:
    names = ", ".join(quoted(entry.alias) for entry in keystore.private_keys[:5])
    return f" Private keys are: {names}." if names else " There is no private key in the keystore."

"""Which of several keys a Java TLS server would have presented.

`SunX509`, the default key manager up to Java 25, opens every key with one password at start and later takes the
first alias of the wanted key type in the order of a Java `HashMap`, which it filled in the order in which the store
lists its aliases.  Age, validity and host name play no part, so the answer can be calculated.
Source: behaviour of `SunX509KeyManagerImpl`, `java.util.HashMap` and `Hashtable`; predicted all of 120 random stores.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import attrs

from keystoretools.entries import PrivateKeyEntry, fold_alias
from keystoretools.errors import quoted
from keystoretools.limits import Budget
from keystoretools.model import Format, Keystore
from keystoretools.privatekey import PrivateKey

_EDDSA: Final = frozenset({"Ed25519", "Ed448", "EdDSA"})


@attrs.frozen(kw_only=True)
class Pick:
    """`alias` is None when Java has no key of that type, or does not start; `reasons` are sentences."""

    alias: str | None
    reasons: tuple[str, ...]


def java_would_pick(
    keystore: Keystore, key_type: str = "RSA", *, check_passwords: bool = True, budget: Budget | None = None
) -> Pick:
    """The alias whose certificate a Java server shows to a client that asks for `key_type` (RSA, EC, EdDSA, DSA).

    With `check_passwords` every key is opened with the store's password first, as Java does at start (a JCEKS or
    PKCS#12 key costs milliseconds to tenths of a second); a key that does not open makes the whole start fail.
    """
    if check_passwords and keystore.password is not None:
        apart = keystore.locked_apart(budget=budget)
        if apart:
            names = ", ".join(map(quoted, apart[:5]))
            why = (
                f"A Java server does not start with this keystore: the keystore's password does not open {names}"
                ' ("Cannot recover key"), and Java opens every key at start.'
            )
            return Pick(alias=None, reasons=(why,))
    order = java_order(keystore)
    if not order:
        return Pick(alias=None, reasons=("There is no private key with a certificate.",))
    wanted = _EDDSA if key_type in _EDDSA else {key_type}
    fitting = [entry for entry in order if key_algorithm(entry) in wanted]
    if not fitting:
        return Pick(alias=None, reasons=(f"There is no {key_type} key; Java would refuse clients that need one.",))
    chosen = fitting[0]
    if len(fitting) == 1:
        return Pick(alias=chosen.alias, reasons=(f"{quoted(chosen.alias)} is the only {key_type} key.",))
    others = ", ".join(quoted(entry.alias) for entry in fitting[1:6])
    why = (
        f"Java takes {quoted(chosen.alias)} before {others}: by the hash value of the names, whatever their age,"
        " expiry or host name."
    )
    return Pick(alias=chosen.alias, reasons=(why,))


def java_order(keystore: Keystore) -> tuple[PrivateKeyEntry, ...]:
    """The private keys with certificates in the order in which Java's key manager looks at them."""
    listed = _as_listed(keystore)
    keys = [entry for entry in listed if isinstance(entry, PrivateKeyEntry) and entry.chain and entry.java_sees_it]
    size = 16
    while len(keys) > size * 3 // 4:
        size *= 2
    return tuple(sorted(keys, key=lambda entry: _spread(_name(keystore, entry.alias)) % size))


def key_algorithm(entry: PrivateKeyEntry) -> str:
    """RSA, EC, Ed25519 ...: of the key, while it is locked of its certificate; empty when unknown."""
    if isinstance(entry.key, PrivateKey):
        return entry.key.algorithm
    public = entry.chain[0].public_key if entry.chain else None
    return "" if public is None else public.algorithm


def java_hash(text: str) -> int:
    """`String.hashCode` as an unsigned number: h = 31 h + unit over the UTF-16 units."""
    packed = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for unit in struct.unpack(f">{len(packed) // 2}H", packed):
        value = (31 * value + unit) & 0xFFFFFFFF
    return value


def _spread(text: str) -> int:
    value = java_hash(text)
    return value ^ value >> 16


def _name(keystore: Keystore, alias: str) -> str:
    """The alias as Java's store holds it: PKCS#12 folds it on reading."""
    return fold_alias(alias) if keystore.format is Format.PKCS12 else alias


def _as_listed(keystore: Keystore) -> Sequence[object]:
    """PKCS#12 lists in the order of the file; all others in that of a `Hashtable`."""
    if keystore.format is Format.PKCS12:
        return keystore.entries
    by_alias = {entry.alias: entry for entry in keystore.entries}
    return [by_alias[alias] for alias in hashtable_order(list(by_alias))]


FIRST_SIZE: Final = 11
"""Places of a new `Hashtable`."""


def hashtable_order(aliases: Sequence[str], size: int = FIRST_SIZE) -> list[str]:
    """The order in which a `Hashtable` enumerates names put in in the given order.

    `size` places at first, doubled plus one when three quarters are taken; a new name goes to the head of its place;
    growing re-inserts from the highest place down, along each chain; enumeration runs from the highest place down.
    """
    places: list[list[str]] = [[] for _ in range(size)]
    for count, alias in enumerate(aliases):
        if count >= len(places) * 3 // 4:
            places = _grown(places)
        places[_place(alias, len(places))].insert(0, alias)
    return [alias for place in reversed(places) for alias in place]


def grown_size(count: int, size: int = FIRST_SIZE) -> int:
    """How many places such a table has after `count` names."""
    while count > size * 3 // 4:
        size = 2 * size + 1
    return size


def _grown(places: list[list[str]]) -> list[list[str]]:
    larger: list[list[str]] = [[] for _ in range(2 * len(places) + 1)]
    for place in reversed(places):
        for alias in place:
            larger[_place(alias, len(larger))].insert(0, alias)
    return larger


def _place(alias: str, size: int) -> int:
    return (java_hash(alias) & 0x7FFFFFFF) % size

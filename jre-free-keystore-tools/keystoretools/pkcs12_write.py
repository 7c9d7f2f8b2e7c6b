"""Writing PKCS#12 in Java's layout: keys and secrets first, then the certificates, then the integrity check.

What was read from a PKCS#12 file and not touched goes back octet for octet: encrypted keys (also those whose
password nobody knows), bags with their attributes, unknown bags and contents.  Without a profile a file keeps
the algorithms and counts of its certificates and its integrity check, except that RC2 and its contemporaries
become 3DES, and a check that Java cannot read becomes the portable one.
Source: RFC 7292; layout as `sun.security.pkcs12.PKCS12KeyStore` writes it (facts only), read by Java 17, 25
and OpenSSL 3.
"""

from __future__ import annotations

import itertools
from typing import Final

import attrs

from keystoretools import der, oids, pbe, pbes2, pkcs12_mac
from keystoretools.entries import KeyEntry, PrivateKeyEntry, TrustedCertificateEntry, fold_alias
from keystoretools.errors import ErrorCode, KeystoreError, OperationError, PasswordNeededError, quoted
from keystoretools.javaprotection import RandomOctets
from keystoretools.limits import Budget
from keystoretools.model import Keystore
from keystoretools.pkcs12_bags import BagWriter
from keystoretools.pkcs12_keys import KeyLocker
from keystoretools.pkcs12_state import Pkcs12State
from keystoretools.profiles import PORTABLE, Profile
from keystoretools.secret import Password

# Counts below are from the nineties; what is written anew gets the profile's.
_LEAST_ITERATIONS: Final = 1000


def write_pkcs12(
    keystore: Keystore,
    password: Password | None,
    *,
    profile: Profile | None,
    now_ms: int,
    random: RandomOctets,
    budget: Budget,
) -> bytes:
    """The octets of a PKCS#12 file.

    `profile` None keeps what the file had, and is `PORTABLE` for a new one; a given profile also encrypts
    anew what `password` opens and the profile would have done otherwise.  A key under another password is
    carried as it is, unless the store's password has changed since it was read: then keys must open with the
    old or the new one, and end up under the new one.  `now_ms` dates new keys.  `password` None is for files
    in Java's form without one.
    Raises OperationError (password-not-ascii, alias-exists, chain-incomplete), WrongKeyPasswordError,
    PasswordNeededError, UnsupportedError (secret keys of unknown algorithms).
    """
    state = keystore.state if isinstance(keystore.state, Pkcs12State) else Pkcs12State()
    _check(keystore, state, password)
    for private in keystore.private_keys:
        _require_links(private)
    plan = _plan(keystore, state, password, profile)
    locker = KeyLocker(
        password=password,
        old_password=state.password,
        profile=plan.keys,
        renew=profile is not None,
        random=random,
        budget=budget,
    )
    key_aliases = frozenset(fold_alias(one.alias) for one in keystore.entries if isinstance(one, KeyEntry))
    writer = BagWriter(state, key_aliases, now_ms)
    for entry in keystore.entries:
        if isinstance(entry, KeyEntry):
            writer.key(entry, *locker.locked(entry))
    for entry in keystore.entries:
        if isinstance(entry, PrivateKeyEntry):
            writer.issuers(entry)
        elif isinstance(entry, TrustedCertificateEntry):
            writer.trusted(entry)
    writer.unknown()
    contents = [_data(writer.clear)] if writer.clear else []
    if writer.hidden and plan.certificates is None:
        contents.append(_data(writer.hidden))
    elif writer.hidden:
        contents.append(_encrypted(writer.hidden, plan.certificates or PORTABLE, password, random, budget))
    content = der.sequence(*contents, *state.sealed)
    parts = [der.integer(3), _content_info(oids.DATA, der.octet_string(content))]
    if plan.mac is not None:
        parts.append(_integrity(content, plan.mac, password, random, budget))
    return der.sequence(*parts)


@attrs.frozen(kw_only=True)
class _Plan:
    """Profiles for the three parts; None: certificates in the clear, no integrity check."""

    keys: Profile
    certificates: Profile | None
    mac: Profile | None


def _plan(keystore: Keystore, state: Pkcs12State, password: Password | None, profile: Profile | None) -> _Plan:
    is_new = keystore.state is None
    if profile is not None or is_new or (state.is_passwordless and password != state.password):
        chosen = PORTABLE if profile is None else profile
        return _Plan(keys=chosen, certificates=chosen, mac=chosen)
    certificates = None if state.certificate_scheme is None else _like(state.certificate_scheme)
    mac = None
    if state.mac is not None:
        keeps = state.mac.derivation is None and state.mac.digest in pkcs12_mac.WRITTEN_DIGESTS
        mac = PORTABLE
        if keeps:
            count = _decent(state.mac.iterations, PORTABLE.mac_iterations)
            mac = attrs.evolve(PORTABLE, mac=state.mac.digest, mac_iterations=count)
    return _Plan(keys=certificates or PORTABLE, certificates=certificates, mac=mac)


def _like(scheme: bytes) -> Profile:
    """A profile that encrypts as the AlgorithmIdentifier does, as nearly as we write."""
    parts = der.parse(scheme).sequence(1)
    try:
        if parts[0].oid() == pbes2.PBES2:
            how = pbes2.read_parameters(parts[1])[0]
            count = _decent(how.iterations, PORTABLE.encryption_iterations)
            return attrs.evolve(PORTABLE, encryption_iterations=count)
        count = _decent(parts[1].sequence(2)[1].integer(), PORTABLE.encryption_iterations)
    except (KeystoreError, IndexError):
        return PORTABLE
    return attrs.evolve(PORTABLE, pbes2=False, encryption_iterations=count)


def _decent(found: int, usual: int) -> int:
    return found if found >= _LEAST_ITERATIONS else usual


def _check(keystore: Keystore, state: Pkcs12State, password: Password | None) -> None:
    """What makes every try to write pointless, before any work."""
    if password is not None:
        password.require_printable_ascii("a PKCS#12 keystore")
    if state.certificate_scheme is not None and state.password is None:
        raise PasswordNeededError(
            "A part of the keystore is encrypted and was not read; open it with its password to change it."
        )
    seen: set[str] = set()
    for entry in keystore.entries:
        folded = fold_alias(entry.alias)
        if folded in seen:
            raise OperationError(
                f"Two entries are called {quoted(folded)} when upper and lower case are not told apart, and"
                " PKCS#12 does not. Rename one of them.",
                code=ErrorCode.ALIAS_EXISTS,
                alias=entry.alias,
            )
        seen.add(folded)


def _require_links(entry: PrivateKeyEntry) -> None:
    """The format has no order of certificates: what no link of the chain names would be lost, as in Java."""
    for one, other in itertools.pairwise(entry.chain):
        if one.issuer != other.subject and one.issuer.comparable != other.subject.comparable:
            raise OperationError(
                f"The chain of {quoted(entry.alias)} has a gap: {quoted(one.subject.text(), 200)} was issued by"
                f" {quoted(one.issuer.text(), 200)}, and that certificate is missing. A PKCS#12 keystore cannot hold"
                " such a chain. Import the missing certificate first.",
                code=ErrorCode.CHAIN_INCOMPLETE,
                alias=entry.alias,
            )


def _content_info(name: str, value: bytes) -> bytes:
    return der.sequence(der.oid(name), der.explicit(0, value))


def _data(bags: list[bytes]) -> bytes:
    return _content_info(oids.DATA, der.octet_string(der.sequence(*bags)))


def _encrypted(
    bags: list[bytes], profile: Profile, password: Password | None, random: RandomOctets, budget: Budget
) -> bytes:
    budget.spend(profile.encryption_iterations, "an iteration count for the certificates")
    identifier, octets = pbe.encrypt(der.sequence(*bags), _needed(password), profile, random)
    inside = der.sequence(der.oid(oids.DATA), identifier, der.encode(der.context(0, constructed=False), octets))
    return _content_info(oids.ENCRYPTED_DATA, der.sequence(der.integer(0), inside))


def _integrity(
    content: bytes, profile: Profile, password: Password | None, random: RandomOctets, budget: Budget
) -> bytes:
    budget.spend(profile.mac_iterations, "an iteration count for the integrity check (MAC)")
    return pkcs12_mac.create(
        content,
        _needed(password),
        digest=profile.mac,
        salt=random(profile.salt_bytes),
        iterations=profile.mac_iterations,
    )


def _needed(password: Password | None) -> Password:
    if password is None:
        raise PasswordNeededError("A password is needed to save the keystore.")
    return password

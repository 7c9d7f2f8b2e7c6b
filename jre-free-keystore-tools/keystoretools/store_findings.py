"""Findings about a keystore as a whole: passwords, several identities, what other programs make of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from keystoretools import cures, identity
from keystoretools.entries import PrivateKeyEntry, TrustedCertificateEntry, fold_alias
from keystoretools.errors import KeystoreError, LimitError, UnsupportedError, quoted
from keystoretools.finding import Finding, error, info, warning
from keystoretools.javapick import java_would_pick, key_algorithm
from keystoretools.limits import Budget
from keystoretools.lockedkey import LockedKey
from keystoretools.model import Format, Keystore
from keystoretools.pkcs12_state import Pkcs12State
from keystoretools.privatekey import PrivateKey
from keystoretools.secret import Password

# What stores are delivered with, and what everybody tries first.
_DEFAULT_PASSWORDS: Final = ("changeit", "alarmpoint", "password", "changeme", "secret", "123456", "")
_OLD_JAVA_MACS: Final = ("sha1",)


Opened = Mapping[tuple[LockedKey, Password], PrivateKey]


def keys(keystore: Keystore, budget: Budget, opened: Opened = MappingProxyType({})) -> Iterator[Finding]:
    """Keys that do not open, and keys that belong to another certificate; `opened`: as `Assembly.opened`."""
    if keystore.password is None and any(isinstance(entry.key, LockedKey) for entry in keystore.private_keys):
        found = "The keystore was read without its password: its keys and its integrity were not checked."
        yield info("not-checked", found, "Give the password.")
    most = budget.limits.keys_tried
    if keystore.password is not None and len(keystore.private_keys) > most:
        found = (
            f"There are {len(keystore.private_keys)} private keys; the first {most} were tried, the others were not."
        )
        yield warning("not-checked", found)
    for entry in keystore.private_keys[:most]:
        if not entry.chain:
            found = f"The key {quoted(entry.alias)} has no certificate; nobody can use it."
            cure = f"Import its certificate: {cures.command('import', 'FILE')}"
            yield warning("key-without-certificate", found, cure, alias=entry.alias)
        if keystore.password is not None or not isinstance(entry.key, LockedKey):
            yield from _key(keystore, entry, budget, opened)


def _key(keystore: Keystore, entry: PrivateKeyEntry, budget: Budget, opened: Opened) -> Iterator[Finding]:
    name = quoted(entry.alias)
    try:
        known = None
        if isinstance(entry.key, LockedKey) and keystore.password is not None:
            known = opened.get((entry.key, keystore.password))
        key = known or entry.unlock(keystore.password, budget)
    except (LimitError, UnsupportedError) as problem:
        yield error("key-unusable", f"The key {name} cannot be opened: {problem.sentence}", alias=entry.alias)
        return
    except KeystoreError:
        found = (
            f"The key {name} opens with another password than the keystore (often that of the .pfx it came from);"
            ' a Java server then refuses the whole keystore ("Cannot recover key").'
        )
        yield error("key-password-differs", found, cures.same_password(entry.alias), alias=entry.alias)
        return
    if entry.key_password is not None and entry.key_password != keystore.password:
        found = f"The key {name} is kept under another password than the keystore."
        yield error("key-password-differs", found, cures.same_password(entry.alias), alias=entry.alias)
    yield from mismatch(key, entry)


def mismatch(key: PrivateKey, entry: PrivateKeyEntry) -> Iterator[Finding]:
    """The certificate was made for another key."""
    try:
        fits = not entry.chain or entry.chain[0].public_key is None or key.fits(entry.chain[0])
    except KeystoreError:
        return  # the public half cannot be calculated here
    if not fits:
        mine = key.public_key.sha256.hex()[:16]
        leaf = entry.chain[0].public_key
        its = leaf.sha256.hex()[:16] if leaf is not None else "?"
        found = (
            f"The certificate of {quoted(entry.alias)} was made for another key (its key {its}..., this key {mine}...):"
            " every handshake will fail."
        )
        cure = "Import the certificate that answers the request made with this key, or the key of this certificate."
        yield error("key-certificate-mismatch", found, cure, alias=entry.alias)


def identities(keystore: Keystore, alias: str | None, now: datetime, budget: Budget) -> Iterator[Finding]:
    """Several keys that might be meant, and what Java would have made of them."""
    found = identity.candidates(keystore)
    if len(found) > 1 and alias is None:
        names = "; ".join(identity.describe_candidate(entry, now) for entry in found[:10])
        best = max(found, key=lambda entry: (key_algorithm(entry) != "DSA", entry.chain[0].not_after or now))
        sentence = f"The keystore has {len(found)} keys that could be presented, and none is named: {names}."
        yield warning("several-identities", sentence, cures.choose(best.alias))
    try:
        chosen = identity.choose_identity(keystore, alias, now=now).entry
    except KeystoreError:
        return
    picked = java_would_pick(keystore, key_algorithm(chosen), check_passwords=False)
    if picked.alias is not None and fold_alias(picked.alias) != fold_alias(chosen.alias):
        sentence = (
            f"{quoted(chosen.alias)} is presented; a Java server would have presented {quoted(picked.alias)}"
            " with this keystore."
        )
        yield info("java-would-serve-other", sentence, alias=chosen.alias)


def aliases(keystore: Keystore) -> Iterator[Finding]:
    """Names that cannot be typed, or that Java lists and then cannot find."""
    for entry in keystore.entries:
        alias = entry.alias
        odd = (
            not alias or not alias.isprintable() or alias != alias.strip() or alias.startswith("-") or len(alias) > 100
        )
        unfound = keystore.format in (Format.JKS, Format.JCEKS) and alias != fold_alias(alias)
        if odd or unfound:
            why = "Java lists it but cannot find it by any name" if unfound else "it is hard to type and to read"
            cure = f"Give it a plain name: {cures.command('rename', alias, 'new-name')}" if alias.isprintable() else ""
            yield warning("odd-alias", f"The alias {quoted(alias)} is odd: {why}.", cure, alias=alias)


def protection(keystore: Keystore) -> Iterator[Finding]:
    """Passwords that everybody knows, and formats that protect little."""
    if keystore.password is not None and keystore.password.reveal() in _DEFAULT_PASSWORDS:
        has_keys = bool(keystore.private_keys or keystore.secret_keys)
        if has_keys:
            found = (
                "The keystore has a password that everybody tries first: only the file's permissions protect its keys."
            )
            yield warning("default-password", found, f"Change it: {cures.command('passwd')}")
    if keystore.format is Format.JKS and keystore.private_keys:
        found = "A JKS keystore protects its keys weakly: a stolen file costs one SHA-1 for each guess of the password."
        cure = f"Keep the file readable for its owner only, or convert it: {cures.command('migrate')}"
        yield info("weak-store-protection", found, cure)
    if keystore.format is Format.BKS and keystore.version == 1:
        yield info("weak-store-protection", "A BKS keystore of version 1 has an integrity check of 16 bits.")


def other_programs(keystore: Keystore) -> Iterator[Finding]:
    """What Java, old Java and old Windows do not read."""
    for kind, code, why in (
        (TrustedCertificateEntry, "java-ignores-certificate", "not marked as trusted"),
        (PrivateKeyEntry, "java-ignores-key", "not encrypted"),
    ):
        unseen = [entry.alias for entry in keystore if isinstance(entry, kind) and not entry.java_sees_it]
        if unseen:
            names = ", ".join(map(quoted, unseen[:5])) + (f" and {len(unseen) - 5} more" if len(unseen) > 5 else "")
            found = f"Java ignores {len(unseen)} of {len(keystore)} entries ({names}): they are {why}."
            cure = "Save the keystore once with these tools; they write it so that Java sees them."
            yield warning(code, found, cure, alias=unseen[0] if len(unseen) == 1 else None)
    state = keystore.state
    if isinstance(state, Pkcs12State):
        yield from _pkcs12(state, keystore)


def _pkcs12(state: Pkcs12State, keystore: Keystore) -> Iterator[Finding]:
    mac = state.mac
    ciphers = [state.certificate_cipher, *_key_ciphers(keystore)]
    modern = any("PBES2" in cipher for cipher in ciphers)
    portable = cures.command("migrate", "--to", "pkcs12", "--profile", "portable")
    if mac is not None and mac.derivation is not None:
        found = f"No Java up to 25 reads this file: its integrity check is {mac.words}."
        yield warning("java-cannot-read", found, f"Write it again: {portable}")
    elif mac is not None and mac.digest not in _OLD_JAVA_MACS:
        found = (
            f"Java before 8u301 and 11.0.12 cannot read this file (integrity check {mac.words}) and calls the password"
            " wrong."
        )
        yield info("old-java-cannot-read", found, f"For such a Java write it again: {portable}")
    elif any("key length not written" in cipher for cipher in ciphers):
        found = (
            "Java before 8u301 and 11.0.12 cannot read this file (AES without its key length) and calls the password"
            " wrong."
        )
        yield info("old-java-cannot-read", found, f"For such a Java write it again: {portable}")
    if modern:
        found = (
            "Windows before 10 1709 / Server 2019 and old macOS cannot read this file (AES) and call the password"
            " wrong."
        )
        yield info(
            "windows-cannot-read",
            found,
            f"For them write: {cures.command('migrate', '--to', 'pkcs12', '--profile', 'legacy')}",
        )
    if any(_is_broken(cipher) for cipher in ciphers):
        found = "Parts of the file are encrypted with an algorithm that is broken today (RC2-40, RC4 or DES)."
        yield info("weak-store-protection", found, f"Write it again: {portable}")


def _is_broken(cipher: str) -> bool:
    return any(name in cipher for name in ("RC2-40", "RC4", "-DES,", " DES,"))


def _key_ciphers(keystore: Keystore) -> list[str]:
    from keystoretools import der, pbe

    found = []
    for entry in keystore.private_keys[:50]:
        if isinstance(entry.key, LockedKey):
            try:
                found.append(pbe.describe(der.parse(entry.key.octets).sequence(1)[0]))
            except KeystoreError:
                continue
    return found

"""From the files that the configuration names to what TLS needs: keys with their chains, trusted authorities.

Nothing here touches OpenSSL or the disk; octets come from a `ReadFile` that is passed in. Which entry is presented:

1. `certificate` and `private-key` name PEM (or DER) files: these.
2. Else the keystore: the alias that is named, else the only private key besides `apia`; if it has several and none is
   named, an error that lists them. The other entries are presented to those who ask for their names (SNI).
3. Else, where nothing is configured and there is no keystore, a self-signed certificate of our own (`selfmade`).

The password of a keystore is the first line of the file that is named, else that of the environment
(IA_KEYSTORE_PASSWORD), else the one that the original delivers, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Final

import attrs

from agent.config.tls import TlsConfig
from agent.errors import OperatorError
from agent.gateway.staple import CLOCK_SLACK, ReadFile, read_staple
from agent.secret import Secret
from keystoretools import (
    AssembledIdentity,
    Assembly,
    Budget,
    Certificate,
    Chain,
    ErrorCode,
    Keystore,
    KeystoreError,
    Password,
    PrivateKey,
    PrivateKeyEntry,
    WrongPasswordError,
    choose_identity,
    open_keystore,
    read_anything,
)
from keystoretools.assemble import assemble
from keystoretools.certificate_findings import title
from keystoretools.chain import is_self_signed, order
from keystoretools.hostnames import names_of
from keystoretools.identity import candidates

DEFAULT_PASSWORD: Final = "alarmpoint"
MOST_IDENTITIES: Final = 50


@attrs.frozen(kw_only=True)
class Identity:
    """A key with its certificates, the own one first, then the issuers in order, without the root.

    `alias` names it in sentences: the keystore's alias, or the file. `gap` is the sentence about an issuer that is
    missing, empty where none is. `staple` is an OCSP response (DER), empty: none.
    """

    alias: str
    key: PrivateKey
    chain: tuple[Certificate, ...]
    gap: str = ""
    staple: bytes = b""

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.leaf)


@attrs.frozen(kw_only=True)
class Material:
    """Everything that TLS contexts are made of. The first identity is presented to those who name nobody.

    `anchors` are the authorities that client certificates are held against. `warnings` are sentences for the log.
    """

    identities: tuple[Identity, ...]
    anchors: tuple[Certificate, ...] = ()
    warnings: tuple[str, ...] = ()
    is_selfmade: bool = False


def read_material(
    config: TlsConfig,
    *,
    alias: str,
    read: ReadFile,
    password: Secret | None,
    selfmade: Callable[[], bytes],
    now: datetime,
    better_than: Material | None = None,
) -> Material:
    """Read and check everything `config` names.

    `password` is the environment's. `selfmade` gives the PEM of our own self-signed certificate with its key, and makes
    it where there is none. `better_than` is what is being served already: then certificates that are out of their time,
    and a chain that has lost its issuer, are refused; without it they are served with a warning, because refusing would
    make an outage of what may be one for some senders only.
    Raises `OperatorError`; its sentence says which file and what to do.
    """
    try:
        identities, warnings, is_selfmade = _identities(config, alias, read, password, selfmade, now)
        anchors = _anchors(config, read, password)
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", error.sentence.rstrip(".")) from error
    for identity in identities:
        _require_fit(identity)
    outdated = [doubt for identity in identities for doubt in _outdated(identity, now)]
    gaps = [identity.gap for identity in identities if identity.gap]
    worse = _worse(identities[0], better_than, now)
    if worse:
        raise OperatorError("tls-not-better", "; ".join(worse))
    return Material(
        identities=identities, anchors=anchors, warnings=(*warnings, *outdated, *gaps), is_selfmade=is_selfmade
    )


def _identities(
    config: TlsConfig,
    alias: str,
    read: ReadFile,
    password: Secret | None,
    selfmade: Callable[[], bytes],
    now: datetime,
) -> tuple[tuple[Identity, ...], tuple[str, ...], bool]:
    if config.certificate is not None:
        return (_from_files(config, read, now),), (), False
    try:
        data = read(config.keystore)
    except KeystoreError as error:
        if error.code is not ErrorCode.NO_SUCH_FILE or config.is_keystore_named or alias:
            raise
        return (_only(_assembled([selfmade()], []), "self-signed"),), (), True
    keystore, warnings = _opened(config.keystore, data, config.keystore_password_file, read, password)
    return _from_keystore(keystore, config.keystore, alias, read, now), warnings, False


def _from_files(config: TlsConfig, read: ReadFile, now: datetime) -> Identity:
    assert config.certificate is not None
    passwords = [] if config.passphrase_file is None else [_first_line(read(config.passphrase_file))]
    paths = [config.certificate, *([config.private_key] if config.private_key is not None else [])]
    files = [read(path) for path in paths]
    shown = " and ".join(map(str, paths))
    try:
        found = _only(_assembled(files, passwords), config.certificate.name)
    except OperatorError as error:
        raise OperatorError(error.code, f"{shown}: {error.sentence}") from error
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", f"{shown}: {error.sentence.rstrip('.')}") from error
    return attrs.evolve(found, staple=read_staple(config.certificate, "", found.leaf, read, now))


def _assembled(files: Sequence[bytes], passwords: Sequence[Password]) -> Assembly:
    return assemble(*(read_anything(data, passwords=passwords) for data in files), passwords=passwords)


def _only(assembly: Assembly, alias: str) -> Identity:
    """The one key that has a certificate."""
    if len(assembly.identities) == 1:
        return _of_assembled(assembly.identities[0], alias)
    if assembly.identities:
        raise OperatorError(
            "tls-several-identities", f"{len(assembly.identities)} private keys are in there; leave only the one to use"
        )
    if any(problem.code == "needs-password" for problem in assembly.problems):
        raise OperatorError(
            "tls-key-locked",
            "the private key needs a password; write it into the first line of a file of its own and name that: "
            'passphrase-file="FILE" (or it is another than the one there)',
        )
    said = "; ".join(problem.sentence.rstrip(".") for problem in assembly.problems[:3])
    raise OperatorError("tls-no-identity", said or "there is no certificate with its private key in there")


def _of_assembled(found: AssembledIdentity, alias: str) -> Identity:
    return Identity(alias=alias, key=found.key, chain=_sent(found.chain), gap=_gap(found.chain, alias))


def _from_keystore(
    keystore: Keystore, path: PurePath, alias: str, read: ReadFile, now: datetime
) -> tuple[Identity, ...]:
    budget = Budget()
    try:
        chosen = choose_identity(keystore, alias or None, now=now).entry
    except KeystoreError as error:
        raise OperatorError(
            f"tls-{error.code}", f"{path}: {error.sentence.rstrip('.')}; name it with: iadmin keystore use ALIAS"
        ) from error
    others = [entry for entry in candidates(keystore) if entry.alias != chosen.alias][: MOST_IDENTITIES - 1]
    found = [_of_entry(keystore, chosen, path, read, budget, now)]
    for entry in others:
        try:
            other = _of_entry(keystore, entry, path, read, budget, now)
            _require_fit(other)
        except (KeystoreError, OperatorError):
            continue  # nobody named it; what is wrong with it is for `iadmin keystore check`
        found.append(other)
    return tuple(found)


def _of_entry(
    keystore: Keystore, entry: PrivateKeyEntry, path: PurePath, read: ReadFile, budget: Budget, now: datetime
) -> Identity:
    key = keystore.unlock(entry.alias, budget=budget)
    assert isinstance(key, PrivateKey), "only entries with a private key are candidates"
    trusted = [one.certificate for one in keystore.trusted_certificates]
    chain = order([*entry.chain, *trusted], leaf=entry.chain[0])
    return Identity(
        alias=entry.alias,
        key=key,
        chain=_sent(chain),
        gap=_gap(chain, entry.alias),
        staple=read_staple(path, entry.alias, entry.chain[0], read, now),
    )


def _sent(chain: Chain) -> tuple[Certificate, ...]:
    """What goes to senders: they have the root themselves, and ignore one that is sent."""
    own, *issuers = chain.chain
    return (own, *(one for one in issuers if not is_self_signed(one)))


def _gap(chain: Chain, alias: str) -> str:
    if not chain.lacks_intermediate:
        return ""
    missing = f"the certificate of the issuer of {title(chain.chain[-1])} is missing in {alias!r}"
    return f"{missing}: senders that do not have it refuse the connection; add it, unless it is a root that all know"


def _opened(
    path: PurePath, data: bytes, password_file: PurePath | None, read: ReadFile, password: Secret | None
) -> tuple[Keystore, tuple[str, ...]]:
    given = None if password is None else Password(password.reveal())
    if password_file is not None:
        given = _first_line(read(password_file))
    try:
        found = open_keystore(data, given or DEFAULT_PASSWORD)
    except WrongPasswordError as error:
        tried = f"the password in {password_file}" if password_file else "the environment's" if given else "the default"
        raise OperatorError(
            f"tls-{error.code}",
            f"{path}: {tried} does not open the keystore; name the file that holds its password in "
            "keystore-password-file",
        ) from error
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", f"{path}: {error.sentence.rstrip('.')}") from error
    if given is not None:
        return found, ()
    if found.verified and found.private_keys:
        known = (
            f'{path} has the password "{DEFAULT_PASSWORD}", which everybody knows; change it: iadmin keystore passwd'
        )
        return found, (known,)
    return found, ()


def _anchors(config: TlsConfig, read: ReadFile, password: Secret | None) -> tuple[Certificate, ...]:
    """The authorities of the truststore: certificates of a PEM file, trusted entries of a keystore."""
    if config.truststore is None:
        return ()
    given = [] if config.truststore_password_file is None else [_first_line(read(config.truststore_password_file))]
    tried = [
        *given,
        *([Password(password.reveal())] if password else []),
        Password(DEFAULT_PASSWORD),
        Password("changeit"),
    ]
    contents = read_anything(read(config.truststore), passwords=tried)
    if contents.locked_stores:
        raise OperatorError(
            "tls-truststore-locked",
            f"{config.truststore}: no password opens the truststore; name the file with its password in "
            "truststore-password-file",
        )
    found = dict.fromkeys(
        [
            *contents.certificates,
            *(entry.certificate for store in contents.stores for entry in store.trusted_certificates),
        ]
    )
    if not found:
        raise OperatorError("tls-truststore-empty", f"{config.truststore}: there is no certificate in the truststore")
    return tuple(found)


def _require_fit(identity: Identity) -> None:
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


def _worse(new: Identity, old: Material | None, now: datetime) -> list[str]:
    """Why `new` may not take the place of what is being served."""
    if old is None or _outdated(old.identities[0], now):
        return []
    had_gap = old.is_selfmade or bool(old.identities[0].gap)
    return [*_outdated(new, now), *([new.gap] if new.gap and not had_gap else [])]


def _outdated(identity: Identity, now: datetime) -> list[str]:
    found: list[str] = []
    for one in identity.chain:
        start, end = one.not_before, one.not_after
        which = f"{title(one)} in {identity.alias!r}"
        if end is not None and end < now:
            found.append(f"the certificate {which} has expired on {end:%Y-%m-%d}: senders refuse it; renew it")
        elif start is not None and start > now + CLOCK_SLACK:
            found.append(f"the certificate {which} is valid only from {start:%Y-%m-%d %H:%M} UTC on")
    return found


def _first_line(data: bytes) -> Password:
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    try:
        return Password(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Password(line.decode("latin-1"))

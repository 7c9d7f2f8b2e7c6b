"""From the files that the configuration names to what TLS needs: keys with their chains, trusted authorities.

Nothing here touches OpenSSL or the disk; octets come from a `ReadFile` that is passed in. Which entry is presented:

1. `certificate` and `private-key` name PEM (or DER) files: these.
2. Else the keystore: the alias that is named, else the only private key besides `apia`; if it has several and none is
   named, an error that lists them. The other entries are presented to those who ask for their names (SNI).
3. Else, where nothing is configured and there is no keystore, or nothing in it but `apia`, a self-signed certificate of
   our own (`selfmade`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

import attrs

from agent.config.tls import TlsConfig
from agent.errors import OperatorError
from agent.gateway.identity import Identity, of_entry, of_files, require_fit, wrong_dates
from agent.gateway.passwords import DEFAULT_PASSWORD, Passwords
from agent.gateway.staple import read_staple
from agent.gateway.supply import OpenSecret, ReadFile, open_plain
from agent.storepassword import StorePassword
from keystoretools import (
    Assembly,
    Budget,
    Certificate,
    ErrorCode,
    Keystore,
    KeystoreError,
    Password,
    PrivateKeyEntry,
    WrongPasswordError,
    choose_identity,
    fold_alias,
    open_keystore,
    read_anything,
)
from keystoretools.assemble import assemble
from keystoretools.identity import ADMIN_ALIAS, candidates

MOST_IDENTITIES: Final = 50

_CURES: Final[Mapping[ErrorCode, str]] = MappingProxyType(
    {
        ErrorCode.SEVERAL_IDENTITIES: ": iadmin keystore use ALIAS",
        ErrorCode.NO_PRIVATE_KEY: "; with: iadmin keystore import FILE, or iadmin keystore create",
    }
)
"""How keystoretools' sentences go on with our commands."""


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
    password: StorePassword | None,
    selfmade: Callable[[], bytes],
    now: datetime,
    better_than: Material | None = None,
    opened: OpenSecret = open_plain,
) -> Material:
    """Read and check everything `config` names.

    `password` is what the agent was given for keystores without a password file. `selfmade` gives the PEM of our own
    self-signed certificate with its key, and makes it where there is none. `better_than` is what is being served
    already: then certificates that are out of their time, and a chain that has lost its issuer, are refused; without it
    they are served with a warning, because refusing would make an outage of what may be one for some senders only.
    `opened` opens password files.
    Raises `OperatorError`; its sentence says which file and what to do.
    """
    passwords = Passwords(read=read, opened=opened, given=password)
    try:
        identities, warnings, is_selfmade = _identities(config, alias, passwords, selfmade, now)
        anchors = _anchors(config, passwords)
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", error.sentence.rstrip(".")) from error
    for identity in identities:
        require_fit(identity)
    outdated = [doubt for identity in identities for doubt in wrong_dates(identity, now)]
    gaps = [doubt for identity in identities for doubt in (identity.gap, identity.staple_doubt) if doubt]
    worse = _worse(identities[0], better_than, now)
    if worse:
        raise OperatorError("tls-not-better", "; ".join(worse))
    return Material(
        identities=identities, anchors=anchors, warnings=(*warnings, *outdated, *gaps), is_selfmade=is_selfmade
    )


def _identities(
    config: TlsConfig,
    alias: str,
    passwords: Passwords,
    selfmade: Callable[[], bytes],
    now: datetime,
) -> tuple[tuple[Identity, ...], tuple[str, ...], bool]:
    if config.certificate is not None:
        return (_from_files(config, passwords, now),), (), False
    try:
        data = passwords.read(config.keystore)
    except KeystoreError as error:
        if error.code is not ErrorCode.NO_SUCH_FILE or config.is_keystore_named or alias:
            raise
        return (_only(_assembled([selfmade()], []), "self-signed"),), (), True
    keystore, warnings = _opened(config.keystore, data, config.keystore_password_file, passwords)
    if not (config.is_keystore_named or alias) and _is_only_for_iadmin(keystore):
        return (_only(_assembled([selfmade()], []), "self-signed"),), (), True
    return _from_keystore(keystore, config.keystore, alias, passwords.read, now), warnings, False


def _is_only_for_iadmin(keystore: Keystore) -> bool:
    """As `iadmin init` makes it: nobody has put anything in for senders yet."""
    return [fold_alias(one.alias) for one in keystore.private_keys] == [ADMIN_ALIAS]


def _from_files(config: TlsConfig, passwords: Passwords, now: datetime) -> Identity:
    assert config.certificate is not None
    read = passwords.read
    paths = [config.certificate, *([config.private_key] if config.private_key is not None else [])]
    files = [read(path) for path in paths]
    shown = " and ".join(map(str, paths))
    try:
        found = _only(_assembled(files, passwords.for_key(config)), config.certificate.name)
    except OperatorError as error:
        raise OperatorError(error.code, f"{shown}: {error.sentence}") from error
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", f"{shown}: {error.sentence.rstrip('.')}") from error
    staple, doubt = read_staple(config.certificate, "", found.leaf, read, now)
    return attrs.evolve(found, staple=staple, staple_doubt=doubt)


def _assembled(files: Sequence[bytes], passwords: Sequence[Password]) -> Assembly:
    return assemble(*(read_anything(data, passwords=passwords) for data in files), passwords=passwords)


def _only(assembly: Assembly, alias: str) -> Identity:
    """The one key that has a certificate."""
    if len(assembly.identities) == 1:
        return of_files(assembly.identities[0], alias)
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
    strangers = [one for one in assembly.problems if one.code == "key-certificate-mismatch"]
    if strangers:  # all else that is said of the two follows from it
        said = strangers[0].sentence.rstrip(".")
        raise OperatorError("tls-key-does-not-match", f"{said}; put the certificate and the key that belong together")
    said = "; ".join(problem.sentence.rstrip(".") for problem in assembly.problems[:3])
    raise OperatorError("tls-no-identity", said or "there is no certificate with its private key in there")


def _from_keystore(
    keystore: Keystore, path: PurePath, alias: str, read: ReadFile, now: datetime
) -> tuple[Identity, ...]:
    budget = Budget()

    def found_in(entry: PrivateKeyEntry) -> Identity:
        staple, doubt = read_staple(path, entry.alias, entry.chain[0], read, now)
        return attrs.evolve(of_entry(keystore, entry, budget=budget), staple=staple, staple_doubt=doubt)

    try:
        chosen = choose_identity(keystore, alias or None, now=now).entry
    except KeystoreError as error:
        raise OperatorError(
            f"tls-{error.code}",
            f"{path}: {error.sentence.rstrip('.')}"
            + _CURES.get(error.code, "; name it with: iadmin keystore use ALIAS"),
        ) from error
    others = [entry for entry in candidates(keystore) if entry.alias != chosen.alias][: MOST_IDENTITIES - 1]
    found = [found_in(chosen)]
    for entry in others:
        try:
            other = found_in(entry)
            require_fit(other)
        except (KeystoreError, OperatorError):
            continue  # nobody named it; what is wrong with it is for `iadmin keystore check`
        found.append(other)
    return tuple(found)


def _opened(
    path: PurePath, data: bytes, password_file: PurePath | None, passwords: Passwords
) -> tuple[Keystore, tuple[str, ...]]:
    tried = passwords.for_keystore(password_file)
    try:
        found = open_keystore(data, tried.password)
    except WrongPasswordError as error:
        raise OperatorError(
            f"tls-{error.code}",
            f"{path}: {tried.words} does not open the keystore; name the file that holds its password in "
            "keystore-password-file",
        ) from error
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", f"{path}: {error.sentence.rstrip('.')}") from error
    if tried.is_default and found.verified and found.private_keys:
        known = (
            f'{path} has the password "{DEFAULT_PASSWORD}", which everybody knows; change it: iadmin keystore passwd'
        )
        return found, (known,)
    return found, ()


def _anchors(config: TlsConfig, passwords: Passwords) -> tuple[Certificate, ...]:
    """The authorities of the truststore: certificates of a PEM file, trusted entries of a keystore."""
    if config.truststore is None:
        return ()
    tried = passwords.for_truststore(config.truststore_password_file)
    contents = read_anything(passwords.read(config.truststore), passwords=tried)
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


def _worse(new: Identity, old: Material | None, now: datetime) -> list[str]:
    """Why `new` may not take the place of what is being served."""
    if old is None or wrong_dates(old.identities[0], now):
        return []
    had_gap = old.is_selfmade or bool(old.identities[0].gap)
    return [*wrong_dates(new, now), *([new.gap] if new.gap and not had_gap else [])]

"""From the files that a destination names to the TLS context of its connections: trust, and a key of its own.

Octets come from a `ReadFile` that assembly gives; a context is never changed after use, another takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Final

from OpenSSL import SSL, crypto

from agent.config.outbound import ClientTls
from agent.errors import OperatorError
from agent.ownkey import REFUSED, openssl_certificate, present
from agent.secret import Secret
from agent.upstream.login import OpenSecret, plain_secret
from agent.upstream.trust import system_context
from keystoretools import (
    Certificate,
    KeystoreError,
    Password,
    PrivateKey,
    WrongPasswordError,
    choose_identity,
    open_keystore,
    read_anything,
)
from keystoretools.chain import is_self_signed, order

ReadFile = Callable[[PurePath], bytes]
"""The octets of a file; raises `KeystoreError` with the sentence."""

KEYSTORE_PASSWORD: Final = "alarmpoint"
TRUSTSTORE_PASSWORD: Final = "changeit"
"""What the original and Java deliver their stores with."""


def context_of(
    config: ClientTls, *, read: ReadFile, password: Secret | None, now: datetime, opened: OpenSecret = plain_secret
) -> SSL.Context:
    """Make the context for `config`; blocks. `password` is the environment's, for stores without a password file;
    `opened` finds the secret in the content of one.

    Raises `OperatorError`; its sentence says which file and what to do.
    """
    try:
        context = system_context(with_system=config.truststore is None or config.with_system)
        if config.truststore is not None:
            trusts = _password_of(config.truststore_password_file, read, opened) or password
            _add_anchors(context, _anchors(config.truststore, read, trusts))
        if config.keystore is not None:
            own = _password_of(config.keystore_password_file, read, opened) or password
            _present(context, config, config.keystore, read, own, now)
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", error.sentence.rstrip(".")) from error
    return context


def _anchors(path: PurePath, read: ReadFile, password: Secret | None) -> Sequence[Certificate]:
    given = [] if password is None else [Password(password.reveal())]
    tried = [*given, Password(TRUSTSTORE_PASSWORD), Password(KEYSTORE_PASSWORD)]
    try:
        contents = read_anything(read(path), passwords=tried)
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", f"{path}: {error.sentence.rstrip('.')}") from error
    if contents.locked_stores:
        raise OperatorError(
            "tls-truststore-locked",
            f"{path}: no password opens the truststore; name the file with its password in Truststore/password-file",
        )
    in_stores = (entry.certificate for store in contents.stores for entry in store.trusted_certificates)
    found = dict.fromkeys([*contents.certificates, *in_stores])
    if not found:
        raise OperatorError(
            "tls-truststore-empty",
            f"{path}: there is no trusted certificate in the truststore; import the authority's certificate into it",
        )
    return tuple(found)


def _add_anchors(context: SSL.Context, anchors: Sequence[Certificate]) -> None:
    store = context.get_cert_store()
    assert store is not None
    for anchor in anchors:
        store.add_cert(openssl_certificate(anchor))
    # As in Java, whatever stands in a truststore is trusted, also an authority that another one has signed.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)


def _present(
    context: SSL.Context, config: ClientTls, path: PurePath, read: ReadFile, password: Secret | None, now: datetime
) -> None:
    data = read(path)
    try:
        keystore = open_keystore(data, KEYSTORE_PASSWORD if password is None else Password(password.reveal()))
    except WrongPasswordError as error:
        raise OperatorError(
            f"tls-{error.code}",
            f"{path}: the password does not open the keystore; name the file that holds it in Keystore/password-file",
        ) from error
    try:
        entry = choose_identity(keystore, config.alias, now=now).entry
        key = keystore.unlock(entry.alias)
    except KeystoreError as error:
        raise OperatorError(f"tls-{error.code}", f"{path}: {error.sentence.rstrip('.')}") from error
    assert isinstance(key, PrivateKey), "only entries with a private key are chosen"
    own, *issuers = order([*entry.chain], leaf=entry.chain[0]).chain
    try:
        present(context, key, [own, *(issuer for issuer in issuers if not is_self_signed(issuer))])
    except REFUSED as error:
        raise OperatorError(
            "tls-key-refused",
            f"{path}: OpenSSL does not take the entry {config.alias!r}, its key is too weak or not that of its "
            'certificate; see "iadmin keystore check"',
        ) from error


def _password_of(path: PurePath | None, read: ReadFile, opened: OpenSecret) -> Secret | None:
    if path is None:
        return None
    try:
        return opened(path, read(path))
    except ValueError as error:
        raise OperatorError("tls-password-file", f"the password file {path} {error}") from None

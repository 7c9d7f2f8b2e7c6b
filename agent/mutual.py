"""TLS between two who hold the same key: each presents it, and takes nobody who presents another one.

The admin gateway and iadmin both read it from the entry `apia` of the keystore. There is no authority and no name in
this: what counts is that the public key of the other side is one's own, compared in constant time, and TLS itself
proves that the other side has the private half. Dates, issuers and purposes in the certificate do not matter. TLS 1.3
only, nothing is resumed: each connection proves anew.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import PurePath
from typing import Any, Final

import attrs
from OpenSSL import SSL, crypto

from agent.errors import OperatorError
from agent.ownkey import REFUSED, present
from keystoretools import (
    Certificate,
    KeystoreError,
    Password,
    PrivateKey,
    PrivateKeyEntry,
    WrongPasswordError,
    open_keystore,
)
from keystoretools.identity import ADMIN_ALIAS

DEFAULT_PASSWORD: Final = "alarmpoint"
"""What the original's keystores are delivered with; the rights of the file protect the key."""
MAKE_IT: Final = f"make it with: iadmin keystore create {ADMIN_ALIAS}"


@attrs.frozen(kw_only=True)
class SharedKey:
    """The key that both sides hold, and the certificate that carries its public half. `where` is its file."""

    where: str
    key: PrivateKey
    certificate: Certificate

    @property
    def public(self) -> bytes:
        """SubjectPublicKeyInfo, as the certificate has it (RFC 5280, 4.1.2.7)."""
        return _public(self.certificate)

    @property
    def fingerprint(self) -> str:
        """The beginning of the SHA-256 of the public key: enough for a person to see that two differ."""
        return hashlib.sha256(self.public).hexdigest()[:16]


def read_shared_key(
    data: bytes, *, path: PurePath, password: Password | None, words: str = "the default password"
) -> SharedKey:
    """Read the entry `apia` of a keystore; without a password the default one is tried, `words` name it in sentences.

    Raises `OperatorError`.
    """
    try:
        keystore = open_keystore(data, password or Password(DEFAULT_PASSWORD))
    except WrongPasswordError as error:
        raise OperatorError("admin-wrong-password", f"{path}: {words} does not open the keystore") from error
    except KeystoreError as error:
        raise OperatorError(f"admin-{error.code}", f"{path}: {error.sentence.rstrip('.')}") from error
    entry = keystore.get(ADMIN_ALIAS)
    if not isinstance(entry, PrivateKeyEntry) or not entry.chain:
        raise OperatorError(
            "admin-no-key",
            f"{path} has no private key with a certificate under the name {ADMIN_ALIAS!r}, which iadmin and the agent "
            f"know each other by; {MAKE_IT}",
        )
    try:
        key = keystore.unlock(entry.alias)
        assert isinstance(key, PrivateKey)
        fits = key.fits(entry.chain[0])
    except KeystoreError as error:
        raise OperatorError(f"admin-{error.code}", f"{path}: {error.sentence.rstrip('.')}") from error
    if not fits:
        raise OperatorError(
            "admin-key-does-not-match",
            f"{path}: the certificate of {ADMIN_ALIAS!r} was made for another key; {MAKE_IT} --replace",
        )
    return SharedKey(where=str(path), key=key, certificate=entry.chain[0])


def is_same(own: SharedKey, shown: crypto.X509 | None) -> bool:
    """Whether the other side presented our own public key."""
    if shown is None:
        return False
    public = _public(Certificate(crypto.dump_certificate(crypto.FILETYPE_ASN1, shown)))
    return bool(public) and hmac.compare_digest(public, own.public)


def fingerprint_of(shown: crypto.X509) -> str:
    """As `SharedKey.fingerprint`."""
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, shown)
    return hashlib.sha256(_public(Certificate(der))).hexdigest()[:16]


def _public(certificate: Certificate) -> bytes:
    found = certificate.public_key
    return b"" if found is None else found.der


def mutual_context(own: SharedKey) -> SSL.Context:
    """The context for either side; raises `OperatorError` for a key that TLS 1.3 cannot use.

    Whoever owns a connection may leave an object with the attribute `shown` as its app data: it is set to the other
    side's certificate when that is refused.
    """

    def verify(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
        if depth:
            return True  # the issuers of a certificate say nothing here
        if is_same(own, certificate):
            return True
        owner = connection.get_app_data()
        if owner is not None:
            owner.shown = certificate
        return False

    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION)
    context.set_session_id(b"integration-agent-admin")
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    try:
        present(context, own.key, [own.certificate])
    except REFUSED as error:
        raise OperatorError(
            "admin-key-refused",
            f"{own.where}: OpenSSL does not take the key {ADMIN_ALIAS!r} ({own.key.algorithm}), it is too weak or too "
            f"old; {MAKE_IT} --replace",
        ) from error
    return context


def reason_of(error: BaseException) -> str:
    """OpenSSL's own word for what went wrong in a handshake; empty where it says none."""
    records: Any = error.args[0] if error.args else ()
    return str(records[-1][-1]) if isinstance(records, list | tuple) and records and records[-1] else ""

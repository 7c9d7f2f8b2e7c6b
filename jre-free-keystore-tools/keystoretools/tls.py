"""A TLS server's context from an entry of a keystore.  The key goes from memory to OpenSSL and never to the disk.

pyOpenSSL and not `ssl`, because `ssl` loads keys only from files; what the library `cryptography` refuses (EC
certificates of old keytools) goes to OpenSSL as DER and is served nevertheless.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto

from keystoretools.certificate import Certificate
from keystoretools.chain import is_self_signed, order
from keystoretools.entries import PrivateKeyEntry
from keystoretools.errors import ErrorCode, KeystoreError, OperationError, UnsupportedError, quoted
from keystoretools.identity import choose_identity
from keystoretools.limits import Budget
from keystoretools.model import Keystore
from keystoretools.privatekey import PrivateKey


def ssl_context(
    keystore: Keystore, alias: str | None = None, *, now: datetime, budget: Budget | None = None
) -> SSL.Context:
    """A context that presents the entry `alias`, or the one `choose_identity` finds, to clients of TLS 1.2 and 1.3.

    Not changed after use: for another certificate make another one.  `now` is only for the sentences: an expired
    certificate is served, because refusing would turn a warning at the sender into an outage.
    Raises what `choose_identity` and unlocking raise, OperationError key-does-not-match, and UnsupportedError for
    what OpenSSL refuses (RSA keys under 2048 bits, certificates signed with MD5).
    """
    entry = choose_identity(keystore, alias, now=now).entry
    key = keystore.unlock(entry.alias, budget=budget)
    if not isinstance(key, PrivateKey):  # pragma: no cover - choose_identity gives private keys only
        raise AssertionError
    require_fit(key, entry)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    try:
        _hand_over(context, entry.chain, key)
        context.check_privatekey()
    except (SSL.Error, crypto.Error, ValueError, TypeError) as error:
        raise UnsupportedError(
            f"OpenSSL refuses to serve the entry {quoted(entry.alias)}: {_reason(error)}.", name=key.algorithm
        ) from error
    return context


def _hand_over(context: SSL.Context, chain: Sequence[Certificate], key: PrivateKey) -> None:
    own, *issuers = [_certificate(one) for one in (chain[0], *sent_chain(chain))]
    with warnings.catch_warnings():
        # pyOpenSSL would rather have objects of `cryptography`, which does not make them of these certificates.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.use_certificate(own)
        context.use_privatekey(_key(key))
        for certificate in issuers:
            context.add_extra_chain_cert(certificate)


def _certificate(certificate: Certificate) -> x509.Certificate | crypto.X509:
    try:
        return certificate.to_cryptography()
    except ValueError:
        return crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der)


def _key(key: PrivateKey) -> Any:
    try:
        return key.to_cryptography()
    except KeystoreError:
        return crypto.load_privatekey(crypto.FILETYPE_ASN1, key.pkcs8.reveal())


def sent_chain(chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """What goes to clients behind the server's own certificate: in order, without strangers and without the root.

    Clients have their own copy of the root and ignore one that is sent; some refuse wrong orders (RFC 8446 4.4.2).
    """
    issuers = order(chain, leaf=chain[0]).chain[1:] if chain else ()
    return tuple(one for one in issuers if not is_self_signed(one))


def require_fit(key: PrivateKey, entry: PrivateKeyEntry) -> None:
    """Raise OperationError key-does-not-match when the entry's certificate was made for another key."""
    try:
        fits = key.fits(entry.chain[0])
    except KeystoreError:
        return  # the public half is not to be had here; OpenSSL decides
    if not fits:
        raise OperationError(
            f"The certificate of {quoted(entry.alias)} was made for another key: every handshake would fail."
            " Import the certificate that belongs to this key.",
            code=ErrorCode.KEY_DOES_NOT_MATCH,
            alias=entry.alias,
        )


_WORDS = {
    "ee key too small": "its key is too small (RSA needs 2048 bits)",
    "ca key too small": "the key of one of its issuers is too small (RSA needs 2048 bits)",
    "ca md too weak": "it is signed with a digest that is no longer accepted (MD5 or SHA-1)",
    "key values mismatch": "its certificate was made for another key",
    "unknown certificate type": "TLS has no use for this kind of key",
}


def _reason(error: Exception) -> str:
    """OpenSSL's words, ours where we know better."""
    parts = error.args[0] if error.args else ()
    said = [part[-1] for part in parts if part] if isinstance(parts, list | tuple) else [str(parts)]
    return "; ".join(_WORDS.get(one, quoted(one)[1:-1]) for one in said) or type(error).__name__

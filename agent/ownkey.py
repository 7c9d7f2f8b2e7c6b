"""Gives a TLS context of pyOpenSSL a key of ours, with the certificates that are shown for it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL, crypto

from keystoretools import Certificate, KeystoreError, PrivateKey

REFUSED: Final = (SSL.Error, crypto.Error, ValueError, TypeError)
"""What comes of a key or a certificate that OpenSSL or `cryptography` does not take."""


def present(context: SSL.Context, key: PrivateKey, chain: Sequence[Certificate]) -> None:
    """Let `context` show `chain`, its own certificate first. Raises one of `REFUSED`, also where they do not fit."""
    own, *issuers = [_certificate(one) for one in chain]
    with warnings.catch_warnings():
        # pyOpenSSL would rather have objects of `cryptography`, which refuses certificates of old keytools.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.use_certificate(own)
        context.use_privatekey(_key(key))
        for issuer in issuers:
            context.add_extra_chain_cert(issuer)
    context.check_privatekey()


def openssl_certificate(certificate: Certificate) -> crypto.X509:
    """A certificate as pyOpenSSL's own functions want it."""
    return crypto.load_certificate(crypto.FILETYPE_ASN1, certificate.der)


def _certificate(certificate: Certificate) -> x509.Certificate | crypto.X509:
    try:
        return certificate.to_cryptography()
    except ValueError:
        return openssl_certificate(certificate)


def _key(key: PrivateKey) -> Any:
    try:
        return key.to_cryptography()
    except KeystoreError:
        return crypto.load_privatekey(crypto.FILETYPE_ASN1, key.pkcs8.reveal())

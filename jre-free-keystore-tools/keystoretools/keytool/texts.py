"""What keytool prints about certificates, requests and entries, as text.

The layouts are those of JDK 17; `zone` is the local time zone (None: the system's).
"""

from __future__ import annotations

from datetime import tzinfo

from keystoretools.certificate import Certificate
from keystoretools.keytool.extensions import extensions_text
from keystoretools.keytool.layout import fingerprint, key_words, name_text, pem, timestamp
from keystoretools.keytool.weak import key_mark, signature_mark
from keystoretools.request import CertificateRequest

STARS = "*" * 43


def certificate_text(certificate: Certificate, zone: tzinfo | None = None, *, is_trusted: bool = False) -> str:
    """The whole text of a certificate; it ends with a blank line when there are extensions.

    The signature of one that is trusted as it stands is not marked as weak.
    """
    key = certificate.public_key
    algorithm = certificate.signature_algorithm
    text = (
        f"Owner: {name_text(certificate.subject)}\n"
        f"Issuer: {name_text(certificate.issuer)}\n"
        f"Serial number: {certificate.serial:x}\n"
        f"Valid from: {timestamp(certificate.not_before, zone)} until: {timestamp(certificate.not_after, zone)}\n"
        "Certificate fingerprints:\n"
        f"\t SHA1: {fingerprint(certificate.sha1)}\n"
        f"\t SHA256: {fingerprint(certificate.sha256)}\n"
        f"Signature algorithm name: {algorithm}{'' if is_trusted else signature_mark(algorithm)}\n"
        f"Subject Public Key Algorithm: {'unreadable' if key is None else key_words(key)}{key_mark(key)}\n"
        f"Version: {certificate.version}\n"
    )
    if certificate.extensions:
        text += f"\nExtensions: \n\n{extensions_text(certificate.extensions)}"
    return text


def request_text(request: CertificateRequest) -> str:
    """The whole text of a certificate request."""
    key = request.public_key
    algorithm = request.signature_algorithm
    text = (
        f"PKCS #10 Certificate Request (Version 1.0)\nSubject: {name_text(request.subject)}\nFormat: X.509\n"
        f"Public Key: {'unreadable' if key is None else key_words(key)}{key_mark(key)}\n"
        f"Signature algorithm: {algorithm}{signature_mark(algorithm)}\n"
    )
    if request.extensions:
        text += f"\nExtension Request:\n\n{extensions_text(request.extensions)}"
    return text


def certificate_pem(certificate: Certificate) -> str:
    return pem("CERTIFICATE", certificate.der)

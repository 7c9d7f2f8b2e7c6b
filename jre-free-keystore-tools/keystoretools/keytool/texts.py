"""What keytool prints about certificates, requests and entries, as text.

The layouts are those of JDK 17; `zone` is the local time zone (None: the system's).
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from keystoretools import der
from keystoretools.certificate import Certificate
from keystoretools.javapick import hashtable_order
from keystoretools.keytool.extensions import extensions_text
from keystoretools.keytool.layout import fingerprint, key_words, name_text, pem, plain, timestamp
from keystoretools.keytool.weak import key_mark, signature_mark
from keystoretools.request import EXTENSION_REQUEST, MICROSOFT_EXTENSIONS, CertificateRequest, RequestAttribute

STARS = "*" * 43
_CHALLENGE: Final = "1.2.840.113549.1.9.7"
_ATTRIBUTES: Final = {
    "1.2.840.113549.1.9.1": "EmailAddress",
    "1.2.840.113549.1.9.2": "UnstructuredName",
    _CHALLENGE: "ChallengePassword",
    "1.2.840.113549.1.9.8": "UnstructuredAddress",
}
# Java keeps them in a Hashtable that begins with this size, and prints them in its order.
_ATTRIBUTE_PLACES: Final = 3


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
        text += f"\nExtensions: \n\n{extensions_text(certificate.extensions, zone)}"
    return text


def request_text(request: CertificateRequest, zone: tzinfo | None = None) -> str:
    """The whole text of a certificate request."""
    key = request.public_key
    algorithm = request.signature_algorithm
    text = (
        f"PKCS #10 Certificate Request (Version 1.0)\nSubject: {name_text(request.subject)}\nFormat: X.509\n"
        f"Public Key: {'unreadable' if key is None else key_words(key)}{key_mark(key)}\n"
        f"Signature algorithm: {algorithm}{signature_mark(algorithm)}\n"
    )
    by_oid = {attribute.oid: attribute for attribute in request.attributes}
    for oid in hashtable_order(list(by_oid), _ATTRIBUTE_PLACES):
        if oid not in (EXTENSION_REQUEST, MICROSOFT_EXTENSIONS):
            text += f"Attribute: {oid}\n{_ATTRIBUTES.get(oid, oid)}: {_attribute_text(by_oid[oid])}\n"
        elif request.extensions:
            text += f"\nExtension Request:\n\n{extensions_text(request.extensions, zone)}"
    return text


def _attribute_text(attribute: RequestAttribute) -> str:
    """The texts of a known one, the octets of others."""
    if attribute.oid not in _ATTRIBUTES:
        return b"".join(attribute.values).hex()
    texts = [plain(der.parse(value).text()) for value in attribute.values]
    return texts[0] if attribute.oid == _CHALLENGE and texts else f"[{', '.join(texts)}]"


def certificate_pem(certificate: Certificate) -> str:
    return pem("CERTIFICATE", certificate.der)

"""Certificates out of PKCS#7 / CMS signed data (`.p7b`, `.p7c`), DER or BER.

Only the bag of certificates counts; content, signers and revocation lists are passed over.
Source: RFC 2315 9.1, RFC 5652 5.1 and 10.2.2 (CertificateChoices).
"""

from __future__ import annotations

from keystoretools import der, oids
from keystoretools.certificate import Certificate
from keystoretools.errors import CorruptError, UnsupportedError
from keystoretools.limits import Limits, check


def read_pkcs7(data: bytes, limits: Limits | None = None) -> tuple[Certificate, ...]:
    """All certificates in the order of the file; none is possible (a bundle of revocation lists only).

    Raises CorruptError, LimitError, UnsupportedError (content that is not signed data).  Octets behind the
    structure are ignored.
    """
    limits = limits or Limits()
    whole = der.parse(data, limits=limits, allow_trailing=True)
    parts = whole.sequence(2, "PKCS#7 bundle")
    content_type = parts[0].oid()
    if content_type != oids.SIGNED_DATA:
        raise UnsupportedError(
            f"The PKCS#7 file holds content of type {content_type}, not a bundle of certificates.", name=content_type
        )
    content = parts[1].children()
    if parts[1].tag != der.context(0) or not content:
        raise parts[1].wrong("signed data")
    fields = content[0].sequence(3, "signed data")
    # version, digest algorithms, content; then [0] certificates, [1] revocation lists, signers
    found: list[Certificate] = []
    for field in fields[3:]:
        if field.tag != der.context(0):
            continue
        for choice in field.children():
            if choice.tag == der.SEQUENCE:  # others: attribute certificates
                check("a certificate with a length", len(choice.raw), limits.certificate_bytes)
                check("a number of certificates", len(found) + 1, limits.entries)
                found.append(Certificate(choice.raw))
    return tuple(found)


def write_pkcs7(certificates: tuple[Certificate, ...]) -> bytes:
    """A certificates-only bundle (DER), as `openssl crl2pkcs7 -nocrl` writes it.  Raises CorruptError when empty."""
    if not certificates:
        raise CorruptError("A PKCS#7 bundle without certificates is of no use.")
    signed = der.sequence(
        der.integer(1),
        der.set_of(),
        der.sequence(der.oid(oids.DATA)),
        der.explicit(0, *(certificate.der for certificate in certificates)),
        der.set_of(),
    )
    return der.sequence(der.oid(oids.SIGNED_DATA), der.explicit(0, signed))

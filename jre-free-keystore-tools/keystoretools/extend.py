"""Certificate extensions from values: alternative names, constraints, usages, key identifiers.

Builders give `Extension` objects for `make`; `encoded` writes them in the order of their identifiers, as Java does.
Source: RFC 5280 4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from keystoretools import der, oids
from keystoretools.certificate import Certificate, Extension
from keystoretools.errors import ErrorCode, OperationError
from keystoretools.generalname import dotted, general_name
from keystoretools.publickey import PublicKey

KEY_USAGES: Final = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
EXTENDED_USAGES: Final = {
    "anyExtendedKeyUsage": "2.5.29.37.0",
    "serverAuth": "1.3.6.1.5.5.7.3.1",
    "clientAuth": "1.3.6.1.5.5.7.3.2",
    "codeSigning": "1.3.6.1.5.5.7.3.3",
    "emailProtection": "1.3.6.1.5.5.7.3.4",
    "timeStamping": "1.3.6.1.5.5.7.3.8",
    "OCSPSigning": "1.3.6.1.5.5.7.3.9",
}
ISSUER_ALTERNATIVE_NAME: Final = "2.5.29.18"


def encoded(extensions: Sequence[Extension]) -> bytes:
    """The SEQUENCE OF Extension."""
    ordered = sorted(extensions, key=lambda one: [int(arc) for arc in one.oid.split(".")])
    return der.sequence(*(_encoded(one) for one in ordered))


def _encoded(extension: Extension) -> bytes:
    critical = der.encode(der.BOOLEAN, b"\xff") if extension.critical else b""
    return der.sequence(der.oid(extension.oid), critical, der.octet_string(extension.value))


def alternative_names(
    names: Iterable[tuple[str, str]], *, critical: bool = False, oid: str = oids.SUBJECT_ALTERNATIVE_NAME
) -> Extension:
    """subjectAltName (or issuerAltName) from (kind, value) pairs as `general_name` takes them."""
    value = der.sequence(*(general_name(kind, text) for kind, text in names))
    return Extension(oid=oid, critical=critical, value=value)


def basic_constraints(*, is_authority: bool, path_length: int | None = None, critical: bool = False) -> Extension:
    parts = der.encode(der.BOOLEAN, b"\xff") if is_authority else b""
    if is_authority and path_length is not None:
        parts += der.integer(path_length)
    return Extension(oid=oids.BASIC_CONSTRAINTS, critical=critical, value=der.sequence(parts))


def key_usage(names: Iterable[str], *, critical: bool = False) -> Extension:
    """keyUsage from the names of `KEY_USAGES`.  Raises OperationError for others."""
    bits = 0
    for name in names:
        if name not in KEY_USAGES:
            raise OperationError(f"Unknown keyUsage type: {name}", code=ErrorCode.VALUE_NOT_VALID)
        bits |= 1 << 15 - KEY_USAGES.index(name)
    octets = bits.to_bytes(2, "big").rstrip(b"\0") or b"\0"
    unused = next((bit for bit in range(8) if octets[-1] >> bit & 1), 0)
    return Extension(oid=oids.KEY_USAGE, critical=critical, value=der.encode(der.BIT_STRING, bytes([unused]), octets))


def extended_key_usage(names: Iterable[str], *, critical: bool = False) -> Extension:
    """extKeyUsage from the names of `EXTENDED_USAGES` or dotted identifiers.  Raises OperationError."""
    value = der.sequence(*(dotted(EXTENDED_USAGES.get(name, name)) for name in names))
    return Extension(oid=oids.EXTENDED_KEY_USAGE, critical=critical, value=value)


def key_id(public: PublicKey) -> bytes:
    """SHA-1 of the key's bits (RFC 5280 4.2.1.2, method 1)."""
    return hashlib.sha1(public.point, usedforsecurity=False).digest()


def with_key_id(extensions: Iterable[Extension], public: PublicKey) -> list[Extension]:
    """With subjectKeyIdentifier, unless it is there."""
    value = der.octet_string(key_id(public))
    return _with(extensions, Extension(oid=oids.SUBJECT_KEY_IDENTIFIER, critical=False, value=value))


def with_authority_key_id(extensions: Iterable[Extension], issuer: Certificate) -> list[Extension]:
    """With authorityKeyIdentifier of the issuer's own key identifier, unless it is there."""
    issuer_id = issuer.subject_key_id
    if issuer_id is None and issuer.public_key is not None:
        issuer_id = key_id(issuer.public_key)
    value = der.sequence(der.encode(der.context(0, constructed=False), issuer_id or b""))
    return _with(extensions, Extension(oid=oids.AUTHORITY_KEY_IDENTIFIER, critical=False, value=value))


def _with(extensions: Iterable[Extension], more: Extension) -> list[Extension]:
    found = list(extensions)
    return found if any(one.oid == more.oid for one in found) else [*found, more]

"""A certificate as raw DER with a lazy, tolerant view.

The octets are what counts: they are carried and written unchanged.  The view is our own, because
`cryptography` 49 and newer refuse certificates that keytool itself made (all DSA ones of keytool 8 to 17,
all EC ones of keytool 11 and older), and a listing must show those.  Nothing is decoded before it is asked
for, and no property raises: what cannot be read is empty, and `problem` says why.
Source: RFC 5280.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from keystoretools import der, oids
from keystoretools.der import Element
from keystoretools.errors import KeystoreError
from keystoretools.names import AlternativeName, Name, read_general_name
from keystoretools.publickey import PublicKey, read_public_key

if TYPE_CHECKING:
    from cryptography import x509

_NO_NAME = Name(der=der.sequence())


@attrs.frozen(kw_only=True)
class Extension:
    """One extension: `value` is the DER inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes


@attrs.frozen(kw_only=True)
class _Fields:
    """The parts of TBSCertificate; every default stands for "could not be read"."""

    version: int = 0
    serial: int = 0
    signature_oid: str = ""
    subject: Name = _NO_NAME
    issuer: Name = _NO_NAME
    not_before: datetime | None = None
    not_after: datetime | None = None
    public_key: PublicKey | None = None
    extensions: tuple[Extension, ...] = ()
    problem: str | None = None


@attrs.frozen
class Certificate:
    """An X.509 certificate; equal when the octets are.  `Certificate(octets)` never raises."""

    der: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")

    @cached_property
    def _fields(self) -> _Fields:
        return _read(self.der)

    @property
    def problem(self) -> str | None:
        """Why the certificate could not be read wholly, as a sentence; None when all is well."""
        return self._fields.problem

    @property
    def version(self) -> int:
        """1 to 3; 0 when unreadable."""
        return self._fields.version

    @property
    def serial(self) -> int:
        return self._fields.serial

    @property
    def signature_algorithm(self) -> str:
        """Java's name (SHA256withRSA), else the dotted OID."""
        return oids.SIGNATURES.get(self._fields.signature_oid, self._fields.signature_oid)

    @property
    def subject(self) -> Name:
        return self._fields.subject

    @property
    def issuer(self) -> Name:
        return self._fields.issuer

    @property
    def not_before(self) -> datetime | None:
        """Aware, UTC; None when unreadable."""
        return self._fields.not_before

    @property
    def not_after(self) -> datetime | None:
        """Aware, UTC; None when unreadable."""
        return self._fields.not_after

    @property
    def public_key(self) -> PublicKey | None:
        return self._fields.public_key

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """In the order of the certificate."""
        return self._fields.extensions

    @cached_property
    def sha256(self) -> bytes:
        """The fingerprint that listings show."""
        return hashlib.sha256(self.der).digest()

    @cached_property
    def sha1(self) -> bytes:
        """The fingerprint that old listings show, and OpenSSL's localKeyID."""
        return hashlib.sha1(self.der, usedforsecurity=False).digest()

    @property
    def is_self_issued(self) -> bool:
        """Subject equals issuer: for practical purposes "self-signed" (the signature is not checked here)."""
        return self.problem is None and self.subject == self.issuer

    def extension(self, oid: str) -> Extension | None:
        return next((found for found in self.extensions if found.oid == oid), None)

    @cached_property
    def alternative_names(self) -> tuple[AlternativeName, ...]:
        """subjectAltName; empty when absent or unreadable."""
        found = self._inside(oids.SUBJECT_ALTERNATIVE_NAME)
        return tuple(read_general_name(child) for child in found)

    @cached_property
    def is_authority(self) -> bool:
        """basicConstraints says CA."""
        found = self._inside(oids.BASIC_CONSTRAINTS)
        return bool(found) and found[0].tag == der.BOOLEAN and found[0].boolean()

    @cached_property
    def subject_key_id(self) -> bytes | None:
        found = self.extension(oids.SUBJECT_KEY_IDENTIFIER)
        try:
            return der.parse(found.value).octet_string() if found else None
        except KeystoreError:
            return None

    @cached_property
    def authority_key_id(self) -> bytes | None:
        found = self._inside(oids.AUTHORITY_KEY_IDENTIFIER)
        return next((part.content for part in found if part.tag == der.context(0, constructed=False)), None)

    @cached_property
    def extended_key_usage(self) -> tuple[str, ...]:
        """Dotted OIDs; empty when the extension is absent (then every use is allowed) or unreadable."""
        try:
            return tuple(child.oid() for child in self._inside(oids.EXTENDED_KEY_USAGE))
        except KeystoreError:
            return ()

    def _inside(self, oid: str) -> list[Element]:
        """The children of an extension that is a SEQUENCE; none when absent or damaged."""
        found = self.extension(oid)
        try:
            return der.parse(found.value).sequence() if found else []
        except KeystoreError:
            return []

    def to_cryptography(self) -> x509.Certificate:
        """The certificate for the library `cryptography`.  Raises ValueError for what that refuses (see
        above).
        """
        from cryptography import x509

        return x509.load_der_x509_certificate(self.der)


def _read(octets: bytes) -> _Fields:
    fields = _Fields()
    try:
        whole = der.parse(octets, allow_trailing=True).sequence(3, "certificate")
        parts = whole[0].sequence(6, "certificate body")
        if parts[0].tag == der.context(0):
            version, parts = parts[0].children(), parts[1:]
            fields = attrs.evolve(fields, version=version[0].integer() + 1 if version else 0)
        else:
            fields = attrs.evolve(fields, version=1)
        serial, _, issuer, validity, subject, key = _six(parts, whole[0])
        names = Name(der=subject.raw), Name(der=issuer.raw)
        fields = attrs.evolve(
            fields,
            serial=serial.integer(),
            signature_oid=whole[1].sequence(1, "signature algorithm")[0].oid(),
        )
        for name in names:
            name.text()  # decoded now, so that it cannot fail later
        fields = attrs.evolve(fields, subject=names[0], issuer=names[1])
        start, end = validity.sequence(2, "validity")[:2]
        fields = attrs.evolve(fields, not_before=start.time(), not_after=end.time())
        fields = attrs.evolve(fields, public_key=read_public_key(key))
        return attrs.evolve(fields, extensions=_read_extensions(parts[6:]))
    except KeystoreError as error:
        return attrs.evolve(fields, problem=error.sentence)


def _six(parts: list[Element], body: der.Element) -> list[Element]:
    if len(parts) < 6:
        raise body.wrong("certificate body with 6 parts")
    return parts[:6]


def _read_extensions(rest: list[Element]) -> tuple[Extension, ...]:
    found: list[Extension] = []
    for part in rest:
        if part.tag != der.context(3):
            continue
        for item in part.children()[:1]:
            for extension in item.sequence():
                values = extension.sequence(2, "extension")
                critical = len(values) > 2 and values[1].boolean()
                found.append(Extension(oid=values[0].oid(), critical=critical, value=values[-1].octet_string()))
    return tuple(found)

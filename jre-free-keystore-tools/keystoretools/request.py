"""A certificate request (CSR): raw DER with a lazy, tolerant view, as `Certificate` is.

Source: RFC 2986 (PKCS#10), RFC 2985 5.4.2 (extensionRequest).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Final

import attrs

from keystoretools import der, oids
from keystoretools.certificate import Extension
from keystoretools.errors import KeystoreError
from keystoretools.names import AlternativeName, Name, read_general_name
from keystoretools.publickey import PublicKey, read_public_key

EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
MICROSOFT_EXTENSIONS: Final = "1.3.6.1.4.1.311.2.1.14"
"""The same as Microsoft's certreq writes it, under a number of its own."""


@attrs.frozen(kw_only=True)
class RequestAttribute:
    """Something else that stands in a request (a challenge password, what made it); `values` are whole DER elements."""

    oid: str
    values: tuple[bytes, ...] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class _Fields:
    version: int = 0
    subject: Name = attrs.field(factory=lambda: Name(der=der.sequence()))
    public_key: PublicKey | None = None
    extensions: tuple[Extension, ...] = ()
    attributes: tuple[RequestAttribute, ...] = ()
    signature_oid: str = ""
    problem: str | None = None


@attrs.frozen
class CertificateRequest:
    """A PKCS#10 request; equal when the octets are.  `CertificateRequest(octets)` never raises."""

    der: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")

    @cached_property
    def _fields(self) -> _Fields:
        return _read(self.der)

    @property
    def problem(self) -> str | None:
        """Why it could not be read wholly, as a sentence; None when all is well."""
        return self._fields.problem

    @property
    def version(self) -> int:
        """1 in every real request; 0 when unreadable."""
        return self._fields.version

    @property
    def subject(self) -> Name:
        return self._fields.subject

    @property
    def public_key(self) -> PublicKey | None:
        return self._fields.public_key

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """What the certificate shall carry, in the order of the request."""
        return self._fields.extensions

    @property
    def attributes(self) -> tuple[RequestAttribute, ...]:
        """All attributes in the order of the request, that with the extensions too."""
        return self._fields.attributes

    @property
    def signature_algorithm(self) -> str:
        """Java's name (SHA256withRSA), else the dotted OID."""
        return oids.SIGNATURES.get(self._fields.signature_oid, self._fields.signature_oid)

    @cached_property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.der).digest()

    @cached_property
    def alternative_names(self) -> tuple[AlternativeName, ...]:
        """The names asked for; empty when none or unreadable."""
        found = next((one for one in self.extensions if one.oid == oids.SUBJECT_ALTERNATIVE_NAME), None)
        try:
            return tuple(map(read_general_name, der.parse(found.value).sequence())) if found else ()
        except KeystoreError:
            return ()


def _read(octets: bytes) -> _Fields:
    fields = _Fields()
    try:
        whole = der.parse(octets, allow_trailing=True).sequence(3, "certificate request")
        parts = whole[0].sequence(3, "request body")
        subject = Name(der=parts[1].raw)
        subject.text()  # decoded now, so that it cannot fail later
        fields = attrs.evolve(
            fields,
            version=parts[0].integer() + 1,
            subject=subject,
            signature_oid=whole[1].sequence(1, "signature algorithm")[0].oid(),
        )
        fields = attrs.evolve(fields, public_key=read_public_key(parts[2]))
        found = parts[3].children() if len(parts) > 3 and parts[3].tag == der.context(0) else []
        return attrs.evolve(fields, extensions=_extensions(found), attributes=_attributes(found))
    except KeystoreError as error:
        return attrs.evolve(fields, problem=error.sentence)


def _attributes(elements: list[der.Element]) -> tuple[RequestAttribute, ...]:
    parts = [element.sequence(2, "attribute") for element in elements]
    return tuple(RequestAttribute(oid=one[0].oid(), values=tuple(v.raw for v in one[1].children())) for one in parts)


def _extensions(attributes: list[der.Element]) -> tuple[Extension, ...]:
    found: list[Extension] = []
    for attribute in attributes:
        parts = attribute.sequence(2, "attribute")
        if parts[0].oid() not in (EXTENSION_REQUEST, MICROSOFT_EXTENSIONS):
            continue
        for extensions in parts[1].expect(der.SET, "SET").children()[:1]:
            for extension in extensions.sequence():
                values = extension.sequence(2, "extension")
                critical = len(values) > 2 and values[1].boolean()
                found.append(Extension(oid=values[0].oid(), critical=critical, value=values[-1].octet_string()))
    return tuple(found)

"""A small certificate authority for tests: roots, intermediates, leaves, made at run time."""

from __future__ import annotations

import functools
import ipaddress
from datetime import UTC, datetime, timedelta

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keystoretools import Certificate, PrivateKey, read_private_key

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@attrs.frozen
class Made:
    """A certificate with its key; `library` is the object of cryptography."""

    key: PrivateKey
    certificate: Certificate
    library: x509.Certificate
    signer: CertificateIssuerPrivateKeyTypes


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def make(
    common: str,
    issuer: Made | None = None,
    *,
    signer: CertificateIssuerPrivateKeyTypes | None = None,
    names: tuple[str, ...] = (),
    authority: bool = False,
    key_ids: bool = True,
    start: datetime = START,
    days: int = 365,
    usage: tuple[x509.ObjectIdentifier, ...] = (),
    url: str | None = None,
) -> Made:
    """A certificate for `common`, self-signed without `issuer`; EC unless `signer` is given."""
    own = ec.generate_private_key(ec.SECP256R1()) if signer is None else signer
    subject = name(common)
    by = own if issuer is None else issuer.signer
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.library.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if key_ids:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    if url is not None:
        access = x509.AccessDescription(
            x509.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    library = builder.sign(by, hashes.SHA256())
    octets = own.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Made(read_private_key(octets), Certificate(library.public_bytes(Encoding.DER)), library, own)


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@functools.cache
def family() -> tuple[Made, Made, Made]:
    """(leaf, intermediate, root): ia.example.com, an issuing authority with a download address, a root."""
    root = make("Test Root", authority=True, days=3650)
    middle = make("Test Issuing", root, authority=True, days=2000)
    leaf = make("ia.example.com", middle, names=("ia.example.com", "10.0.0.5"), url="http://ca.example/issuing.cer")
    return leaf, middle, root


@functools.cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)

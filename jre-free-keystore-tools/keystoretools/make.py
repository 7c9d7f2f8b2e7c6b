"""Makes what a keystore needs: keys, self-signed certificates, requests, and certificates from requests.

The DER is our own (order and string types as Java writes them, so that requests of RSA keys are equal octet for octet);
`cryptography` makes the keys and the signatures, and is imported then.
Sources: RFC 5280 (certificates), RFC 2986 (requests), RFC 4055 (RSA), RFC 5758 (DSA, ECDSA), RFC 8410 (EdDSA).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from keystoretools import der, extend, oids
from keystoretools.certificate import Certificate, Extension
from keystoretools.errors import ErrorCode, OperationError, UnsupportedError
from keystoretools.names import Name
from keystoretools.privatekey import PrivateKey, read_private_key
from keystoretools.publickey import PublicKey
from keystoretools.request import EXTENSION_REQUEST, CertificateRequest
from keystoretools.signature import made_with
from keystoretools.signing import Scheme, default_scheme, sign_octets

RSA_BITS: Final = (1024, 16384)
"""Smallest and largest RSA key made here; the largest takes minutes."""

CURVES: Final = {
    "secp256r1": "SECP256R1",
    "secp384r1": "SECP384R1",
    "secp521r1": "SECP521R1",
    "prime256v1": "SECP256R1",
    "nistp256": "SECP256R1",
    "nistp384": "SECP384R1",
    "nistp521": "SECP521R1",
    "p-256": "SECP256R1",
    "p-384": "SECP384R1",
    "p-521": "SECP521R1",
    "nist p-256": "SECP256R1",
    "nist p-384": "SECP384R1",
    "nist p-521": "SECP521R1",
    "x9.62 prime256v1": "SECP256R1",
    "1.2.840.10045.3.1.7": "SECP256R1",
    "1.3.132.0.34": "SECP384R1",
    "1.3.132.0.35": "SECP521R1",
}
_DEFAULT_BITS: Final = {"RSA": 2048, "RSASSA-PSS": 2048, "DSA": 2048}
_DSA_BITS: Final = (1024, 2048, 3072)


def generate_key(algorithm: str = "RSA", *, bits: int | None = None, curve: str | None = None) -> PrivateKey:
    """A new private key: RSA, RSASSA-PSS and DSA of 2048 bits, EC (secp256r1), Ed25519, Ed448 unless said otherwise.

    Raises UnsupportedError for other algorithms, sizes and curves.
    """
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    size = _DEFAULT_BITS.get(algorithm, 0) if bits is None else bits
    made: rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm in ("RSA", "RSASSA-PSS") and RSA_BITS[0] <= size <= RSA_BITS[1]:
        made = rsa.generate_private_key(public_exponent=65537, key_size=size)
    elif algorithm == "DSA" and size in _DSA_BITS:
        made = dsa.generate_private_key(key_size=size)
    elif algorithm == "EC" and (curve or "secp256r1").lower() in CURVES:
        made = ec.generate_private_key(getattr(ec, CURVES[(curve or "secp256r1").lower()])())
    elif algorithm == "Ed25519":
        made = ed25519.Ed25519PrivateKey.generate()
    elif algorithm == "Ed448":
        octets = ed448.Ed448PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return read_private_key(octets)
    else:
        wanted = curve if curve is not None else f"{size} bits" if size or bits is not None else ""
        raise UnsupportedError(
            f"Keys of the kind {algorithm} {wanted} are not made here; RSA, EC (secp256r1, secp384r1, secp521r1),"
            " RSASSA-PSS, Ed25519, Ed448 and DSA are.",
            name=f"{algorithm} {wanted}".strip(),
        )
    key = read_private_key(made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    return _for_pss_only(key) if algorithm == "RSASSA-PSS" else key


def _for_pss_only(key: PrivateKey) -> PrivateKey:
    """The same RSA key, marked as one that signs with RSASSA-PSS only: no parameters, as Java writes it (RFC 4055)."""
    parts = der.parse(key.pkcs8.reveal()).sequence(3)
    return read_private_key(der.sequence(parts[0].raw, der.algorithm(oids.RSA_PSS, None), parts[2].raw))


def self_signed(
    key: PrivateKey,
    name: Name,
    *,
    start: datetime,
    end: datetime,
    extensions: Iterable[Extension] = (),
    scheme: Scheme | None = None,
    serial: int | None = None,
) -> Certificate:
    """A certificate of `key` for itself, version 3; subjectKeyIdentifier is added unless given."""
    public = key.public_key
    return _issue(public, name, name, key, start, end, extend.with_key_id(extensions, public), scheme, serial)


def sign(
    public: PublicKey,
    name: Name,
    *,
    issuer: Certificate,
    key: PrivateKey,
    start: datetime,
    end: datetime,
    extensions: Iterable[Extension] = (),
    scheme: Scheme | None = None,
    serial: int | None = None,
) -> Certificate:
    """A certificate of `public` for `name`, signed with the issuer's `key`; key identifiers are added unless given."""
    all_extensions = extend.with_key_id(extend.with_authority_key_id(extensions, issuer), public)
    return _issue(public, name, issuer.subject, key, start, end, all_extensions, scheme, serial)


def request(
    key: PrivateKey, name: Name, *, extensions: Iterable[Extension] = (), scheme: Scheme | None = None
) -> CertificateRequest:
    """A PKCS#10 request for `key`; subjectKeyIdentifier is asked for unless given."""
    public = key.public_key
    wanted = extend.encoded(extend.with_key_id(extensions, public))
    attribute = der.sequence(der.oid(EXTENSION_REQUEST), der.set_of(wanted))
    body = der.sequence(der.integer(0), name.der, public.der, der.explicit(0, attribute))
    return CertificateRequest(_signed(body, key, scheme or default_scheme(key)))


def is_genuine(asked: CertificateRequest) -> bool | None:
    """Whether the request was signed with its own key; None when that cannot be calculated here."""
    public = asked.public_key
    if asked.problem is not None or public is None:
        return None
    whole = der.parse(asked.der, allow_trailing=True).sequence(3)
    return made_with(public, whole[1], whole[0].raw, whole[2].bits())


def _issue(
    public: PublicKey,
    subject: Name,
    issuer: Name,
    key: PrivateKey,
    start: datetime,
    end: datetime,
    extensions: Sequence[Extension],
    scheme: Scheme | None,
    serial: int | None,
) -> Certificate:
    chosen = scheme or default_scheme(key)
    body = der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(serial or secrets.randbits(64) or 1),
        chosen.identifier,
        issuer.der,
        der.sequence(_time(start), _time(end)),
        subject.der,
        public.der,
        der.explicit(3, extend.encoded(extensions)),
    )
    return Certificate(_signed(body, key, chosen))


def _signed(body: bytes, key: PrivateKey, scheme: Scheme) -> bytes:
    return der.sequence(body, scheme.identifier, der.bit_string(sign_octets(body, key, scheme)))


def _time(moment: datetime) -> bytes:
    """UTCTime until 2049, then GeneralizedTime (RFC 5280 4.1.2.5).  Raises OperationError beyond the year 9999."""
    try:
        utc = moment.astimezone(UTC)
    except OverflowError as error:
        raise OperationError("The end of the validity lies beyond the year 9999.", code=ErrorCode.LIMITS) from error
    if 1950 <= utc.year < 2050:
        return der.encode(der.UTC_TIME, f"{utc:%y%m%d%H%M%S}Z".encode("ascii"))
    return der.encode(der.GENERALIZED_TIME, f"{utc.year:04}{utc:%m%d%H%M%S}Z".encode("ascii"))

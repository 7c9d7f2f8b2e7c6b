"""An unlocked private key: PKCS#8 octets that do not show themselves, and what they say.

The algorithm, size and public key of RSA, DSA and most EC keys are read here; `cryptography` is imported
only for keys whose public half must be calculated, and by `to_cryptography`.
Source: RFC 5208 and 5958 (PKCS#8), RFC 8017 (RSA), RFC 5915 (EC), RFC 8410 (Ed25519).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

import attrs

from keystoretools import der, oids
from keystoretools.certificate import Certificate
from keystoretools.errors import CorruptError, KeystoreError, UnsupportedError
from keystoretools.publickey import PublicKey, read_curve, read_public_key
from keystoretools.secret import SecretBytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


@attrs.frozen(kw_only=True)
class PrivateKey:
    """A private key in the clear; build it with `read_private_key`, which checks the structure.

    `algorithm` as Java names it, `bits` its size (0 unknown), `curve` the EC curve's name or None.
    """

    pkcs8: SecretBytes
    algorithm: str
    bits: int
    curve: str | None

    @cached_property
    def public_key(self) -> PublicKey:
        """The public half.  Raises UnsupportedError when it can neither be read nor calculated."""
        return _public_key(self)

    def fits(self, certificate: Certificate) -> bool:
        """Whether the certificate was made for this key."""
        return certificate.public_key is not None and self.public_key.same_key(certificate.public_key)

    def to_cryptography(self) -> PrivateKeyTypes:
        """The key for the library `cryptography`.  Raises UnsupportedError when that refuses it."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        try:
            return load_der_private_key(self.pkcs8.reveal(), None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UnsupportedError(
                f"The {self.algorithm} key cannot be used for cryptography here ({type(error).__name__});"
                " it can still be kept and moved.",
                name=self.algorithm,
            ) from error


def read_private_key(octets: bytes) -> PrivateKey:
    """A PrivateKey from PKCS#8 (PrivateKeyInfo) octets.  Raises CorruptError when they are none."""
    element = der.parse(octets, allow_trailing=True)
    parts = element.sequence(3, "PKCS#8 private key")
    if parts[0].integer() not in (0, 1):
        raise element.wrong("PKCS#8 private key of version 0 or 1")
    identifier = parts[1].sequence(1, "algorithm")
    dotted, body = identifier[0].oid(), parts[2].octet_string()
    algorithm = oids.KEY_ALGORITHMS.get(dotted, dotted)
    curve, bits = None, oids.FIXED_BITS.get(algorithm, 0)
    if algorithm in ("RSA", "RSASSA-PSS"):
        bits = der.parse(body).sequence(3, "RSA key")[1].integer().bit_length()
    elif algorithm == "DSA" and len(identifier) > 1:
        bits = identifier[1].sequence(3, "DSA parameters")[0].integer().bit_length()
    elif algorithm == "EC" and len(identifier) > 1:
        curve, bits = read_curve(identifier[1])
    return PrivateKey(pkcs8=SecretBytes(element.raw), algorithm=algorithm, bits=bits, curve=curve)


def _public_key(key: PrivateKey) -> PublicKey:
    parts = der.parse(key.pkcs8.reveal()).sequence(3)
    identifier, body = parts[1], parts[2].octet_string()
    point: bytes | None = None
    try:
        if key.algorithm in ("RSA", "RSASSA-PSS"):
            values = der.parse(body).sequence(3, "RSA key")
            point = der.sequence(der.integer(values[1].integer()), der.integer(values[2].integer()))
        elif key.algorithm == "DSA":
            p, _, g = (value.integer() for value in identifier.sequence(2)[1].sequence(3, "DSA parameters")[:3])
            x = der.parse(body).integer()
            # 16384 bits cost seconds; real DSA keys end at 3072
            if 0 < p.bit_length() <= 8192 and 0 < x < p:
                point = der.integer(pow(g, x, p))
        elif key.algorithm == "EC":
            point = next((p.children()[0].bits() for p in der.parse(body).sequence(2) if p.tag == der.context(1)), None)
    except (KeystoreError, IndexError) as error:
        raise CorruptError(f"The {key.algorithm} key is damaged inside.") from error
    spki = _calculated(key) if point is None else der.sequence(identifier.raw, der.bit_string(point))
    return read_public_key(der.parse(spki))


def _calculated(key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    half = cast("RSAPrivateKey", key.to_cryptography()).public_key()  # all key types have this method
    return half.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

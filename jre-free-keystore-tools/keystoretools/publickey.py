"""What a SubjectPublicKeyInfo says: algorithm, size, curve, and whether two of them are the same key.

Reads every algorithm far enough to list it (DSA and explicit EC parameters included) without `cryptography`.
Source: RFC 3279, 5480, 8410.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import attrs

from keystoretools import der, oids


@attrs.frozen(kw_only=True)
class PublicKey:
    """A SubjectPublicKeyInfo, `der` as it stood; build it with `read_public_key`.

    `algorithm` as Java names it (RSA, RSASSA-PSS, DSA, EC, Ed25519 ...) or the dotted OID; `bits` the size,
    0 when unknown; `curve` the name of an EC curve, None for explicit parameters that match none.
    """

    der: bytes = attrs.field(repr=False)
    algorithm: str
    bits: int
    curve: str | None
    point: bytes = attrs.field(repr=False)

    @cached_property
    def sha256(self) -> bytes:
        """SHA-256 of the whole SubjectPublicKeyInfo."""
        return hashlib.sha256(self.der).digest()

    @cached_property
    def comparable(self) -> tuple[str, bytes]:
        """Equal for two that belong to one private key, however parameters and EC points are written."""
        family = "RSA" if self.algorithm == "RSASSA-PSS" else self.algorithm
        return family, _compressed(self.point) if family == "EC" and self.point else self.point

    def same_key(self, other: PublicKey) -> bool:
        """Whether both belong to one private key."""
        return self.comparable == other.comparable


def read_public_key(element: der.Element) -> PublicKey:
    """A PublicKey from the SubjectPublicKeyInfo element.  Raises CorruptError when it is none."""
    identifier, key = element.sequence(2, "public key")[:2]
    parts = identifier.sequence(1, "algorithm")
    dotted, point = parts[0].oid(), key.bits()
    algorithm = oids.KEY_ALGORITHMS.get(dotted, dotted)
    curve, bits = None, oids.FIXED_BITS.get(algorithm, 0)
    if algorithm in ("RSA", "RSASSA-PSS"):
        bits = der.parse(point).sequence(2, "RSA key")[0].integer().bit_length()
    elif algorithm == "DSA" and len(parts) > 1:
        bits = parts[1].sequence(3, "DSA parameters")[0].integer().bit_length()
    elif algorithm == "EC" and len(parts) > 1:
        curve, bits = read_curve(parts[1])
    return PublicKey(der=element.raw, algorithm=algorithm, bits=bits, curve=curve, point=point)


def read_curve(parameters: der.Element) -> tuple[str | None, int]:
    """Name and size of a curve; explicit parameters are matched by their prime (RFC 3279 2.3.5)."""
    if parameters.tag == der.OID:
        return oids.CURVES.get(parameters.oid(), (None, 0))
    field = parameters.sequence(5, "EC parameters")[1].sequence(2, "EC field")
    if field[1].tag != der.INTEGER:
        return None, 0
    prime = field[1].integer()
    return _CURVE_OF_PRIME.get(prime), prime.bit_length()


_CURVE_OF_PRIME = {
    2**192 - 2**64 - 1: "secp192r1",
    2**224 - 2**96 + 1: "secp224r1",
    2**256 - 2**224 + 2**192 + 2**96 - 1: "secp256r1",
    2**384 - 2**128 - 2**96 + 2**32 - 1: "secp384r1",
    2**521 - 1: "secp521r1",
    2**256 - 2**32 - 977: "secp256k1",
}


def _compressed(point: bytes) -> bytes:
    """SEC 1 2.3.3: 04 x y uncompressed; 02 or 03 by the lowest bit of y, then x, compressed."""
    half = (len(point) - 1) // 2
    return bytes([2 | point[-1] & 1]) + point[1 : 1 + half] if point[0] == 4 else point

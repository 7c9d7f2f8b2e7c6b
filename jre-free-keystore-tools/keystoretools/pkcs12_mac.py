"""The integrity check of PKCS#12 files: HMAC with a PKCS#12-derived key, or PBMAC1 (read only).

PBMAC1 puts its own derivation in the place of the digest algorithm; no Java up to 25 reads it.
Source: RFC 7292 section 4 and appendix A, RFC 9579 (PBMAC1).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

import attrs

from keystoretools import der, pbes2
from keystoretools.errors import LimitError, UnsupportedError
from keystoretools.limits import Budget, check
from keystoretools.pbes2 import Derivation
from keystoretools.pkcs12kdf import Purpose, derive, password_octets
from keystoretools.secret import Password

PBMAC1: Final = "1.2.840.113549.1.5.14"
# With a key of one octet a forged file passes for one password in 256 (RFC 9579 section 9).
PBMAC1_LEAST_KEY_BYTES: Final = 20

_DIGESTS: Final = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.5": "sha512_224",
    "2.16.840.1.101.3.4.2.6": "sha512_256",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
    "1.3.36.3.2.1": "ripemd160",
}
_OIDS: Final = {name: oid for oid, name in _DIGESTS.items()}
# What Java reads; a file with another check is given one of the profile when it is written anew.
WRITTEN_DIGESTS: Final = ("sha1", "sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256")


@attrs.frozen(kw_only=True)
class Mac:
    """An integrity check as it stands in the file.

    `digest` is hashlib's name, or the OID of one that is not known.  With PBMAC1 `derivation` says where the
    key comes from, and `salt` and `iterations` mean nothing.
    """

    digest: str
    value: bytes = attrs.field(repr=False)
    salt: bytes = attrs.field(repr=False)
    iterations: int
    derivation: Derivation | None = None

    @property
    def words(self) -> str:
        """For people: "HMAC-SHA256, 10000 iterations"."""
        title = self.digest.upper().replace("SHA3_", "SHA3-").replace("_", "/")
        if self.derivation is not None:
            return f"PBMAC1 HMAC-{title}, {self.derivation.words}"
        return f"HMAC-{title}, {self.iterations} iterations"


def read_mac(element: der.Element) -> Mac:
    """From MacData.  Raises CorruptError, UnsupportedError (parameters of PBMAC1)."""
    parts = element.sequence(2, "integrity check")
    inside = parts[0].sequence(2, "integrity check")
    identifier = inside[0].sequence(1, "algorithm of the integrity check")
    name, value, salt = identifier[0].oid(), inside[1].octet_string(), parts[1].octet_string()
    iterations = parts[2].integer() if len(parts) > 2 else 1
    derivation = None
    digest = _DIGESTS.get(name, name)
    if name == PBMAC1 and len(identifier) > 1:
        parameters = identifier[1].sequence(2, "parameters of PBMAC1")
        derivation, digest = pbes2.read_derivation(parameters[0]), pbes2.digest_of_hmac(parameters[1])
    return Mac(digest=digest, value=value, salt=salt, iterations=iterations, derivation=derivation)


def verify(mac: Mac, content: bytes, password: Password, budget: Budget) -> bool:
    """Whether the check fits content and password.  Raises LimitError, UnsupportedError, CorruptError."""
    if mac.digest not in hashlib.algorithms_available:
        raise UnsupportedError(
            f"The integrity check uses the digest {mac.digest}, which is not known here.", name=mac.digest
        )
    if mac.derivation is not None:
        return _verify_pbmac1(mac, mac.derivation, content, password, budget)
    check("a salt with a length", len(mac.salt), budget.limits.salt_bytes)
    for octets in password_octets(password):
        budget.spend(mac.iterations, "an iteration count for the integrity check (MAC)")
        if hmac.compare_digest(_value(content, octets, mac.salt, mac.iterations, mac.digest), mac.value):
            return True
    return False


def create(content: bytes, password: Password, *, digest: str, salt: bytes, iterations: int) -> bytes:
    """MacData for `content`; the caller has checked that the password is ASCII."""
    value = _value(content, password.bmp(), salt, iterations, digest)
    info = der.sequence(der.algorithm(_OIDS[digest]), der.octet_string(value))
    return der.sequence(info, der.octet_string(salt), der.integer(iterations))


def _value(content: bytes, password: bytes, salt: bytes, iterations: int, digest: str) -> bytes:
    size = hashlib.new(digest, usedforsecurity=False).digest_size
    return hmac.digest(derive(Purpose.MAC, password, salt, iterations, size, digest), content, digest)


def _verify_pbmac1(mac: Mac, how: Derivation, content: bytes, password: Password, budget: Budget) -> bool:
    size = how.key_bytes or 0
    if size < PBMAC1_LEAST_KEY_BYTES:
        raise LimitError(
            f"a PBMAC1 key (at least {PBMAC1_LEAST_KEY_BYTES} octets are safe) with a length",
            found=size,
            ceiling=_PBMAC1_MOST_KEY_BYTES,
        )
    check("a PBMAC1 key with a length", size, _PBMAC1_MOST_KEY_BYTES)
    key = pbes2.derive(how, password.utf8(), size, budget, "the integrity check (PBMAC1)")
    return hmac.compare_digest(hmac.digest(key, content, mac.digest), mac.value)


# The longest block of a digest is 144 octets; PBKDF2's work grows with the length.
_PBMAC1_MOST_KEY_BYTES: Final = 256

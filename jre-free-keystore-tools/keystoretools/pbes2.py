"""PBES2: a key derivation (PBKDF2, scrypt) and a cipher, each with parameters of its own; and PBKDF2 for
PBMAC1.

Every number is checked and paid for (`Budget`) before anything is calculated.
Source: RFC 8018 (PBES2, PBKDF2), RFC 7914 (scrypt), RFC 2898 B.2.3 (RC2 versions), RFC 3657 (Camellia).
"""

from __future__ import annotations

import hashlib
from typing import Final

import attrs

from keystoretools import cbc, der
from keystoretools.cbc import BlockCipher
from keystoretools.errors import CorruptError, LimitError, UnsupportedError
from keystoretools.limits import Budget, check

PBES2: Final = "1.2.840.113549.1.5.13"
PBKDF2: Final = "1.2.840.113549.1.5.12"
SCRYPT: Final = "1.3.6.1.4.1.11591.4.11"
HMAC_SHA256: Final = "1.2.840.113549.2.9"
AES_256_CBC: Final = "2.16.840.1.101.3.4.1.42"

# HMAC by OID, as hashlib names the digest.
HMACS: Final = {
    "1.2.840.113549.2.6": "md5",
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    HMAC_SHA256: "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.840.113549.2.12": "sha512_224",
    "1.2.840.113549.2.13": "sha512_256",
    "2.16.840.1.101.3.4.2.13": "sha3_224",
    "2.16.840.1.101.3.4.2.14": "sha3_256",
    "2.16.840.1.101.3.4.2.15": "sha3_384",
    "2.16.840.1.101.3.4.2.16": "sha3_512",
}
_RC2: Final = "1.2.840.113549.3.2"
_CIPHERS: Final = {
    "2.16.840.1.101.3.4.1.2": BlockCipher(name="aes", key_bytes=16, block_bytes=16),
    "2.16.840.1.101.3.4.1.22": BlockCipher(name="aes", key_bytes=24, block_bytes=16),
    AES_256_CBC: BlockCipher(name="aes", key_bytes=32, block_bytes=16),
    "1.2.840.113549.3.7": BlockCipher(name="3des", key_bytes=24),
    "1.3.14.3.2.7": BlockCipher(name="des", key_bytes=8),
    "1.2.392.200011.61.1.1.1.2": BlockCipher(name="camellia", key_bytes=16, block_bytes=16),
    "1.2.392.200011.61.1.1.1.3": BlockCipher(name="camellia", key_bytes=24, block_bytes=16),
    "1.2.392.200011.61.1.1.1.4": BlockCipher(name="camellia", key_bytes=32, block_bytes=16),
}
# RFC 8018 B.2.3: the version names the effective bits below 256; from 256 on it is their number.
_RC2_BITS: Final = {160: 40, 120: 64, 58: 128}


@attrs.frozen(kw_only=True)
class Derivation:
    """How a key comes from a password.  `key_bytes` None: not written; `prf` is hashlib's name, "" for
    scrypt.
    """

    salt: bytes = attrs.field(repr=False)
    key_bytes: int | None
    prf: str
    iterations: int = 0
    cost: tuple[int, int, int] = (0, 0, 0)  # scrypt's N, r, p

    @property
    def words(self) -> str:
        if not self.prf:
            return "scrypt N={}, r={}, p={}".format(*self.cost)
        return f"PBKDF2-HMAC-{self.prf.upper().replace('_', '/')}, {self.iterations} iterations"


def read_derivation(identifier: der.Element) -> Derivation:
    """From an AlgorithmIdentifier.  Raises UnsupportedError (function or PRF), CorruptError."""
    parts = identifier.sequence(2, "key derivation")
    name, values = parts[0].oid(), parts[1].sequence(2, "parameters of the key derivation")
    salt = values[0].octet_string()
    numbers = [value.integer() for value in values[1:] if value.tag == der.INTEGER]
    if name == SCRYPT and len(numbers) >= 3:
        size = numbers[3] if len(numbers) > 3 else None
        return Derivation(salt=salt, key_bytes=size, prf="", cost=(numbers[0], numbers[1], numbers[2]))
    if name != PBKDF2 or not numbers:
        raise UnsupportedError(f"The key derivation {name} is not known here.", name=name)
    prf = HMACS["1.2.840.113549.2.7"]
    if values[-1].tag == der.SEQUENCE:
        prf = digest_of_hmac(values[-1])
    size = numbers[1] if len(numbers) > 1 else None
    return Derivation(salt=salt, key_bytes=size, prf=prf, iterations=numbers[0])


def digest_of_hmac(identifier: der.Element) -> str:
    """hashlib's name of the digest in an HMAC's AlgorithmIdentifier.  Raises UnsupportedError."""
    name = identifier.sequence(1, "HMAC")[0].oid()
    digest = HMACS.get(name)
    if digest is None or digest not in hashlib.algorithms_available:
        raise UnsupportedError(f"The keyed hash {digest or name} is not known here.", name=digest or name)
    return digest


def derive(
    how: Derivation, password: bytes, size: int, budget: Budget, what: str, *, alias: str | None = None
) -> bytes:
    """`size` octets of key.  `what` completes "an iteration count for ...".  Raises LimitError."""
    limits = budget.limits
    check("a salt with a length", len(how.salt), limits.salt_bytes)
    if how.prf:
        blocks = -(-size // hashlib.new(how.prf, usedforsecurity=False).digest_size)
        budget.spend(how.iterations, f"an iteration count for {what}", steps=blocks, alias=alias)
        return hashlib.pbkdf2_hmac(how.prf, password, how.salt, how.iterations, size)
    n, r, p = how.cost
    if n < 2 or n & (n - 1) or r < 1 or p < 1:
        raise CorruptError("The key derivation is damaged: scrypt's N must be a power of two, r and p positive.")
    for name, found, ceiling in (
        ("scrypt with a parallelism p", p, limits.scrypt_parallel),
        ("scrypt with a memory in octets", 128 * n * r, limits.scrypt_memory_bytes),
        ("scrypt with a work (128 N r p)", 128 * n * r * p, limits.scrypt_work_bytes),
    ):
        if found > ceiling:
            raise LimitError(name, found=found, ceiling=ceiling, alias=alias)
    budget.work(n * r * p, f"scrypt with a cost for {what}", alias=alias)
    memory = 128 * r * (n + p + 2) + 1024 * 1024
    return hashlib.scrypt(password, salt=how.salt, n=n, r=r, p=p, maxmem=memory, dklen=size)


def read_cipher(identifier: der.Element) -> tuple[BlockCipher, bytes]:
    """(cipher, initial vector) from an AlgorithmIdentifier.  Raises UnsupportedError, CorruptError."""
    parts = identifier.sequence(2, "cipher")
    name = parts[0].oid()
    if name == _RC2:
        return _read_rc2(parts[1])
    if name not in _CIPHERS:
        raise UnsupportedError(f"The cipher {name} is not known here.", name=name)
    return _CIPHERS[name], parts[1].octet_string()


def _read_rc2(parameters: der.Element) -> tuple[BlockCipher, bytes]:
    """The key has 16 octets unless the derivation says otherwise."""
    if parameters.tag == der.OCTET_STRING:
        return BlockCipher(name="rc2", key_bytes=16, effective_bits=32), parameters.octet_string()
    version, iv = parameters.sequence(2, "RC2 parameters")[:2]
    bits = _RC2_BITS.get(version.integer(), version.integer())
    if version.integer() not in _RC2_BITS and not 256 <= bits <= 1024:
        raise UnsupportedError(f"RC2 of version {bits} is not known here.", name="RC2")
    return BlockCipher(name="rc2", key_bytes=16, effective_bits=bits), iv.octet_string()


def read_parameters(parameters: der.Element) -> tuple[Derivation, BlockCipher, bytes]:
    """(derivation, cipher, initial vector) from the parameters of PBES2."""
    parts = parameters.sequence(2, "parameters of PBES2")
    how, (cipher, iv) = read_derivation(parts[0]), read_cipher(parts[1])
    if how.key_bytes is not None and how.key_bytes != cipher.key_bytes:
        if cipher.name != "rc2" or not 1 <= how.key_bytes <= 128:
            raise CorruptError(
                f"The encryption is damaged: a key of {how.key_bytes} octets does not fit {cipher.words}."
            )
        cipher = attrs.evolve(cipher, key_bytes=how.key_bytes)
    return how, cipher, iv


def decrypt(
    parameters: der.Element, octets: bytes, password: bytes, budget: Budget, *, alias: str | None = None
) -> bytes:
    """The plain text.  Raises WrongKeyPasswordError (bad padding), UnsupportedError, CorruptError, LimitError."""
    how, cipher, iv = read_parameters(parameters)
    key = derive(how, password, cipher.key_bytes, budget, "a key", alias=alias)
    budget.work(cbc.steps(cipher, len(octets)), "octets under a slow cipher", alias=alias)
    return cbc.decrypt(cipher, key, iv, octets)


def encrypt(plain: bytes, password: bytes, salt: bytes, iv: bytes, iterations: int) -> tuple[bytes, bytes]:
    """(AlgorithmIdentifier, octets): AES-256-CBC, PBKDF2-HMAC-SHA256, the key length written.

    Java before 8u301 takes whatever follows the count for the key length.
    """
    cipher = _CIPHERS[AES_256_CBC]
    key = hashlib.pbkdf2_hmac("sha256", password, salt, iterations, cipher.key_bytes)
    derivation = der.sequence(
        der.octet_string(salt),
        der.integer(iterations),
        der.integer(cipher.key_bytes),
        der.algorithm(HMAC_SHA256),
    )
    parameters = der.sequence(der.algorithm(PBKDF2, derivation), der.algorithm(AES_256_CBC, der.octet_string(iv)))
    return der.algorithm(PBES2, parameters), cbc.encrypt(cipher, key, iv, plain)

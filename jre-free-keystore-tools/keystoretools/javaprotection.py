"""The two key protections of Sun's keystores: JKS (SHA-1 key stream) and JCEKS (PBEWithMD5AndTripleDES).

Both come as an EncryptedPrivateKeyInfo; the functions here take and give its encrypted octets and parameters.
Neither is strong: a stolen JKS costs one SHA-1 for each guess of the password.
Source: `sun.security.provider.KeyProtector`, `com.sun.crypto.provider.KeyProtector` and `PBES1Core` (facts
only).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import partial
from typing import Final

from keystoretools import der, hashing
from keystoretools.errors import CorruptError, WrongKeyPasswordError
from keystoretools.limits import Budget, check
from keystoretools.secret import Password

RandomOctets = Callable[[int], bytes]

# What Java writes since 2018; any Java reads any count (older ones wrote 20).
JCEKS_ITERATIONS: Final = 200_000

_SALT: Final = 20
_sha1 = partial(hashlib.sha1, usedforsecurity=False)


def open_jks_key(octets: bytes, password: Password, budget: Budget) -> bytes:
    """The protected octets (PKCS#8) from salt (20) | body | check (20).

    Raises WrongKeyPasswordError (certain here), CorruptError when too short, LimitError above `key_bytes`.
    """
    if len(octets) < 2 * _SALT:
        raise CorruptError("The protected key is damaged: it is shorter than its own salt and check value.")
    check("a private key with a length", len(octets), budget.limits.key_bytes)
    budget.work(len(octets) // _SALT, "a private key")
    salt, body, expected = octets[:_SALT], octets[_SALT:-_SALT], octets[-_SALT:]
    given = password.utf16be()
    plain = _xor_stream(body, given, salt)
    if not hmac.compare_digest(_sha1(given + plain).digest(), expected):
        raise WrongKeyPasswordError("The password does not open this key.")
    return plain


def protect_jks_key(plain: bytes, password: Password, random: RandomOctets) -> bytes:
    """The inverse of `open_jks_key` with a fresh salt."""
    salt, given = random(_SALT), password.utf16be()
    return salt + _xor_stream(plain, given, salt) + _sha1(given + plain).digest()


def _xor_stream(body: bytes, password: bytes, salt: bytes) -> bytes:
    stream, block = bytearray(), salt
    while len(stream) < len(body):
        block = _sha1(password + block).digest()
        stream += block
    size = len(body)
    mixed = int.from_bytes(body, "big") ^ int.from_bytes(stream[:size], "big")
    return mixed.to_bytes(size, "big")


def open_jceks_octets(
    octets: bytes, parameters: bytes, password: Password, budget: Budget, *, alias: str | None = None
) -> bytes:
    """Decrypt PBEWithMD5AndTripleDES; `parameters` is the DER SEQUENCE { salt (8), iterations }.

    There is no integrity check: bad padding raises WrongKeyPasswordError, but once in 256 times a wrong
    password gives rubbish, so the caller must check the structure.
    Raises also CorruptError (parameters, length) and LimitError (iterations).
    """
    parts = der.parse(parameters).sequence(2, "parameters of the key protection")
    salt, iterations = parts[0].octet_string(), parts[1].integer()
    budget.spend(iterations, "an iteration count for a key", steps=2, alias=alias)
    if len(salt) != 8:
        raise CorruptError("The protected key is damaged: its salt must have 8 octets.", alias=alias)
    check("a protected key with a length", len(octets), budget.limits.key_bytes)
    if not octets or len(octets) % 8:
        raise CorruptError("The protected key is damaged: its length is no multiple of 8.", alias=alias)
    plain = _triple_des(octets, password.utf8(), salt, iterations, encrypt=False)
    pad = plain[-1]
    if not 1 <= pad <= 8 or plain[-pad:] != bytes([pad]) * pad:
        raise WrongKeyPasswordError("The password does not open this key.", alias=alias)
    return plain[:-pad]


def protect_jceks_octets(
    plain: bytes, password: Password, random: RandomOctets, iterations: int = JCEKS_ITERATIONS
) -> tuple[bytes, bytes]:
    """(encrypted octets, DER parameters).  Raises OperationError when the password is not ASCII."""
    password.require_printable_ascii("a key in a JCEKS keystore")
    salt = random(8)
    pad = 8 - len(plain) % 8
    octets = _triple_des(plain + bytes([pad]) * pad, password.utf8(), salt, iterations, encrypt=True)
    return octets, der.sequence(der.octet_string(salt), der.integer(iterations))


def _triple_des(octets: bytes, password: bytes, salt: bytes, iterations: int, *, encrypt: bool) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    material = _jceks_material(password, salt, iterations)
    cipher = Cipher(TripleDES(material[:24]), modes.CBC(material[24:]))
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(octets) + context.finalize()


def _jceks_material(password: bytes, salt: bytes, iterations: int) -> bytes:
    """32 octets: each half of the salt hashed with the password, again and again (equal halves: first
    reversed).
    """
    first, second = salt[:4], salt[4:]
    if first == second:
        first = first[::-1]
    material, md5 = b"", hashing.constructor("md5")
    for half in (first, second):
        digest = half
        for _ in range(iterations):
            digest = md5(digest + password).digest()
        material += digest
    return material

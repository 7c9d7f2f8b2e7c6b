"""Password-based encryption as an AlgorithmIdentifier names it: PKCS#12's own schemes, PBES1 and PBES2.

All schemes that keystores and encrypted PKCS#8 keys use are read; written are PBES2 with AES-256 and
PBE-SHA1-3DES, as the profile says.  No scheme has an integrity check: a wrong password shows as bad padding,
or once in 256 times as rubbish, so callers check the structure of what comes out.
Source: RFC 7292 appendix C (PKCS#12), RFC 8018 (PBES1, PBES2).
"""

from __future__ import annotations

from typing import Final

import attrs

from keystoretools import cbc, der, hashing, pbes2, pkcs12kdf
from keystoretools.cbc import BlockCipher
from keystoretools.errors import KeystoreError, UnsupportedError, WrongKeyPasswordError, quoted
from keystoretools.javaprotection import RandomOctets
from keystoretools.limits import Budget, check
from keystoretools.pkcs12kdf import Purpose, derive, password_octets
from keystoretools.profiles import Profile
from keystoretools.secret import Password

PBE_SHA1_3DES: Final = "1.2.840.113549.1.12.1.3"


@attrs.frozen(kw_only=True)
class _Scheme:
    """`cipher` None means RC4 with `key_bytes`; `digest` None means PKCS#12 derivation, else PBKDF1's."""

    words: str
    cipher: BlockCipher | None = None
    key_bytes: int = 0
    digest: str | None = None


_DES: Final = BlockCipher(name="des", key_bytes=8)
_RC2_64: Final = BlockCipher(name="rc2", key_bytes=8, effective_bits=64)
_SCHEMES: Final = {
    "1.2.840.113549.1.12.1.1": _Scheme(words="PBE-SHA1-RC4-128", key_bytes=16),
    "1.2.840.113549.1.12.1.2": _Scheme(words="PBE-SHA1-RC4-40", key_bytes=5),
    PBE_SHA1_3DES: _Scheme(words="PBE-SHA1-3DES", cipher=BlockCipher(name="3des", key_bytes=24)),
    "1.2.840.113549.1.12.1.4": _Scheme(words="PBE-SHA1-2DES", cipher=BlockCipher(name="2des", key_bytes=16)),
    "1.2.840.113549.1.12.1.5": _Scheme(
        words="PBE-SHA1-RC2-128", cipher=BlockCipher(name="rc2", key_bytes=16, effective_bits=128)
    ),
    "1.2.840.113549.1.12.1.6": _Scheme(
        words="PBE-SHA1-RC2-40", cipher=BlockCipher(name="rc2", key_bytes=5, effective_bits=40)
    ),
    "1.2.840.113549.1.5.3": _Scheme(words="PBE-MD5-DES", cipher=_DES, digest="md5"),
    "1.2.840.113549.1.5.6": _Scheme(words="PBE-MD5-RC2", cipher=_RC2_64, digest="md5"),
    "1.2.840.113549.1.5.10": _Scheme(words="PBE-SHA1-DES", cipher=_DES, digest="sha1"),
    "1.2.840.113549.1.5.11": _Scheme(words="PBE-SHA1-RC2", cipher=_RC2_64, digest="sha1"),
}


def decrypt(
    identifier: der.Element, octets: bytes, password: Password, budget: Budget, *, alias: str | None = None
) -> bytes:
    """The plain text of `octets`, encrypted as the AlgorithmIdentifier says.

    An empty password is tried as two zero octets, then as none, in PKCS#12's schemes; the attempt that gives
    an ASN.1 SEQUENCE wins.  Raises WrongKeyPasswordError (probable: bad padding), UnsupportedError,
    CorruptError (parameters, lengths), LimitError (iterations, scrypt's cost, salt).
    """
    parts = identifier.sequence(2, "encryption algorithm with parameters")
    name = parts[0].oid()
    try:
        if name == pbes2.PBES2:
            return pbes2.decrypt(parts[1], octets, password.utf8(), budget, alias=alias)
        scheme = _scheme(name, alias)
        salt, iterations = _salt_and_count(parts[1], budget)
        if scheme.digest is not None:
            budget.spend(iterations, "an iteration count for a key", alias=alias)
            budget.work(_cipher_steps(scheme, octets), "octets under a slow cipher", alias=alias)
            return _open_pbes1(scheme, octets, password.utf8(), salt, iterations)
        return _open_pkcs12(scheme, octets, password, salt, iterations, budget, alias)
    except WrongKeyPasswordError as error:
        which = "what is encrypted" if alias is None else f"the key {quoted(alias)}"
        raise WrongKeyPasswordError(
            f"The password probably is wrong: it does not open {which}.", alias=alias
        ) from error


def encrypt(plain: bytes, password: Password, profile: Profile, random: RandomOctets) -> tuple[bytes, bytes]:
    """(DER of the AlgorithmIdentifier, encrypted octets) by the profile, salt and vector fresh.

    Raises OperationError `password-not-ascii`.
    """
    password.require_printable_ascii("a PKCS#12 keystore")
    salt, iterations = random(profile.salt_bytes), profile.encryption_iterations
    if profile.pbes2:
        return pbes2.encrypt(plain, password.utf8(), salt, random(16), iterations)
    scheme = _SCHEMES[PBE_SHA1_3DES]
    assert scheme.cipher is not None  # the table says so
    key, iv = _key_and_iv(scheme.cipher, password.bmp(), salt, iterations)
    parameters = der.sequence(der.octet_string(salt), der.integer(iterations))
    return der.algorithm(PBE_SHA1_3DES, parameters), cbc.encrypt(scheme.cipher, key, iv, plain)


def describe(identifier: der.Element) -> str:
    """For people: "PBES2 AES-256, PBKDF2-HMAC-SHA256, 10000 iterations"; OIDs for what is not known.

    Never raises.
    """
    try:
        parts = identifier.sequence(1, "encryption algorithm")
        name = parts[0].oid()
    except KeystoreError:
        return "damaged"
    try:
        if name == pbes2.PBES2:
            how, cipher, _ = pbes2.read_parameters(parts[1])
            written = " (key length not written)" if how.prf and how.key_bytes is None else ""
            return f"PBES2 {cipher.words}, {how.words}{written}"
        return f"{_scheme(name, None).words}, {parts[1].sequence(2)[1].integer()} iterations"
    except (KeystoreError, IndexError):
        return _SCHEMES[name].words if name in _SCHEMES else name


def _scheme(name: str, alias: str | None) -> _Scheme:
    if name not in _SCHEMES:
        raise UnsupportedError(f"The encryption algorithm {name} is not known here.", name=name, alias=alias)
    return _SCHEMES[name]


def _salt_and_count(parameters: der.Element, budget: Budget) -> tuple[bytes, int]:
    parts = parameters.sequence(2, "parameters of the encryption")
    salt = parts[0].octet_string()
    check("a salt with a length", len(salt), budget.limits.salt_bytes)
    return salt, parts[1].integer()


def _open_pbes1(scheme: _Scheme, octets: bytes, password: bytes, salt: bytes, iterations: int) -> bytes:
    """PBKDF1 gives 16 octets: key and vector (RFC 8018 6.1)."""
    digest = password + salt
    step = hashing.constructor(scheme.digest or "")
    for _ in range(iterations):
        digest = step(digest).digest()
    assert scheme.cipher is not None  # the table says so
    return cbc.decrypt(scheme.cipher, digest[:8], digest[8:16], octets)


def _open_pkcs12(
    scheme: _Scheme,
    octets: bytes,
    password: Password,
    salt: bytes,
    iterations: int,
    budget: Budget,
    alias: str | None,
) -> bytes:
    second_choice: bytes | None = None
    for given in password_octets(password):
        budget.spend(iterations, "an iteration count for a key", steps=_derivation_steps(scheme), alias=alias)
        budget.work(_cipher_steps(scheme, octets), "octets under a slow cipher", alias=alias)
        try:
            if scheme.cipher is None:
                plain = _rc4(scheme, given, salt, iterations, octets)
            else:
                key, iv = _key_and_iv(scheme.cipher, given, salt, iterations)
                plain = cbc.decrypt(scheme.cipher, key, iv, octets)
        except WrongKeyPasswordError:
            continue
        if _is_sequence(plain):
            return plain
        second_choice = plain if second_choice is None else second_choice
    if second_choice is None:
        raise WrongKeyPasswordError("The password does not open the encrypted octets.", alias=alias)
    return second_choice


def _derivation_steps(scheme: _Scheme) -> int:
    """What one iteration costs: key and vector are derived apart."""
    if scheme.cipher is None:
        return pkcs12kdf.steps(scheme.key_bytes)
    return pkcs12kdf.steps(scheme.cipher.key_bytes) + pkcs12kdf.steps(scheme.cipher.block_bytes)


def _cipher_steps(scheme: _Scheme, octets: bytes) -> int:
    return len(octets) // 2 if scheme.cipher is None else cbc.steps(scheme.cipher, len(octets))


def _rc4(scheme: _Scheme, password: bytes, salt: bytes, iterations: int, octets: bytes) -> bytes:
    from keystoretools import rc4

    check("octets under RC4 with a length", len(octets), cbc.SLOW_CIPHER_BYTES)
    return rc4.apply(derive(Purpose.KEY, password, salt, iterations, scheme.key_bytes), octets)


def _key_and_iv(cipher: BlockCipher, password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    key = derive(Purpose.KEY, password, salt, iterations, cipher.key_bytes)
    return key, derive(Purpose.IV, password, salt, iterations, cipher.block_bytes)


def _is_sequence(plain: bytes) -> bool:
    try:
        return der.parse(plain).tag == der.SEQUENCE
    except KeystoreError:
        return False

"""Private keys as files have them: PKCS#1, SEC1, traditional DSA, PKCS#8, encrypted in two ways.

All open forms become PKCS#8, as `openssl pkcs8 -topk8` writes it.  `EncryptedKey` is a key that nobody opened yet:
an encrypted PKCS#8, or a traditional PEM block with a DEK-Info header (key by one round of MD5: weak, but met).
Source: RFC 8017 A.1.2 (RSA), RFC 5915 (EC), RFC 5958 (PKCS#8), RFC 1423 and EVP_BytesToKey (DEK-Info).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import attrs

from keystoretools import der, oids
from keystoretools.errors import (
    CorruptError,
    KeystoreError,
    LimitError,
    UnsupportedError,
    WrongKeyPasswordError,
    quoted,
)
from keystoretools.kinds import Kind
from keystoretools.limits import Budget, check
from keystoretools.privatekey import PrivateKey, read_private_key
from keystoretools.publickey import read_curve

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm

    from keystoretools.secret import Password

# DEK-Info name: key and block size in octets.
_CIPHERS: Final = {
    "DES-CBC": (8, 8),
    "DES-EDE3-CBC": (24, 8),
    "AES-128-CBC": (16, 16),
    "AES-192-CBC": (24, 16),
    "AES-256-CBC": (32, 16),
    "CAMELLIA-128-CBC": (16, 16),
    "CAMELLIA-192-CBC": (24, 16),
    "CAMELLIA-256-CBC": (32, 16),
}
_KIND_OF_LABEL: Final = {
    "RSA PRIVATE KEY": Kind.RSA_KEY,
    "DSA PRIVATE KEY": Kind.DSA_KEY,
    "EC PRIVATE KEY": Kind.EC_KEY,
    "PRIVATE KEY": Kind.PKCS8,
    "ANY PRIVATE KEY": Kind.PKCS8,
}


@attrs.frozen(kw_only=True)
class EncryptedKey:
    """A key file that needs a password.

    `octets`: an EncryptedPrivateKeyInfo; or, where `dek_info` is given ("AES-256-CBC,0123..."), the encrypted
    octets of a block with that `label`.  `curve`: parameters from an EC PARAMETERS block before it.
    """

    octets: bytes = attrs.field(repr=lambda octets: f"<{len(octets)} octets>")
    label: str = "ENCRYPTED PRIVATE KEY"
    dek_info: str | None = None
    curve: bytes | None = None

    @property
    def scheme(self) -> str:
        """How it is encrypted, for a sentence: the DEK-Info name or the dotted OID.  Never raises."""
        if self.dek_info is not None:
            return self.dek_info.partition(",")[0].strip()
        try:
            return der.parse(self.octets).sequence(2)[0].sequence(1)[0].oid()
        except KeystoreError:
            return "unknown"

    def unlock(self, password: Password, budget: Budget) -> PrivateKey:
        """The key in the clear.

        Raises WrongKeyPasswordError (for keys without a check value: probably), LimitError, UnsupportedError,
        CorruptError.
        """
        check("an encrypted key with a length", len(self.octets), budget.limits.key_bytes)
        if self.dek_info is not None:
            return _open_dek(self, self.dek_info, password)
        return _open_pkcs8(self.octets, password, budget)


def read_key(kind: Kind, octets: bytes, *, curve: bytes | None = None) -> PrivateKey:
    """A key of one of the open kinds (`Kind.PKCS8`, `RSA_KEY`, `DSA_KEY`, `EC_KEY`) as PKCS#8.

    `curve`: DER parameters for an EC key that has none itself.  Raises CorruptError, UnsupportedError.
    """
    if kind is Kind.PKCS8:
        return read_private_key(octets)
    element = der.parse(octets, allow_trailing=True)
    if kind is Kind.RSA_KEY:
        _numbers(element, 9, "RSA private key")
        return _pkcs8(der.algorithm(oids.RSA), element.raw)
    if kind is Kind.DSA_KEY:
        _, p, q, g, _, x = _numbers(element, 6, "DSA private key")[:6]
        parameters = der.sequence(der.integer(p), der.integer(q), der.integer(g))
        return _pkcs8(der.algorithm(oids.DSA, parameters), der.integer(x))
    if kind is Kind.EC_KEY:
        return _ec_key(element, curve)
    raise CorruptError(f"A {kind.words} is no private key that can be read without a password.")


def _numbers(element: der.Element, count: int, what: str) -> list[int]:
    return [part.integer() for part in element.sequence(count, what)[:count]]


def _ec_key(element: der.Element, curve: bytes | None) -> PrivateKey:
    """OpenSSL moves the parameters from [0] to the algorithm and leaves the public key [1] inside."""
    parts = element.sequence(2, "EC private key")
    inside = next((part.children() for part in parts[2:] if part.tag == der.context(0)), [])
    parameters = inside[0] if inside else None if curve is None else der.parse(curve, allow_trailing=True)
    if parameters is None:
        raise CorruptError("The EC private key does not say which curve it is for; its EC PARAMETERS are missing.")
    name = named_curve(parameters)
    rest = [part.raw for part in parts[2:] if part.tag != der.context(0)]
    body = der.sequence(parts[0].raw, parts[1].raw, *rest)
    return _pkcs8(der.algorithm(oids.EC, parameters.raw if name is None else der.oid(name)), body)


def named_curve(parameters: der.Element) -> str | None:
    """The OID of the curve: as given, or that which explicit parameters describe; None when they match none.

    Explicit parameters match by prime and order together (RFC 3279 2.3.5).
    """
    if parameters.tag == der.OID:
        return parameters.oid()
    parts = parameters.sequence(5, "EC parameters")
    name, _ = read_curve(parameters)
    order = _ORDERS.get(name or "")
    if order is None or parts[4].integer() != order:
        return None
    return next((dotted for dotted, (known, _) in oids.CURVES.items() if known == name), None)


# The orders of the base points (SEC 2, version 2.0).
_ORDERS: Final = {
    "secp192r1": 0xFFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831,
    "secp224r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "secp521r1": int("1ff" + "f" * 63 + "a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16),
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}


def _pkcs8(identifier: bytes, body: bytes) -> PrivateKey:
    return read_private_key(der.sequence(der.integer(0), identifier, der.octet_string(body)))


# --- encrypted -----------------------------------------------------------------------------------------------------


def _open_pkcs8(octets: bytes, password: Password, budget: Budget) -> PrivateKey:
    from keystoretools import pbe

    parts = der.parse(octets, limits=budget.limits, allow_trailing=True).sequence(2, "encrypted private key")
    plain = pbe.decrypt(parts[0], parts[1].octet_string(), password, budget)
    try:
        return read_private_key(plain)
    except (CorruptError, LimitError) as error:  # rubbish may look like anything
        raise _probably_wrong() from error


def _open_dek(key: EncryptedKey, dek_info: str, password: Password) -> PrivateKey:
    name, _, text = dek_info.partition(",")
    name = name.strip().upper()
    if name not in _CIPHERS:
        raise UnsupportedError(f"The key is encrypted with {quoted(name)}, which is not known here.", name=name)
    key_size, block_size = _CIPHERS[name]
    try:
        vector = bytes.fromhex(text.strip())
    except ValueError:
        vector = b""
    if len(vector) != block_size:
        raise CorruptError(
            f"The DEK-Info line of the key must have {2 * block_size} hexadecimal digits after the comma."
        )
    if not key.octets or len(key.octets) % block_size:
        raise CorruptError(f"The encrypted key is damaged: its length is no multiple of {block_size}.")
    plain = _decrypt_cbc(name, _bytes_to_key(password.utf8(), vector[:8], key_size), vector, key.octets)
    pad = plain[-1]
    if not 1 <= pad <= block_size or plain[-pad:] != bytes([pad]) * pad:
        raise _probably_wrong()
    kind = _KIND_OF_LABEL.get(key.label)
    if kind is None:
        raise UnsupportedError(f"The encrypted block {quoted(key.label)} is no private key.", name=key.label)
    try:
        return read_key(kind, plain[:-pad], curve=key.curve)
    except (CorruptError, LimitError) as error:
        raise _probably_wrong() from error


def _probably_wrong() -> WrongKeyPasswordError:
    return WrongKeyPasswordError(
        "The password does not open this private key (probably: the file has no check value that would prove it)."
    )


def _bytes_to_key(password: bytes, salt: bytes, size: int) -> bytes:
    """OpenSSL's EVP_BytesToKey with MD5 and one round."""
    material = block = b""
    while len(material) < size:
        block = hashlib.md5(block + password + salt, usedforsecurity=False).digest()
        material += block
    return material[:size]


def _decrypt_cbc(name: str, key: bytes, vector: bytes, octets: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    try:
        context = Cipher(_algorithm(name, key), modes.CBC(vector)).decryptor()
        return context.update(octets) + context.finalize()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise UnsupportedError(f"The cipher {name} cannot be used on this machine.", name=name) from error


def _algorithm(name: str, key: bytes) -> BlockCipherAlgorithm:
    from cryptography.hazmat.decrepit.ciphers.algorithms import Camellia, TripleDES
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    if name.startswith("DES"):
        return TripleDES(key * 3 if len(key) == 8 else key)  # three equal keys are single DES
    return Camellia(key) if name.startswith("CAMELLIA") else AES(key)

"""Signature algorithms by Java's names, their DER, and the signature itself.

RSA algorithms carry NULL parameters, DSA, ECDSA and EdDSA none.  Sources: RFC 4055, 5758, 8410.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs

from keystoretools import der, oids
from keystoretools.errors import ErrorCode, OperationError, UnsupportedError, quoted
from keystoretools.privatekey import PrivateKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

_OIDS: Final[Mapping[str, tuple[str, str]]] = {
    spelling.upper(): (oid, name)
    for oid, name in oids.SIGNATURES.items()
    for spelling in (name, oid)
    if not name.startswith("MD2")
}
_FAMILIES: Final = {"RSA": "RSA", "DSA": "DSA", "ECDSA": "EC"}
_HASH_OIDS: Final = {
    "SHA256": "2.16.840.1.101.3.4.2.1",
    "SHA384": "2.16.840.1.101.3.4.2.2",
    "SHA512": "2.16.840.1.101.3.4.2.3",
}
_MGF1: Final = "1.2.840.113549.1.1.8"


@attrs.frozen(kw_only=True)
class Scheme:
    """How to sign: `name` as Java prints it, `identifier` the AlgorithmIdentifier, `digest` empty for EdDSA."""

    name: str
    identifier: bytes = attrs.field(repr=False)
    digest: str
    family: str


def default_scheme(key: PrivateKey) -> Scheme:
    """What keytool 17 takes for a key.  Raises UnsupportedError for keys that do not sign."""
    bits = key.bits
    match key.algorithm:
        case "RSA":
            return scheme_named(f"{_digest_for_rsa(bits)}withRSA")
        case "RSASSA-PSS":
            return scheme_named("RSASSA-PSS", bits=bits)
        case "EC":
            digest = "SHA256" if bits <= 256 else "SHA384" if bits <= 384 else "SHA512"
            return scheme_named(f"{digest}withECDSA")
        case "DSA":
            return scheme_named("SHA256withDSA")
        case "Ed25519" | "Ed448":
            return scheme_named(key.algorithm)
    raise UnsupportedError(f"Keys of the kind {key.algorithm} do not sign.", name=key.algorithm)


def scheme_named(name: str, *, bits: int = 0) -> Scheme:
    """The scheme of a Java name, in any case; `bits` of the key choose the digest of RSASSA-PSS, as in Java.

    Raises UnsupportedError.
    """
    found = _OIDS.get(name.upper())
    if found is None:
        raise UnsupportedError(f"There is no signature algorithm {quoted(name)} here.", name=name)
    oid, proper = found
    digest, _, family = proper.partition("with")
    if not family:  # EdDSA, PSS
        if proper == "RSASSA-PSS":
            digest = _digest_for_rsa(bits)
            return Scheme(name=proper, identifier=_pss(digest), digest=digest, family="RSA")
        return Scheme(name=proper, identifier=der.algorithm(oid, None), digest="", family=proper)
    parameters = der.null() if family == "RSA" else None
    return Scheme(name=proper, identifier=der.algorithm(oid, parameters), digest=digest, family=_FAMILIES[family])


def _digest_for_rsa(bits: int) -> str:
    """Of a strength like the key's (FIPS 186-4, as Java has it)."""
    return "SHA256" if bits <= 3072 else "SHA384" if bits <= 7680 else "SHA512"


def _pss(digest: str) -> bytes:
    """RSASSA-PSS with one digest for everything, and a salt of its length."""
    hashed = der.algorithm(_HASH_OIDS[digest])
    return der.sequence(
        der.oid(oids.RSA_PSS),
        der.sequence(
            der.explicit(0, hashed),
            der.explicit(1, der.algorithm(_MGF1, hashed)),
            der.explicit(2, der.integer(int(digest.removeprefix("SHA")) // 8)),
        ),
    )


def sign_octets(octets: bytes, key: PrivateKey, scheme: Scheme) -> bytes:
    """The signature of `octets`.  Raises OperationError key-does-not-match, UnsupportedError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

    signer = key.to_cryptography()
    try:
        if isinstance(signer, rsa.RSAPrivateKey) and scheme.name == "RSASSA-PSS":
            digest = _hash(scheme.digest)
            return signer.sign(octets, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        if isinstance(signer, rsa.RSAPrivateKey) and scheme.family == "RSA":
            return signer.sign(octets, padding.PKCS1v15(), _hash(scheme.digest))
        if isinstance(signer, ec.EllipticCurvePrivateKey) and scheme.family == "EC":
            return signer.sign(octets, ec.ECDSA(_hash(scheme.digest)))
        if isinstance(signer, dsa.DSAPrivateKey) and scheme.family == "DSA":
            return signer.sign(octets, _hash(scheme.digest))
        if isinstance(signer, ed25519.Ed25519PrivateKey) and scheme.family == "Ed25519":
            return signer.sign(octets)
        if isinstance(signer, ed448.Ed448PrivateKey) and scheme.family == "Ed448":
            return signer.sign(octets)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnsupportedError(
            f"The key cannot sign with {scheme.name} here ({type(error).__name__}).", name=scheme.name
        ) from error
    raise OperationError(
        f"A key of the kind {key.algorithm} cannot sign with {scheme.name}.", code=ErrorCode.KEY_DOES_NOT_MATCH
    )


def _hash(name: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    made: HashAlgorithm = getattr(hashes, name.replace("/", "_").replace("-", "_"))()
    return made

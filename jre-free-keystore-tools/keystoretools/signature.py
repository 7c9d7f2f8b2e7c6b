"""Whether one certificate was signed with the key of another.

Reads the octets itself, so that certificates which `cryptography` refuses (keytool's DSA and old EC ones) can be
checked; only the calculation is left to the library, imported when the first signature is checked.
Source: RFC 5280 4.1.1.2, RFC 4055 (RSA-PSS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keystoretools import der, oids
from keystoretools.certificate import Certificate
from keystoretools.errors import KeystoreError
from keystoretools.publickey import PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

_PSS_DEFAULT: Final = "SHA1"
_HASH_OIDS: Final = {
    "1.3.14.3.2.26": "SHA1",
    "2.16.840.1.101.3.4.2.4": "SHA224",
    "2.16.840.1.101.3.4.2.1": "SHA256",
    "2.16.840.1.101.3.4.2.2": "SHA384",
    "2.16.840.1.101.3.4.2.3": "SHA512",
}


def signed_by(certificate: Certificate, issuer: Certificate) -> bool | None:
    """Whether `issuer`'s key made the signature of `certificate`; None when that cannot be calculated here.

    Names, dates and usages are not looked at.  Never raises.
    """
    key = issuer.public_key
    if certificate.problem is not None or key is None:
        return None
    try:
        whole = der.parse(certificate.der, allow_trailing=True).sequence(3)
        body, algorithm, signature = whole[0].raw, whole[1].sequence(1), whole[2].bits()
        return _verify(key.der, algorithm, body, signature)
    except KeystoreError:
        return None


def made_with(key: PublicKey, algorithm: der.Element, octets: bytes, signature: bytes) -> bool | None:
    """Whether `signature` over `octets` was made with that key; None when that cannot be calculated here.

    `algorithm` is the AlgorithmIdentifier beside the signature.  Raises CorruptError when it is none.
    """
    return _verify(key.der, algorithm.sequence(1), octets, signature)


def _verify(key_der: bytes, algorithm: list[der.Element], body: bytes, signature: bytes) -> bool | None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(key_der)
        _check(key, algorithm, body, signature)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm, NotImplementedError):
        return None
    return True


def _check(key: PublicKeyTypes, algorithm: list[der.Element], body: bytes, signature: bytes) -> None:
    """Raises InvalidSignature, or ValueError for what cannot be checked."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, body)
        return
    dotted = algorithm[0].oid()
    if isinstance(key, rsa.RSAPublicKey) and dotted == oids.RSA_PSS:
        digest, salt = _pss_parameters(algorithm)
        key.verify(signature, body, padding.PSS(padding.MGF1(digest), salt), digest)
        return
    digest = _hash(oids.SIGNATURES.get(dotted, "").partition("with")[0])
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, body, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, body, ec.ECDSA(digest))
    elif isinstance(key, dsa.DSAPublicKey):
        key.verify(signature, body, digest)
    else:
        raise ValueError("no signing key")


def _pss_parameters(algorithm: list[der.Element]) -> tuple[HashAlgorithm, int]:
    """Hash and salt length; MGF1 is taken to use the same hash, as everybody does."""
    name, salt = _PSS_DEFAULT, 20
    for field in algorithm[1].sequence() if len(algorithm) > 1 else []:
        inside = field.children()[0]
        if field.tag == der.context(0):
            name = _HASH_OIDS.get(inside.sequence(1)[0].oid(), "")
        elif field.tag == der.context(2):
            salt = inside.integer()
    if not 0 <= salt <= 512:
        raise ValueError("absurd salt length")
    return _hash(name), salt


def _hash(name: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    known: dict[str, type[HashAlgorithm]] = {
        "MD5": hashes.MD5,
        "SHA1": hashes.SHA1,
        "SHA224": hashes.SHA224,
        "SHA256": hashes.SHA256,
        "SHA384": hashes.SHA384,
        "SHA512": hashes.SHA512,
        "SHA512/224": hashes.SHA512_224,
        "SHA512/256": hashes.SHA512_256,
        "SHA3-224": hashes.SHA3_224,
        "SHA3-256": hashes.SHA3_256,
        "SHA3-384": hashes.SHA3_384,
        "SHA3-512": hashes.SHA3_512,
    }
    if name not in known:
        raise ValueError("unknown hash")
    return known[name]()

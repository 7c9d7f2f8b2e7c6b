"""Which algorithms keytool calls weak or disabled, and the words of its warnings.

The two lists are those of JDK 17's `java.security`: disabledAlgorithms (certpath) and legacyAlgorithms.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Final

from keystoretools.certificate import Certificate
from keystoretools.keytool.layout import key_words
from keystoretools.publickey import PublicKey

DISABLED: Final = " (disabled)"
WEAK: Final = " (weak)"

# algorithm: (disabled below, weak below), in bits; those of RSASSA-PSS are not limited there
_SIZES: Final = {"RSA": (1024, 2048), "DSA": (1024, 2048), "EC": (224, 224)}


def signature_mark(algorithm: str) -> str:
    """What stands behind a signature algorithm: " (weak)", " (disabled)" or nothing."""
    digest = algorithm.partition("with")[0]
    return DISABLED if digest in ("MD2", "MD5") else WEAK if digest == "SHA1" else ""


def key_mark(key: PublicKey | None) -> str:
    """The same for a public key."""
    if key is None or not key.bits:
        return ""
    disabled, weak = _SIZES.get(key.algorithm, (0, 0))
    return DISABLED if key.bits < disabled else WEAK if key.bits < weak else ""


def warnings(label: str, certificate: Certificate, *, is_trusted: bool = False) -> Iterator[str]:
    """The lines for one certificate; `label` is its name in the sentence.

    The signature of a certificate that is trusted as it stands does not matter.
    """
    if not is_trusted:
        yield from signature_warnings(label, certificate.signature_algorithm)
    yield from key_warnings(label, certificate.public_key)


def chain_warnings(label: str, chain: Sequence[Certificate], *, trusted: Container[Certificate] = ()) -> Iterator[str]:
    """The lines for several certificates, each numbered when there is more than one."""
    for number, certificate in enumerate(chain, 1):
        numbered = label if len(chain) == 1 else f"{label} #{number} of {len(chain)}"
        yield from warnings(numbered, certificate, is_trusted=certificate in trusted)


def signature_warnings(label: str, algorithm: str) -> Iterator[str]:
    """The line for a signature algorithm, none when it is sound."""
    mark = signature_mark(algorithm)
    if mark == DISABLED:
        yield f"{label} uses the {algorithm} signature algorithm which is considered a security risk and is disabled."
    elif mark:
        yield (
            f"{label} uses the {algorithm} signature algorithm which is considered a security risk."
            " This algorithm will be disabled in a future update."
        )


def key_warnings(label: str, key: PublicKey | None) -> Iterator[str]:
    """The line for a public key, none when it is sound."""
    mark = key_mark(key)
    if key is None or not mark:
        return
    if mark == DISABLED:
        yield f"{label} uses a {key_words(key)} which is considered a security risk and is disabled."
    else:
        yield (
            f"{label} uses a {key_words(key)} which is considered a security risk."
            " This key size will be disabled in a future update."
        )

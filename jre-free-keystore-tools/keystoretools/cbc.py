"""The block ciphers of password-based encryption, in CBC mode with PKCS#5 padding.

AES, 3DES, DES and Camellia come from `cryptography`, RC2 from `keystoretools.rc2`.
Raises CorruptError for lengths that no such cipher gives, WrongKeyPasswordError for bad padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from keystoretools.errors import CorruptError, WrongKeyPasswordError
from keystoretools.limits import check

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, CipherAlgorithm

# Our own RC2 needs 2.4 s for a mebibyte; Java 8 encrypts certificates with it, a hundred make 0.1 MB.
SLOW_CIPHER_BYTES: Final = 2 * 1024 * 1024
# The same in steps of `Budget.work`: hostile files have many such contents.
_RC2_STEPS_PER_BYTE: Final = 6


@attrs.frozen(kw_only=True)
class BlockCipher:
    """A cipher by `name` (aes, 3des, 2des, des, camellia, rc2); sizes in octets, `effective_bits` for RC2."""

    name: str
    key_bytes: int
    block_bytes: int = 8
    effective_bits: int = 0

    @property
    def words(self) -> str:
        """For people: "AES-256", "3DES", "RC2-40"."""
        if self.name == "rc2":
            return f"RC2-{self.effective_bits}"
        return self.name.upper() if "des" in self.name else f"{_TITLES[self.name]}-{8 * self.key_bytes}"


def steps(cipher: BlockCipher, size: int) -> int:
    """What decrypting `size` octets costs the budget; nothing where OpenSSL does it."""
    return size * _RC2_STEPS_PER_BYTE if cipher.name == "rc2" else 0


_TITLES: Final = {"aes": "AES", "camellia": "Camellia"}


def decrypt(cipher: BlockCipher, key: bytes, iv: bytes, octets: bytes) -> bytes:
    """The plain text without its padding."""
    size = cipher.block_bytes
    if len(iv) != size:
        raise CorruptError(f"The encryption is damaged: its initial vector must have {size} octets.")
    if not octets or len(octets) % size:
        raise CorruptError(f"The encrypted octets are damaged: their length is no multiple of {size}.")
    if cipher.name == "rc2":
        from keystoretools import rc2

        check("octets under RC2 with a length", len(octets), SLOW_CIPHER_BYTES)
        padded = rc2.decrypt_cbc(key, cipher.effective_bits, iv, octets)
    else:
        padded = _run(cipher, key, iv, octets, encrypt=False)
    pad = padded[-1]
    if not 1 <= pad <= size or padded[-pad:] != bytes([pad]) * pad:
        raise WrongKeyPasswordError("The password does not open the encrypted octets.")
    return padded[:-pad]


def encrypt(cipher: BlockCipher, key: bytes, iv: bytes, plain: bytes) -> bytes:
    """Padded and encrypted; not for RC2, which nobody should write."""
    pad = cipher.block_bytes - len(plain) % cipher.block_bytes
    return _run(cipher, key, iv, plain + bytes([pad]) * pad, encrypt=True)


def _run(cipher: BlockCipher, key: bytes, iv: bytes, octets: bytes, *, encrypt: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    made = Cipher(_algorithm(cipher, key), modes.CBC(iv))
    context = made.encryptor() if encrypt else made.decryptor()
    return context.update(octets) + context.finalize()


def _algorithm(cipher: BlockCipher, key: bytes) -> CipherAlgorithm | BlockCipherAlgorithm:
    if cipher.name == "aes":
        from cryptography.hazmat.primitives.ciphers.algorithms import AES

        return AES(key)
    if cipher.name == "camellia":
        return _camellia(key)
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

    # Two-key 3DES uses the first key twice; DES is 3DES with one key three times.
    return TripleDES({8: key * 3, 16: key + key[:8], 24: key}[len(key)])


def _camellia(key: bytes) -> BlockCipherAlgorithm:
    from cryptography.hazmat.decrepit.ciphers import algorithms as old
    from cryptography.hazmat.primitives.ciphers import algorithms as current

    found = getattr(old, "Camellia", None) or current.Camellia  # it moved in cryptography 47
    algorithm: BlockCipherAlgorithm = found(key)
    return algorithm

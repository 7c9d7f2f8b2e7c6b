"""RC2 with any effective key length, for reading only: Java 8 still writes RC2-40 into PKCS#12 files.

`cryptography` has no RC2 with 40 effective bits, and OpenSSL 3 hides RC2 in a provider that may be missing.
Source: RFC 2268.
"""

from __future__ import annotations

import struct
from typing import Final

# RFC 2268 section 2: derived from the digits of pi.
_PI: Final = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)


def decrypt_cbc(key: bytes, effective_bits: int, iv: bytes, octets: bytes) -> bytes:
    """The padded plain text of `octets` (a multiple of 8): about 3 s for a mebibyte."""
    expanded = _expand(key, effective_bits)
    out: list[int] = []
    previous = struct.unpack("<4H", iv)
    words = struct.unpack(f"<{len(octets) // 2}H", octets)
    for at in range(0, len(words), 4):
        block = words[at : at + 4]
        out += [plain ^ before for plain, before in zip(_decrypt(expanded, block), previous, strict=True)]
        previous = block
    return struct.pack(f"<{len(out)}H", *out)


def _expand(key: bytes, effective_bits: int) -> tuple[int, ...]:
    """64 words from a key of 1 to 128 octets (section 2)."""
    table = bytearray(key)
    for at in range(len(key), 128):
        table.append(_PI[(table[at - 1] + table[at - len(key)]) & 255])
    size = (effective_bits + 7) // 8
    table[128 - size] = _PI[table[128 - size] & (255 >> (-effective_bits % 8))]
    for at in range(127 - size, -1, -1):
        table[at] = _PI[table[at + 1] ^ table[at + size]]
    return struct.unpack("<64H", bytes(table))


def _decrypt(k: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, int, int, int]:
    """One block of four words (section 4): 16 mixing rounds backwards, mashed after the 5th and 11th."""
    a, b, c, d = block
    for j in range(60, -1, -4):
        d = (d << 11 | d >> 5) & 0xFFFF
        d = (d - k[j + 3] - (c & b) - (~c & a)) & 0xFFFF
        c = (c << 13 | c >> 3) & 0xFFFF
        c = (c - k[j + 2] - (b & a) - (~b & d)) & 0xFFFF
        b = (b << 14 | b >> 2) & 0xFFFF
        b = (b - k[j + 1] - (a & d) - (~a & c)) & 0xFFFF
        a = (a << 15 | a >> 1) & 0xFFFF
        a = (a - k[j] - (d & c) - (~d & b)) & 0xFFFF
        if j in (44, 20):
            d = (d - k[c & 63]) & 0xFFFF
            c = (c - k[b & 63]) & 0xFFFF
            b = (b - k[a & 63]) & 0xFFFF
            a = (a - k[d & 63]) & 0xFFFF
    return a, b, c, d

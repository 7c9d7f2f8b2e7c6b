"""From a good file to a bad one: what disks, editors, mail gateways and attackers do. The same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

Mutator = Callable[[bytearray, random.Random, Sequence[bytes]], None]

# Lengths, counts and signs at their edges; ASN.1 lengths; the magic numbers of the formats.
INTERESTING: Final = (
    b"\x00", b"\x01", b"\x7f", b"\x80", b"\x81", b"\xff", b"\x00\x00", b"\xff\xff", b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x84\xff\xff\xff\xff", b"\x84\x7f\xff\xff\xff",
    b"\x30\x80", b"\x24\x80", b"\x00\x00", b"\x02\x04\x7f\xff\xff\xff", b"\x02\x04\x3b\x9a\xca\x00", b"\x05\x00",
    b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce", b"\xac\xed\x00\x05", b"-----BEGIN ", b"-----END ", b"\r\n",
    b"\xef\xbf\xbd", b"\xc0\x80", b"\xed\xa0\x80",
)  # fmt: skip
MOST_BYTES: Final = 256 * 1024


def flip(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    piece, at = chance.choice(INTERESTING), chance.randrange(len(data))
    data[at : at + len(piece)] = piece


def insert(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice((chance.choice(INTERESTING), chance.randbytes(chance.randrange(1, 40))))


def cut(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    del data[chance.randrange(len(data)) :]


def drop(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice((1, 2, 4, 20, 1000))]


def repeat(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at = chance.randrange(len(data))
    piece = bytes(data[at : at + chance.choice((1, 4, 50, 2000))])
    data[at:at] = piece * chance.choice((1, 2, 20))


def splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    other = chance.choice(others)
    start = chance.randrange(len(other) + 1)
    at = chance.randrange(len(data) + 1)
    data[at:] = other[start:]


def nest(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice((b"\x30\x80", b"\x24\x80", b"\xa0\x80", b"\x31\x82\xff\xff")) * chance.choice(
        (10, 2000)
    )


def text_mode(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    damaged = chance.choice(
        (
            lambda octets: octets.replace(b"\n", b"\r\n"),
            lambda octets: octets.decode("utf-8", "replace").encode("utf-8"),
            lambda octets: octets.decode("latin-1").encode("utf-8"),
            lambda octets: b"\xff\xfe" + octets.decode("latin-1").encode("utf-16-le"),
            lambda octets: octets.replace(b"\0", b""),
        )
    )
    data[:] = damaged(bytes(data))


def edge_number(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """An ASN.1 INTEGER of a plausible place becomes huge: iteration counts, versions, sizes."""
    places = [at for at in range(len(data) - 4) if data[at] == 2 and data[at + 1] in (1, 2, 3, 4)]
    if places:
        at = chance.choice(places)
        size = data[at + 1]
        data[at + 2 : at + 2 + size] = chance.choice((b"\x7f" + b"\xff" * (size - 1), b"\x00" * size, b"\xff" * size))


MUTATORS: Final[tuple[Mutator, ...]] = (
    flip, flip, overwrite, overwrite, insert, cut, drop, repeat, splice, nest, text_mode, edge_number, edge_number,
)  # fmt: skip


def mutated(seeds: Sequence[bytes], seed: int) -> bytes:
    """One bad file; `seed` decides which of `seeds` it was and what happened to it."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if data:
            chance.choice(MUTATORS)(data, chance, seeds)
        del data[MOST_BYTES:]
    return bytes(data)

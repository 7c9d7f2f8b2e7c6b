"""Which key exchange a ClientHello begins with, told in two microseconds: what a handshake will cost hangs on it.

Only a hello that stands wholly in one record is read, as nearly all do. Every length must fit its surroundings, so that
no TLS library reads the same bytes in another way. Source: RFC 8446 sections 4.1.2, 4.2.1 and 4.2.8.
"""

from __future__ import annotations

from typing import Final

X25519: Final = 0x001D
P256: Final = 0x0017
X25519_MLKEM768: Final = 0x11EC

_HANDSHAKE_RECORD: Final = 22
_CLIENT_HELLO: Final = 1
_SUPPORTED_VERSIONS, _KEY_SHARE = 43, 51
_TLS13: Final = b"\x03\x04"
_SESSION_AT: Final = 43
"""After the frames of record and message, the version and 32 random bytes."""


def first_share(first: bytes) -> int:
    """The group of the first key share in a hello that offers TLS 1.3; 0 for all other bytes. Never raises."""
    try:
        return _first_share(first)
    except IndexError:
        return 0


def _first_share(first: bytes) -> int:
    end = len(first)
    if first[0] != _HANDSHAKE_RECORD or first[5] != _CLIENT_HELLO:
        return 0
    if 5 + (first[3] << 8 | first[4]) != end or 9 + (first[6] << 16 | first[7] << 8 | first[8]) != end:
        return 0
    at = _SESSION_AT + 1 + first[_SESSION_AT]
    at += 2 + (first[at] << 8 | first[at + 1])  # ciphers
    at += 1 + first[at]  # compression
    at += 2
    if at + (first[at - 2] << 8 | first[at - 1]) != end:
        return 0
    share = 0
    is_tls13 = False
    while at < end:
        kind, size = first[at] << 8 | first[at + 1], first[at + 2] << 8 | first[at + 3]
        at += 4
        if kind == _KEY_SHARE and size > 4:
            share = first[at + 2] << 8 | first[at + 3]
        elif kind == _SUPPORTED_VERSIONS:
            is_tls13 = (first.find(_TLS13, at + 1, at + size) - at) % 2 == 1
        at += size
    return share if is_tls13 and at == end else 0

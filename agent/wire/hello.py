"""The ClientHello, read by ourselves: what a sender asked for and offered, for the sentence when it goes wrong.

Read only after a failure, from the first bytes of the connection. Never used to decide anything: OpenSSL does that.
Source: RFC 8446 section 4.1.2, RFC 6066 section 3 (server name), RFC 7301 (ALPN), RFC 8701 (GREASE).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

HELLO_BYTES: Final = 16 * 1024
"""As much of a connection's beginning as is kept until its handshake is over. Real hellos have 200 to 2,000 bytes."""

MOST_CIPHERS: Final = 64
MOST_NAME: Final = 255

_HANDSHAKE_RECORD: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME, _GROUPS, _SIGNATURES, _ALPN, _SUPPORTED_VERSIONS = 0, 10, 13, 16, 43

_VERSIONS: Final = {
    0x0002: "SSL 2.0",
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}

_CIPHERS: Final = {
    0x0004: "RSA-RC4-MD5", 0x0005: "RSA-RC4-SHA", 0x000A: "RSA-3DES-SHA", 0x0016: "DHE-RSA-3DES-SHA",
    0x002F: "RSA-AES128-SHA", 0x0033: "DHE-RSA-AES128-SHA", 0x0035: "RSA-AES256-SHA", 0x0039: "DHE-RSA-AES256-SHA",
    0x003C: "RSA-AES128-SHA256", 0x003D: "RSA-AES256-SHA256", 0x0067: "DHE-RSA-AES128-SHA256",
    0x006B: "DHE-RSA-AES256-SHA256", 0x009C: "RSA-AES128-GCM-SHA256", 0x009D: "RSA-AES256-GCM-SHA384",
    0x009E: "DHE-RSA-AES128-GCM-SHA256", 0x009F: "DHE-RSA-AES256-GCM-SHA384",
    0x1301: "TLS_AES_128_GCM_SHA256", 0x1302: "TLS_AES_256_GCM_SHA384", 0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0xC009: "ECDHE-ECDSA-AES128-SHA", 0xC00A: "ECDHE-ECDSA-AES256-SHA", 0xC013: "ECDHE-RSA-AES128-SHA",
    0xC014: "ECDHE-RSA-AES256-SHA", 0xC023: "ECDHE-ECDSA-AES128-SHA256", 0xC024: "ECDHE-ECDSA-AES256-SHA384",
    0xC027: "ECDHE-RSA-AES128-SHA256", 0xC028: "ECDHE-RSA-AES256-SHA384", 0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384", 0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384", 0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
    0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
}  # fmt: skip
"""What senders of the last 15 years offer; others are shown by number. Names as OpenSSL prints them."""

_NOT_CIPHERS: Final = frozenset({0x00FF, 0x5600})
"""Signals in the list of ciphers: secure renegotiation (RFC 5746), version fallback (RFC 7507)."""


@attrs.frozen(kw_only=True)
class ClientHello:
    """What was asked for and offered, newest version first, ciphers in the sender's order.

    `server_name` is empty when none was asked for (as by all who connect to an address). `is_whole` is false when the
    hello was cut off: then what stands here is what came.
    """

    server_name: str = ""
    versions: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()
    is_whole: bool = True


def read_hello(first: bytes) -> ClientHello | None:
    """Read the hello in the first bytes of a connection; None when they are none. Never raises."""
    if len(first) > 4 and first[0] & 0x80 and first[2] == _CLIENT_HELLO:
        return ClientHello(versions=(_version(int.from_bytes(first[3:5], "big")),), is_whole=False)
    message = b"".join(_fragments(first[:HELLO_BYTES]))
    if len(message) < 6 or message[0] != _CLIENT_HELLO:
        return None
    whole = len(message) - 4 >= int.from_bytes(message[1:4], "big")
    reader = _Reader(message[4 : 4 + int.from_bytes(message[1:4], "big")])
    legacy = reader.number(2)
    reader.take(32)
    reader.vector(1)
    ciphers = [code for code in _pairs(reader.vector(2)) if code not in _NOT_CIPHERS and not _is_grease(code)]
    reader.vector(1)
    extensions = dict(_extensions(reader.vector(2)))
    offered = _pairs(extensions.get(_SUPPORTED_VERSIONS, b"")[1:])
    versions = sorted({code for code in offered if not _is_grease(code)}, reverse=True) or [legacy]
    return ClientHello(
        server_name=_server_name(extensions.get(_SERVER_NAME, b"")),
        versions=tuple(_version(code) for code in versions[:8]),
        ciphers=tuple(_CIPHERS.get(code, f"0x{code:04X}") for code in ciphers[:MOST_CIPHERS]),
        alpn=_protocols(extensions.get(_ALPN, b"")),
        is_whole=whole,
    )


class _Reader:
    """Reads on from where it stands; what is missing at the end is missing, without an error."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Bytes with their length in front, itself of `size` bytes."""
        return self.take(self.number(size))


def _fragments(data: bytes) -> Iterator[bytes]:
    """The handshake's bytes inside the records; a hello may be spread over several."""
    reader = _Reader(data)
    while len(reader.data) > 5 and reader.data[0] == _HANDSHAKE_RECORD:
        reader.take(3)
        yield reader.vector(2)


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    reader = _Reader(data)
    while len(reader.data) >= 4:
        kind = reader.number(2)
        yield kind, reader.vector(2)


def _pairs(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]


def _server_name(extension: bytes) -> str:
    reader = _Reader(_Reader(extension).vector(2))
    while len(reader.data) >= 3:
        kind, name = reader.number(1), reader.vector(2)
        if kind == 0:
            return _printable(name)
    return ""


def _protocols(extension: bytes) -> tuple[str, ...]:
    reader = _Reader(_Reader(extension).vector(2))
    found: list[str] = []
    while reader.data and len(found) < 8:
        found.append(_printable(reader.vector(1)))
    return tuple(found)


def _printable(name: bytes) -> str:
    return "".join(chr(byte) if 32 < byte < 127 else "?" for byte in name[:MOST_NAME])


def _is_grease(code: int) -> bool:
    """Reserved values that browsers put in so that servers learn to ignore the unknown (RFC 8701)."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def _version(code: int) -> str:
    return _VERSIONS.get(code, f"version 0x{code:04X}")

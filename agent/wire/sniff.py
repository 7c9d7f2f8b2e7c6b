"""What is being spoken? Told from the first bytes of a connection, before anybody interprets them.

OpenSSL's own detection of plain HTTP missed POST in several releases, so it is not asked. The steps, in this order:

1. Empty lines in front are skipped (RFC 9112 section 2.2), unless the PROXY protocol's second version begins so.
2. A TLS record, its kind and then major version 3: 22 carries a handshake, 21 an alert, others come from the middle.
3. A hello in the form of SSL 2.0: a length with its highest bit set, 1, a version.
4. Beginnings that belong to one protocol only (`_BEGINNINGS`).
5. A word and a blank: HTTP of whatever method, `CONNECT` and the preface of HTTP/2 told apart.
6. Other text is text; everything else is binary.

`recognise` gives None while more bytes are needed to decide. Once it has decided, no further byte changes the verdict:
any split of the input gives the same. It decides within `ENOUGH_BYTES`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class Tongue(enum.StrEnum):
    """What is spoken. The values are stable."""

    TLS = "tls"
    TLS_ALERT = "tls-alert"
    TLS_MIDDLE = "tls-middle"
    SSL2 = "ssl2"
    HTTP = "http"
    CONNECT = "http-connect"
    HTTP2 = "http2"
    PROXY = "proxy-protocol"
    SSH = "ssh"
    SMTP = "smtp"
    SOCKS = "socks"
    RDP = "rdp"
    LDAP = "ldap"
    POSTGRES = "postgresql"
    TELNET = "telnet"
    CORBA = "corba"
    RMI = "java-rmi"
    XML = "xml"
    JSON = "json"
    TEXT = "text"
    BINARY = "binary"

    @property
    def is_http(self) -> bool:
        """Whether an HTTP answer is understood."""
        return self in _HTTP


_HTTP: Final = frozenset({Tongue.HTTP, Tongue.CONNECT, Tongue.HTTP2})

WORDS: Final[Mapping[Tongue, str]] = MappingProxyType(
    {
        Tongue.TLS: "a TLS handshake",
        Tongue.TLS_ALERT: "a TLS alert, the end of a connection that it began elsewhere",
        Tongue.TLS_MIDDLE: "the middle of a TLS connection, without its handshake",
        Tongue.SSL2: "an SSL 2 handshake",
        Tongue.HTTP: "an HTTP request",
        Tongue.CONNECT: "a request to a proxy (CONNECT)",
        Tongue.HTTP2: "HTTP/2 without negotiation; use HTTP/1.1",
        Tongue.PROXY: "the PROXY protocol of a load balancer, which is not switched on here",
        Tongue.SSH: "an SSH client",
        Tongue.SMTP: "a mail client (SMTP)",
        Tongue.SOCKS: "a SOCKS proxy client",
        Tongue.RDP: "a remote desktop client (RDP)",
        Tongue.LDAP: "an LDAP client",
        Tongue.POSTGRES: "a PostgreSQL client",
        Tongue.TELNET: "a telnet client",
        Tongue.CORBA: "a CORBA client",
        Tongue.RMI: "a Java RMI client",
        Tongue.XML: "an XML document without an HTTP request around it",
        Tongue.JSON: "a JSON document without an HTTP request around it",
        Tongue.TEXT: "text that is no HTTP request",
        Tongue.BINARY: "binary data",
    }
)
"""Each tongue in a few words, for a sentence: `what came looks like ...`."""

_BEGINNINGS: Final = (
    (b"SSH-", Tongue.SSH),
    (b"PROXY ", Tongue.PROXY),
    (b"EHLO", Tongue.SMTP),
    (b"HELO", Tongue.SMTP),
    (b"MAIL FROM:", Tongue.SMTP),
    (b"\x03\0\0", Tongue.RDP),
    (b"\x05\x01\0", Tongue.SOCKS),
    (b"\x05\x02\0", Tongue.SOCKS),
    (b"\x04\x01", Tongue.SOCKS),
    (b"\x30\x0c\x02\x01\x01\x60", Tongue.LDAP),
    (b"\0\0\0\x08\x04\xd2\x16\x2f", Tongue.POSTGRES),
    (b"GIOP", Tongue.CORBA),
    (b"JRMI", Tongue.RMI),
    (b"\xff\xfd", Tongue.TELNET),
    (b"\xff\xfb", Tongue.TELNET),
    (b"\xef\xbb\xbf<", Tongue.XML),
    (b"<", Tongue.XML),
    (b"{", Tongue.JSON),
    (b"[", Tongue.JSON),
)
"""None of them is the beginning of another."""

_RECORDS: Final[Mapping[int, Tongue]] = MappingProxyType(
    {20: Tongue.TLS_MIDDLE, 21: Tongue.TLS_ALERT, 22: Tongue.TLS, 23: Tongue.TLS_MIDDLE}
)
"""Kinds of TLS records (RFC 8446 section 5.1): change of ciphers, alert, handshake, data."""

_PROXY2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PREFACE: Final = b"PRI * HTTP/2"
_MOST_EMPTY: Final = 16
_LONGEST_METHOD: Final = 32
"""Of the registered methods the longest is UPDATEREDIRECTREF, 17 characters."""

_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_TEXT: Final = frozenset((*range(9, 14), *range(32, 127)))

ENOUGH_BYTES: Final = 64
"""With so many bytes there is always a verdict."""


def recognise(first: bytes) -> Tongue | None:
    """Say what `first`, all bytes of a connection so far, begins; None while that is open."""
    rest = first.lstrip(b"\r\n")
    if len(rest) < len(first):
        return _after_empty_lines(first, rest)
    return _recognise(first)


def _after_empty_lines(first: bytes, rest: bytes) -> Tongue | None:
    if first.startswith(_PROXY2):
        return Tongue.PROXY
    if len(first) - len(rest) > _MOST_EMPTY:
        return Tongue.TEXT
    if _PROXY2.startswith(first):
        return None
    return _recognise(rest)


def _recognise(first: bytes) -> Tongue | None:
    if not first:
        return None
    if first[0] in _RECORDS:
        return _tls(first)
    if first[0] & 0x80 and (found := _ssl2(first)) is not Tongue.BINARY:
        return found
    is_open = False
    for beginning, tongue in _BEGINNINGS:
        if first.startswith(beginning):
            return tongue
        is_open = is_open or beginning.startswith(first)
    if is_open:
        return None
    return _http(first)


def _tls(first: bytes) -> Tongue | None:
    if len(first) > 1 and first[1] != 3:
        return Tongue.BINARY
    if len(first) < 3:
        return None
    return _RECORDS[first[0]] if first[2] <= 4 else Tongue.BINARY


def _ssl2(first: bytes) -> Tongue | None:
    """Two bytes of length, 1 for the hello, then 0x0002 or 0x03nn. BINARY: not that."""
    pattern = (None, None, (1,), (0, 3))
    for byte, allowed in zip(first, pattern, strict=False):
        if allowed is not None and byte not in allowed:
            return Tongue.BINARY
    return Tongue.SSL2 if len(first) >= len(pattern) else None


def _http(first: bytes) -> Tongue | None:
    """A method is a token of at most 32 characters with a blank behind it."""
    if _PREFACE.startswith(first[: len(_PREFACE)]):
        return Tongue.HTTP2 if len(first) >= len(_PREFACE) else None
    for at, byte in enumerate(first[: _LONGEST_METHOD + 1]):
        if byte == 0x20 and at:
            return Tongue.CONNECT if first[:at].upper() == b"CONNECT" else Tongue.HTTP
        if byte not in _TEXT:
            return Tongue.BINARY
        if byte not in _TOKEN:
            return Tongue.TEXT
    return Tongue.TEXT if len(first) > _LONGEST_METHOD else None

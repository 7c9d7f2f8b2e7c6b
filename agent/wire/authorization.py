"""What a sender shows in its `Authorization` header: the field parsed, nothing judged.

Three schemes: `Basic` (RFC 7617), `Bearer` (RFC 6750, section 2.1) and `HMAC-SHA256`, our own, whose parameters are
named in `agent.wire.signature`. What cannot be read is None: the answer is the same as for wrong credentials.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

import attrs

BASIC: Final = b"basic"
BEARER: Final = b"bearer"
SIGNED: Final = b"hmac-sha256"

MAX_BYTES: Final = 8192
"""Of the whole field: a bearer token of an identity provider has 1 to 2 KiB."""

_TOKEN68: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_PARAMETER: Final = re.compile(rb'\s*([A-Za-z]{1,20})\s*=\s*(?:"([^"\\]*)"|([!#$%&\'*+.^_`|~0-9A-Za-z/=-]*))\s*(?:,|$)')


@attrs.frozen
class Password:
    """User and password of Basic. Both are UTF-8, also where the sender wrote them in Latin-1."""

    user: str
    password: bytes = attrs.field(repr=False)


@attrs.frozen
class Token:
    """A bearer token."""

    token: bytes = attrs.field(repr=False)


@attrs.frozen
class Signature:
    """The parameters of `HMAC-SHA256`: whose key, when (seconds since 1970 UTC), a word used once, and the MAC."""

    key: str
    made_s: int
    nonce: bytes
    mac: bytes = attrs.field(repr=False)


Shown = Password | Token | Signature


def read_authorization(value: bytes) -> Shown | None:
    """Read the field; None where there is none, or nothing that is known here."""
    scheme, _, rest = value.strip(b" \t").partition(b" ")
    if not rest or len(value) > MAX_BYTES:
        return None
    scheme, rest = scheme.lower(), rest.strip(b" \t")
    if scheme == BASIC:
        return _read_basic(rest)
    if scheme == BEARER:
        return Token(rest) if _TOKEN68.fullmatch(rest) else None
    return _read_signature(rest) if scheme == SIGNED else None


def _read_basic(rest: bytes) -> Password | None:
    try:
        # Some senders leave the padding out.
        decoded = base64.b64decode(rest + b"=" * (-len(rest) % 4), validate=True)
    except binascii.Error:
        return None
    user, colon, password = decoded.partition(b":")
    if not colon:
        return None
    return Password(_text(user), _text(password).encode())


def _text(value: bytes) -> str:
    """UTF-8 is announced in the challenge (RFC 7617, section 2.1); old senders use Latin-1 all the same."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _read_signature(rest: bytes) -> Signature | None:
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(rest):
        match = _PARAMETER.match(rest, at)
        if match is None or match[1].lower() in found:
            return None
        found[match[1].lower()] = match[3] if match[2] is None else match[2]
        at = match.end()
    key, made, nonce, mac = (found.get(name, b"") for name in (b"key", b"ts", b"nonce", b"mac"))
    # A timestamp of more digits is none, and Python would take its time with thousands of them.
    if not key or not nonce or len(nonce) > 128 or not made.isdigit() or len(made) > 12 or len(mac) != 64:
        return None
    try:
        return Signature(_text(key), int(made), nonce, bytes.fromhex(mac.decode("ascii")))
    except ValueError:
        return None

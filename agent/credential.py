"""Hashed credentials as they stand in files: made by `iadmin secret`, checked when a sender shows the real ones.

A line is `NAME:HASH`. Passwords, which people choose, are hashed with scrypt (RFC 7914) in the PHC string format:
`$scrypt$ln=14,r=8,p=5$SALT$DIGEST`. Tokens and keys are random and long, so nobody can try them out: for a token one
SHA-256 is enough (`$sha256$DIGEST`), and the key of a signature stands there itself (`$key$BASE64`), because both sides
need it to compute.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

import attrs

LOG_COST: Final = 14
BLOCK_SIZE: Final = 8
PARALLEL: Final = 5
"""N = 2^14, r = 8, p = 5: 16 MiB and a third of a second. One of the equal choices of the OWASP Password Storage Cheat
Sheet, the one that takes the least memory of the agent."""

MAX_MEMORY_BYTES: Final = 64 * 1024 * 1024
MAX_WORK: Final = 2**23
"""Bounds on hashes made elsewhere (128 N r bytes, N r p steps): a line of a file must not stop the agent. The work is
about four seconds, twelve times ours."""

SALT_BYTES: Final = 16
DIGEST_BYTES: Final = 32
LEAST_KEY_BYTES: Final = 16
MAX_NAME: Final = 128

_SCRYPT: Final = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,4}),p=([0-9]{1,4})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})", re.ASCII
)
_TOKEN: Final = re.compile(r"\$sha256\$([0-9a-f]{64})", re.ASCII)
_KEY: Final = re.compile(r"\$key\$([A-Za-z0-9+/]+={0,2})", re.ASCII)


@attrs.frozen
class PasswordHash:
    """A password that cannot be read back."""

    log_cost: int
    block_size: int
    parallel: int
    salt: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)

    @classmethod
    def make(cls, password: bytes, salt: bytes) -> PasswordHash:
        """Hash a password (UTF-8 bytes) with a random salt of `SALT_BYTES`."""
        empty = cls(LOG_COST, BLOCK_SIZE, PARALLEL, salt, bytes(DIGEST_BYTES))
        return attrs.evolve(empty, digest=empty._scrypt(password))

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Read the PHC string; raise `ValueError` with the end of a sentence that begins with the line's place."""
        match = _SCRYPT.fullmatch(text)
        if match is None:
            raise ValueError("is not a hashed password of the form $scrypt$ln=..,r=..,p=..$salt$digest")
        log_cost, block_size, parallel = map(int, match.group(1, 2, 3))
        if not (1 <= log_cost <= 24 and block_size and parallel):
            raise ValueError("is a hashed password with costs that scrypt does not have")
        if 128 * block_size << log_cost > MAX_MEMORY_BYTES or (block_size * parallel) << log_cost > MAX_WORK:
            raise ValueError("is a hashed password whose check would take too much time or memory; make it anew")
        return cls(log_cost, block_size, parallel, _plain64(match[4]), _plain64(match[5]))

    def __str__(self) -> str:
        costs = f"ln={self.log_cost},r={self.block_size},p={self.parallel}"
        return f"$scrypt${costs}${_text64(self.salt)}${_text64(self.digest)}"

    def matches(self, password: bytes) -> bool:
        """Compare in constant time. Takes a third of a second, in which other threads go on."""
        return hmac.compare_digest(self._scrypt(password), self.digest)

    def _scrypt(self, password: bytes) -> bytes:
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=1 << self.log_cost,
            r=self.block_size,
            p=self.parallel,
            # What OpenSSL counts: V, B and two blocks of work.
            maxmem=128 * self.block_size * ((1 << self.log_cost) + self.parallel + 4),
            dklen=len(self.digest),
        )


def hash_token(token: str) -> str:
    """Return what a file keeps of a token."""
    return f"$sha256${hashlib.sha256(token.encode()).hexdigest()}"


def parse_token(text: str) -> bytes:
    """Return the digest of a token from its line; raise `ValueError` like `PasswordHash.parse`."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise ValueError("is not a hashed token of the form $sha256$ and 64 hexadecimal digits")
    return bytes.fromhex(match[1])


def show_key(key: bytes) -> str:
    """Return the key of a signature as files keep it."""
    return f"$key${base64.b64encode(key).decode('ascii')}"


def parse_key(text: str) -> bytes:
    """Return the key of a signature from its line; raise `ValueError` like `PasswordHash.parse`."""
    match = _KEY.fullmatch(text)
    try:
        key = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        key = b""
    if match is None or not key:
        raise ValueError("is not a key of the form $key$ and base64")
    if len(key) < LEAST_KEY_BYTES:
        raise ValueError(f"is a key of {len(key)} bytes; fewer than {LEAST_KEY_BYTES} can be guessed")
    return key


def _text64(data: bytes) -> str:
    """Base64 as the PHC string format has it: without padding."""
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _plain64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("is a hashed password whose base64 is damaged") from None

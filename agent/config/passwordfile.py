"""Password files as `iapassword` writes them: sealed with the key of the home. Pure: octets and key are given.

A file is one line, `iapassword:1:` and base64 of a nonce, the ciphertext and its tag (AES-256-GCM; the beginning of the
line is authenticated with it). The nonce is random, so equal passwords give different files; the text is padded, so
that its length does not show. The key is 32 random octets, in hexadecimal digits, in `conf/.iakey` or in a credential
of the service.

The original's files are one line of base64, without an end of the line, of blocks of 8 octets: Triple DES with a key
that is in its program and not known. They are recognised, and cannot be read.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Callable
from os import urandom
from typing import Final

from agent.config.passwords import MAX_PASSWORD_FILE_BYTES, password_in
from agent.secret import Secret

MARK: Final = b"iapassword:1:"
ANY_VERSION: Final = b"iapassword:"
KEY_NAME: Final = ".iakey"
"""In `conf/`."""
CREDENTIAL: Final = "iapassword-key"
"""In `$CREDENTIALS_DIRECTORY`; it comes before the file in `conf/`."""
KEY_BYTES: Final = 32
MAX_KEY_FILE_BYTES: Final = 1024
NONCE_BYTES: Final = 12
PAD_BYTES: Final = 64
BLOCK_BYTES: Final = 8
MAX_PASSWORD_CHARACTERS: Final = 512
"""Sealed and in base64 that is less than a password file may have."""

_OLD: Final = re.compile(rb"(?![0-9a-fA-F]+\Z)[A-Za-z0-9+/]+={0,2}")
"""Not hexadecimal digits alone: that is how tokens are written, and base64 of blocks never comes out so."""


class FileKind(enum.Enum):
    """Who wrote a password file."""

    SEALED = "ours"
    OLD = "the original's"
    PLAIN = "plain text"


def kind_of(data: bytes, *, may_be_plain: bool) -> FileKind:
    """Say what a password file is, by its form.

    A token of 32 characters looks like a file of the original. Where plain files are usual (`may_be_plain`), one that
    ends its line is plain: editors do that, and the original does not.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    if text.startswith(ANY_VERSION):
        return FileKind.SEALED
    line = text.rstrip(b"\r\n")
    if line != text and may_be_plain:
        return FileKind.PLAIN
    return FileKind.OLD if _is_old(line) else FileKind.PLAIN


def secret_in(data: bytes, key: Callable[[], bytes], *, may_be_plain: bool, name: str) -> Secret:
    """Return the secret in a password file; plain files only count where they are usual.

    `name` is the file as `iapassword --file` takes it. `key()` gives the key of the home, and raises `ValueError` where
    there is none; it is asked for sealed files only.
    Raises `ValueError` with the end of a sentence that begins with the file's name, and never repeats the content.
    """
    kind = kind_of(data, may_be_plain=may_be_plain)
    if kind is FileKind.SEALED:
        return unseal(data, key(), name=name)
    if kind is FileKind.OLD:
        if may_be_plain:
            raise ValueError(
                "looks like an encrypted file of the original agent, whose key nobody has; enter the secret again "
                f"({_remedy(name)}), or end its line if this is the secret itself"
            )
        raise ValueError(
            f"is an encrypted file of the original agent, whose key nobody has; enter the secret again: {_remedy(name)}"
        )
    if not may_be_plain:
        raise ValueError(f"is not encrypted; take the secret out of it, and enter it with: {_remedy(name)}")
    return Secret(password_in(data))


def seal(password: str, key: bytes, *, random: Callable[[int], bytes] = urandom) -> bytes:
    """Return the content of a password file. Raises `ValueError` for what is no password, without repeating it."""
    if not password:
        raise ValueError("the password is empty")
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise ValueError(f"the password has {len(password)} characters, at most {MAX_PASSWORD_CHARACTERS} are allowed")
    if any(ord(c) < 32 or ord(c) == 127 for c in password):
        raise ValueError("the password has a control character in it")
    try:
        text = password.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("the password is not UTF-8 text") from None
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # as in `unseal`

    nonce = random(NONCE_BYTES)
    padded = text + bytes(-len(text) % PAD_BYTES)
    return MARK + base64.b64encode(nonce + AESGCM(key).encrypt(nonce, padded, MARK)) + b"\n"


def unseal(data: bytes, key: bytes, *, name: str) -> Secret:
    """Return the secret in a file of ours; raises as `secret_in` does."""
    # Every configuration is read with this module at hand; only those with a sealed file pay for loading a cipher.
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    line = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not line.startswith(MARK):
        raise ValueError("was written by a newer iapassword; update the agent")
    try:
        sealed = base64.b64decode(line[len(MARK) :], validate=True)
    except binascii.Error:
        sealed = b""
    # Base64 can spell the same octets in several ways; there is only one file for each seal.
    if base64.b64encode(sealed) != line[len(MARK) :]:
        sealed = b""
    try:
        padded = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], MARK)
    except (InvalidTag, ValueError):
        raise ValueError(
            f"was not made with the key of this home, or is damaged; enter the secret again: {_remedy(name)}"
        ) from None
    return Secret(padded.rstrip(b"\0").decode("utf-8"))


def show_key(key: bytes) -> bytes:
    """Return the content of a key file."""
    return key.hex().encode("ascii") + b"\n"


def read_key(data: bytes) -> bytes:
    """Return the key in a key file; raise `ValueError` with the end of a sentence that begins with the file's name."""
    try:
        key = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"is not the key of a home: {2 * KEY_BYTES} hexadecimal digits")
    return key


def _remedy(name: str) -> str:
    return f"iapassword --file {name} --new"


def _is_old(line: bytes) -> bool:
    if not _OLD.fullmatch(line) or len(line) > MAX_PASSWORD_FILE_BYTES:
        return False
    try:
        blocks = base64.b64decode(line, validate=True)
    except binascii.Error:
        return False
    return bool(blocks) and len(blocks) % BLOCK_BYTES == 0

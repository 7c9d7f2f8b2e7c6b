"""Errors in keytool's words.

keytool prints `keytool error: <Java class>: <text>`; scripts look for these texts.  Errors of the library keep their
own sentence too, as a hint of ours: Java's words often name no cause.
"""

from __future__ import annotations

from typing import Final

from keystoretools.detect import Kind, sniff
from keystoretools.errors import (
    CorruptError,
    KeystoreError,
    MangledError,
    NotAKeystoreError,
    TruncatedError,
    WrongKeyPasswordError,
    WrongPasswordError,
)
from keystoretools.model import Format

EXCEPTION: Final = "java.lang.Exception"
IO: Final = "java.io.IOException"
KEYSTORE: Final = "java.security.KeyStoreException"
END_OF_FILE: Final = "java.io.EOFException"
NOT_FOUND: Final = "java.io.FileNotFoundException"
UNRECOVERABLE: Final = "java.security.UnrecoverableKeyException"
ARGUMENT: Final = "java.lang.IllegalArgumentException"


_BAD_PADDING: Final = (
    "Given final block not properly padded. Such issues can arise if a bad key is used during decryption."
)
_WRONG_KEY: Final = {Format.JCEKS: _BAD_PADDING, Format.PKCS12: f"Get Key failed: {_BAD_PADDING}"}
_READABLE: Final = frozenset({Kind.JKS, Kind.JCEKS, Kind.PKCS12, Kind.BKS})


class KeytoolError(Exception):
    """A command that failed: what keytool would print, and a `hint` of ours ("" for none).

    `text` is empty where Java has only the name of the error.
    """

    def __init__(self, text: str, *, java_class: str = EXCEPTION, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.java_class = java_class
        self.hint = hint


class TooManyFailures(Exception):
    """Three wrong answers while a store was to be opened or made: keytool says so on stderr and stops."""


def missing_file(name: str, sentence: str = "") -> KeytoolError:
    """A file that was named and is not there; `sentence` helps when it names one that is."""
    hint = sentence if "Did you mean" in sentence else ""
    return KeytoolError(f"{name} (No such file or directory)", java_class=NOT_FOUND, hint=hint)


def cannot_open(error: KeystoreError, data: bytes, wanted_type: str | None) -> KeytoolError:
    """Why a store does not open; `wanted_type` is what -storetype says, None when it says nothing."""
    kind = sniff(data).kind
    if isinstance(error, WrongPasswordError):
        text = (
            "Keystore was tampered with, or password was incorrect"
            if kind in (Kind.JKS, Kind.JCEKS)
            else "keystore password was incorrect"
        )
        return KeytoolError(text, java_class=IO)
    if kind in (Kind.JKS, Kind.JCEKS) and isinstance(error, CorruptError) and "integrity" in error.sentence:
        return KeytoolError("Keystore was tampered with, or password was incorrect", java_class=IO, hint=error.sentence)
    if isinstance(error, NotAKeystoreError | MangledError) or kind not in _READABLE:
        if wanted_type == "PKCS12":
            found = not_pkcs12(data)
            return KeytoolError(found.text, java_class=found.java_class, hint=error.sentence)
        if wanted_type is None:
            text, java_class = "Unrecognized keystore format. Please load it with a specified type", KEYSTORE
        else:
            text, java_class = "Invalid keystore format", IO
        return KeytoolError(text, java_class=java_class, hint=error.sentence)
    if isinstance(error, TruncatedError):
        return KeytoolError("", java_class=END_OF_FILE, hint=error.sentence)
    return KeytoolError("The keystore cannot be read", java_class=IO, hint=error.sentence)


def not_pkcs12(data: bytes) -> KeytoolError:
    """What Java says of a file that it was told to read as PKCS#12: it takes any two octets for tag and length."""
    size = data[1] if len(data) > 1 else 0
    if size & 0x80 and not 0x80 < size < 0x85:
        return KeytoolError(f"DerInputStream.getLength(): lengthTag={size & 0x7F}, too big.", java_class=IO)
    octets = size & 0x7F if size & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + octets], "big") if octets else size
    if 2 + octets + length > len(data):
        return KeytoolError("", java_class=END_OF_FILE)
    return KeytoolError(f"toDerInputStream rejects tag type {data[0] if data else 0}", java_class=IO)


def of_library(error: KeystoreError, store: Format | None = None) -> KeytoolError:
    """Any other error of the library; `store` is where the key lies that does not open."""
    if isinstance(error, WrongKeyPasswordError):
        text = "Cannot recover key" if store is None else _WRONG_KEY.get(store, "Cannot recover key")
        return KeytoolError(text, java_class=UNRECOVERABLE, hint=error.sentence)
    return KeytoolError(error.sentence, java_class=KEYSTORE)

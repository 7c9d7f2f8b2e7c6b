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

EXCEPTION: Final = "java.lang.Exception"
IO: Final = "java.io.IOException"
KEYSTORE: Final = "java.security.KeyStoreException"
NOT_FOUND: Final = "java.io.FileNotFoundException"
UNRECOVERABLE: Final = "java.security.UnrecoverableKeyException"
ARGUMENT: Final = "java.lang.IllegalArgumentException"


_READABLE: Final = frozenset({Kind.JKS, Kind.JCEKS, Kind.PKCS12, Kind.BKS})


class KeytoolError(Exception):
    """A command that failed: what keytool would print, and a `hint` of ours ("" for none)."""

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
        if wanted_type is None:
            text, java_class = "Unrecognized keystore format. Please load it with a specified type", KEYSTORE
        elif wanted_type == "PKCS12":
            text, java_class = f"toDerInputStream rejects tag type {data[0] if data else 0}", IO
        else:
            text, java_class = "Invalid keystore format", IO
        return KeytoolError(text, java_class=java_class, hint=error.sentence)
    if isinstance(error, TruncatedError):
        return KeytoolError("The keystore is cut off", java_class="java.io.EOFException", hint=error.sentence)
    return KeytoolError("The keystore cannot be read", java_class=IO, hint=error.sentence)


def of_library(error: KeystoreError) -> KeytoolError:
    """Any other error of the library."""
    if isinstance(error, WrongKeyPasswordError):
        return KeytoolError("Cannot recover key", java_class=UNRECOVERABLE, hint=error.sentence)
    return KeytoolError(error.sentence, java_class=KEYSTORE)

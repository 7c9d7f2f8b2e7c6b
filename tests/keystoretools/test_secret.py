"""secret: values never show themselves, encodings are those of the formats."""

from __future__ import annotations

import pickle

import pytest

from keystoretools import OperationError, Password, PrivateKeyEntry, SecretBytes
from tests.keystoretools.material import identity


def test_nothing_shows_the_value() -> None:
    """repr, str and format of a password, key octets and everything that holds them are blank."""
    password, octets = Password("alarmpoint"), SecretBytes(b"alarmpoint")
    entry = PrivateKeyEntry(alias="a", key=identity()[0], key_password=password)
    for shown in (repr(password), str(octets), f"{password}", repr(entry)):
        assert "alarmpoint" not in shown
    assert identity()[0].pkcs8.reveal().hex()[:40] not in repr(entry)
    for value in (password, octets):
        with pytest.raises(TypeError):
            pickle.dumps(value)


def test_encodings() -> None:
    """JKS takes UTF-16, PKCS#12 adds two zero octets, PBKDF2 takes UTF-8."""
    password = Password("é")
    assert (password.utf16be(), password.bmp(), password.utf8()) == (b"\0\xe9", b"\0\xe9\0\0", b"\xc3\xa9")


@pytest.mark.parametrize("text", ["pässwort", "tab\t", "\x7f"])
def test_java_wants_printable_ascii(text: str) -> None:
    """What Java cannot take for PKCS#12 is refused by writers, without showing it."""
    with pytest.raises(OperationError) as caught:
        Password(text).require_printable_ascii("a test")
    assert (caught.value.code, text in caught.value.sentence) == ("password-not-ascii", False)
    Password("a b~!").require_printable_ascii("a test")

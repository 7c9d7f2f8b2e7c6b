"""agent.gateway.passwords: which password is tried on what, in which order."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from agent.config.tls import TlsConfig
from agent.errors import OperatorError
from agent.gateway.passwords import Passwords
from agent.secret import Secret
from agent.storepassword import StorePassword
from tests.support.tls import MemoryDisk

GIVEN = StorePassword(secret=Secret("given"), origin="$IA_KEYSTORE_PASSWORD")
DISK = MemoryDisk({"file": b"from file\r\nsecond line\n", "old": b"caf\xe9\n"})


def test_a_keystore_has_one_password() -> None:
    """The named file's, else the one that was given, else the default; each is named for the sentence."""
    own, bare = Passwords(read=DISK.read, given=GIVEN), Passwords(read=DISK.read)
    tried = [own.for_keystore(PurePath("file")), own.for_keystore(None), bare.for_keystore(None)]
    assert [
        ("from file", "the password in file", False),
        ("given", "the password of $IA_KEYSTORE_PASSWORD", False),
        ("alarmpoint", "the default password", True),
    ] == [(one.password.reveal(), one.words, one.is_default) for one in tried]


def test_a_truststore_is_tried_with_all() -> None:
    """There is no secret in it."""
    tried = Passwords(read=DISK.read, given=GIVEN).for_truststore(PurePath("file"))
    assert ["from file", "given", "alarmpoint", "changeit"] == [one.reveal() for one in tried]


def test_a_key_is_opened_by_what_is_named_for_it() -> None:
    """The passphrase in the configuration, or the file; never the keystore's."""
    passwords = Passwords(read=DISK.read, given=GIVEN)
    said = [
        passwords.for_key(TlsConfig()),
        passwords.for_key(TlsConfig(passphrase=Secret("inline"))),
        passwords.for_key(TlsConfig(passphrase_file=PurePath("file"))),
    ]
    assert [[], ["inline"], ["from file"]] == [[one.reveal() for one in each] for each in said]


def test_a_file_may_be_sealed() -> None:
    """Whoever opens it is given its path and content; what it says of a file it cannot open becomes a sentence."""

    def opened(path: PurePath, data: bytes) -> Secret:
        if data.startswith(b"from"):
            return Secret(f"{path} unsealed")
        raise ValueError("does not open with the key of this home")

    passwords = Passwords(read=DISK.read, opened=opened)
    assert "file unsealed" == passwords.in_file(PurePath("file")).reveal()
    with pytest.raises(OperatorError, match="the password file old does not open with the key of this home"):
        passwords.in_file(PurePath("old"))


def test_a_file_that_is_no_text_is_told() -> None:
    """By its name, never by its content."""
    with pytest.raises(OperatorError, match="the password file old is not UTF-8 text"):
        Passwords(read=DISK.read).in_file(PurePath("old"))

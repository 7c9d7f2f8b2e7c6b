"""javaprotection: the key protections of JKS and JCEKS, there and back."""

from __future__ import annotations

import contextlib
import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    Budget,
    CorruptError,
    KeystoreError,
    LimitError,
    OperationError,
    Password,
    WrongKeyPasswordError,
    der,
)
from keystoretools.javaprotection import (
    open_jceks_octets,
    open_jks_key,
    protect_jceks_octets,
    protect_jks_key,
)

SECRET = Password("alarmpoint")


@given(st.binary(max_size=100), st.text(max_size=10))
def test_jks_there_and_back(plain: bytes, text: str) -> None:
    """Any octets under any text, lone surrogates included."""
    assert plain == open_jks_key(protect_jks_key(plain, Password(text), os.urandom), Password(text), Budget())


def test_jks_by_its_definition() -> None:
    """salt | plain XOR SHA1(P salt) SHA1(P k1) ... | SHA1(P plain)."""
    password, salt, plain = "a".encode("utf-16-be"), bytes(20), bytes(30)
    first = hashlib.sha1(password + salt).digest()
    stream = first + hashlib.sha1(password + first).digest()
    octets = salt + stream[:30] + hashlib.sha1(password + plain).digest()
    assert octets == protect_jks_key(plain, Password("a"), bytes)
    assert plain == open_jks_key(octets, Password("a"), Budget())


def test_jks_wrong_passwords_are_certain() -> None:
    """The check value tells, also after a change of one octet."""
    octets = protect_jks_key(b"key", SECRET, os.urandom)
    for password, given_octets in [("wrong", octets), ("alarmpoint", octets[:-1] + bytes([octets[-1] ^ 1]))]:
        with pytest.raises(WrongKeyPasswordError):
            open_jks_key(given_octets, Password(password), Budget())
    with pytest.raises(CorruptError):
        open_jks_key(octets[:39], SECRET, Budget())
    with pytest.raises(LimitError):
        open_jks_key(bytes(2 << 20), SECRET, Budget())


@pytest.mark.parametrize("salt", [b"saltsalt", b"saltpepp"])
def test_jceks_there_and_back(salt: bytes) -> None:
    """Also with the two halves of the salt equal, where the first is reversed."""
    octets, parameters = protect_jceks_octets(b"key", SECRET, lambda size: salt[:size], iterations=20)
    assert b"key" == open_jceks_octets(octets, parameters, SECRET, Budget())
    assert [salt, 20] == [(p := der.parse(parameters).sequence(2))[0].octet_string(), p[1].integer()]


def test_jceks_wants_ascii() -> None:
    """Java could not open it otherwise."""
    with pytest.raises(OperationError):
        protect_jceks_octets(b"key", Password("ü"), os.urandom)


def parameters(count: int, salt: bytes = b"saltsalt") -> bytes:
    return der.sequence(der.octet_string(salt), der.integer(count))


@pytest.mark.parametrize(
    ("octets", "given_parameters", "error"),
    [
        (bytes(16), parameters(10**9), LimitError),
        (bytes(16), parameters(0), LimitError),
        (bytes(16), parameters(1, b"short"), CorruptError),
        (bytes(15), parameters(1), CorruptError),
        (b"", parameters(1), CorruptError),
        (bytes(16), der.sequence(), CorruptError),
        (bytes(2 << 20), parameters(1), LimitError),
    ],
)
def test_jceks_checks_before_it_calculates(octets: bytes, given_parameters: bytes, error: type[KeystoreError]) -> None:
    """Counts, salts and lengths; the alias is named."""
    with pytest.raises(error):
        open_jceks_octets(octets, given_parameters, SECRET, Budget(), alias="a")


@given(st.binary(min_size=8, max_size=64))
def test_jceks_rubbish_is_a_wrong_password_or_rubbish(octets: bytes) -> None:
    """There is no integrity check: bad padding is told, the rest is for the caller to see."""
    with contextlib.suppress(WrongKeyPasswordError, CorruptError):
        assert len(open_jceks_octets(octets, parameters(1), SECRET, Budget())) < len(octets)

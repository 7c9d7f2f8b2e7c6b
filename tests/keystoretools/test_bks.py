"""bks: BouncyCastle's stores are read with their check, and only read."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import (
    Budget,
    CorruptError,
    Format,
    KeystoreError,
    LimitError,
    Password,
    PrivateKey,
    PrivateKeyEntry,
    SecretKey,
    SecretKeyEntry,
    TruncatedError,
    WrongKeyPasswordError,
    WrongPasswordError,
    der,
    pbe,
)
from keystoretools.bks import open_sealed, read_bks
from keystoretools.octets import counted, utf
from keystoretools.pkcs12kdf import Purpose, derive
from keystoretools.profiles import LEGACY
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity

V2 = (SAMPLES / "bks/v2.bks").read_bytes()
KEY, CERTIFICATE = identity()
SECRET = Password("changeit")


def _u4(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _store(*entries: bytes, version: int = 2, iterations: int = 1000, password: Password = SECRET) -> bytes:
    salt, content = bytes(range(20)), b"".join(entries) + b"\0"
    key = derive(Purpose.MAC, password.bmp(), salt, iterations, 20 if version == 2 else 2)
    mac = hmac.new(key, content, hashlib.sha1).digest()
    return _u4(version) + counted(salt) + _u4(iterations) + content + mac


def _entry(kind: int, alias: str, payload: bytes, chain: int = 0) -> bytes:
    certificates = (utf("X.509") + counted(CERTIFICATE.der)) * chain
    return bytes([kind]) + utf(alias) + (1_700_000_000_000).to_bytes(8, "big") + _u4(chain) + certificates + payload


def _clear(kind: int, algorithm: str, octets: bytes) -> bytes:
    return bytes([kind]) + utf("PKCS#8" if kind == 0 else "RAW") + utf(algorithm) + counted(octets)


def _sealed(plain: bytes, password: str) -> bytes:
    identifier, octets = pbe.encrypt(plain, Password(password), LEGACY, os.urandom)
    salt, iterations = der.parse(identifier).sequence()[1].sequence()
    return counted(counted(salt.octet_string()) + _u4(iterations.integer()) + octets)


PRIVATE = _clear(0, "EC", KEY.pkcs8.reveal())


def test_recorded_store() -> None:
    """Aliases, dates, kinds, chains, keys and secrets are those that Java read."""
    (item,) = [one for one in manifest() if one["file"] == "bks/v2.bks"]
    store = read_bks(V2, SECRET, Budget())
    assert (store.format, store.version, store.verified, store.notes) == (Format.BKS, 2, True, ())
    for entry, expected in zip(store, item["entries"], strict=True):
        assert (entry.alias, type(entry).__name__, entry.created_ms) == (
            expected["alias"],
            expected["kind"],
            expected["created_ms"],
        )
        if isinstance(entry, PrivateKeyEntry):
            key = store.unlock(entry.alias)
            assert isinstance(key, PrivateKey)
            assert key.public_key.sha256.hex() == expected["key_spki_sha256"]
            assert [one.sha256.hex() for one in entry.chain] == [one["sha256"] for one in expected["chain"]]
        elif isinstance(entry, SecretKeyEntry):
            secret = store.unlock(entry.alias)
            assert isinstance(secret, SecretKey)
            assert (secret.algorithm, secret.raw.reveal().hex()) == (expected["key_alg"], expected["secret_hex"])


def test_without_a_password_it_is_listed() -> None:
    """Entries are there, unverified, with their keys locked."""
    store = read_bks(V2, None, Budget())
    assert ([entry.alias for entry in store], store.verified) == (["ca", "ec", "aes", "mykey"], False)


def test_wrong_passwords() -> None:
    """A wrong store password and a wrong key password are told apart."""
    with pytest.raises(WrongPasswordError):
        read_bks(V2, Password("other"), Budget())
    with pytest.raises(WrongKeyPasswordError):
        read_bks(V2, SECRET, Budget()).unlock("mykey", "other")


def test_every_kind_of_entry() -> None:
    """Clear and sealed keys, also private ones without certificates; foreign octets are named and left out."""
    data = _store(
        _entry(1, "ca", utf("X.509") + counted(CERTIFICATE.der)),
        _entry(2, "clear", PRIVATE, 1),
        _entry(2, "clear-secret", _clear(2, "AES", bytes(16))),
        _entry(2, "public", _clear(1, "EC", b"")),
        _entry(3, "foreign", counted(b"rubbish")),
        _entry(4, "apart", _sealed(PRIVATE, "other1"), 1),
        _entry(4, "bare", _sealed(PRIVATE, "changeit")),
    )
    store = read_bks(data, SECRET, Budget())
    kinds = {entry.alias: type(entry).__name__ for entry in store}
    assert kinds == {
        "ca": "TrustedCertificateEntry",
        "clear": "PrivateKeyEntry",
        "clear-secret": "SecretKeyEntry",
        "apart": "PrivateKeyEntry",
        "bare": "PrivateKeyEntry",
    }
    assert [note.alias for note in store.notes] == ["public", "foreign"]
    assert store.unlock("clear") == store.unlock("bare") == store.unlock("apart", "other1") == KEY
    assert store.locked_apart() == ("apart",)


def test_version_1_has_a_short_mac_key() -> None:
    """Version 1 is read; a wrong password is still noticed (but for one in 65 536)."""
    data = _store(_entry(2, "k", PRIVATE, 1), version=1)
    assert read_bks(data, SECRET, Budget()).version == 1
    with pytest.raises(WrongPasswordError):
        read_bks(data, Password("other"), Budget())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (_store(iterations=1)[:28] + _u4(10**9) + bytes(21), LimitError),
        (_u4(2) + _u4(2**31 - 1) + bytes(50), LimitError),
        (_u4(2) + _u4(-1 & 0xFFFFFFFF) + bytes(50), CorruptError),
        (_store(_entry(9, "x", b"")), CorruptError),
        (_store(bytes([4]) + utf("x") + bytes(8) + _u4(2**31 - 1)), LimitError),
        (_store(bytes([4]) + utf("x") + bytes(8) + _u4(2**32 - 1)), CorruptError),
        (_store(_entry(4, "x", _u4(2**30))), LimitError),
        (V2[:300], TruncatedError),
        (_u4(3) + bytes(40), KeystoreError),
    ],
)
def test_hostile_numbers(data: bytes, error: type[KeystoreError]) -> None:
    """Absurd lengths, counts and kinds are refused before anything is allocated or calculated."""
    with pytest.raises(error):
        read_bks(data, SECRET, Budget())


def test_a_sealed_key_with_an_absurd_count_is_listed() -> None:
    """One hostile key does not hide the others; opening it is refused."""
    sealed = counted(counted(bytes(20)) + _u4(10**9) + bytes(40))
    store = read_bks(_store(_entry(4, "bad", sealed, 1), _entry(2, "good", PRIVATE, 1)), SECRET, Budget())
    assert [entry.alias for entry in store] == ["bad", "good"]
    with pytest.raises(LimitError):
        store.unlock("bad")


@given(st.data())
def test_damage_gives_only_our_errors(draw: st.DataObject) -> None:
    """Cut or changed anywhere: a store, or one of the package's errors."""
    data = bytearray(V2[: draw.draw(st.integers(0, len(V2)))])
    for _ in range(draw.draw(st.integers(0, 3)) if data else 0):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    for password in (None, SECRET):
        try:
            store = read_bks(bytes(data), password, Budget())
        except KeystoreError:
            continue
        assert len(store) <= 4


@given(st.binary(max_size=80))
def test_sealed_rubbish(octets: bytes) -> None:
    """No sealed octets raise anything but the package's errors."""
    with pytest.raises(KeystoreError):
        open_sealed(octets[:40] and b"\0\0\0\x08" + bytes(8) + _u4(1) + octets, SECRET, Budget())

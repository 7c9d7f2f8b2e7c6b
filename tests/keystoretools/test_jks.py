"""jks: JKS and JCEKS as Java writes them, and as Java reads them back."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import (
    PORTABLE,
    CorruptError,
    Format,
    Keystore,
    KeystoreError,
    LimitError,
    OperationError,
    Password,
    PrivateKeyEntry,
    SecretBytes,
    SecretKey,
    SecretKeyEntry,
    TruncatedError,
    TrustedCertificateEntry,
    WrongKeyPasswordError,
    WrongPasswordError,
    open_keystore,
    save_keystore,
)
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity

ITEMS = [item for item in manifest() if item.get("type") in ("JKS", "JCEKS") and item["should_open"]]
PASSWORD = "changeit"


def small_store(kind: Format = Format.JCEKS) -> Keystore:
    """One entry of each kind the format can hold."""
    key, certificate = identity()
    store = Keystore(format=kind, password=Password(PASSWORD))
    store = store.add(PrivateKeyEntry(alias="server", key=key, chain=(certificate,), created_ms=1_700_000_000_123))
    store = store.add(TrustedCertificateEntry(alias="ca", certificate=certificate, created_ms=-5))
    if kind is Format.JCEKS:
        secret = SecretKey(algorithm="AES", raw=SecretBytes(bytes(range(16))))
        stored = SecretKey(algorithm="PBEWithMD5AndDES", raw=SecretBytes(b"hunter2"))
        store = store.add(SecretKeyEntry(alias="aes", key=secret, created_ms=0))
        store = store.add(SecretKeyEntry(alias="password", key=stored, created_ms=1))
    return store


JKS = save_keystore(small_store(Format.JKS))
JCEKS = save_keystore(small_store(Format.JCEKS), profile=attrs.evolve(PORTABLE, jceks_iterations=20))


@pytest.mark.parametrize("item", ITEMS, ids=[item["file"] for item in ITEMS])
def test_recorded_stores_read_as_java_reads_them(item: dict[str, Any]) -> None:
    """Aliases, kinds, dates, certificates and keys are those that Java found."""
    store = open_keystore((SAMPLES / item["file"]).read_bytes(), item["storepass"])
    assert store.verified
    expected = {entry["alias"]: entry for entry in item["entries"]}
    assert {entry.alias for entry in store} == set(expected)
    for entry in store:
        wanted = expected[entry.alias]
        assert (type(entry).__name__, entry.created_ms) == (wanted["kind"], wanted["created_ms"])
        if isinstance(entry, TrustedCertificateEntry):
            assert entry.certificate.sha256.hex() == wanted["chain"][0]["sha256"]
        elif isinstance(entry, PrivateKeyEntry):
            assert [one.sha256.hex() for one in entry.chain] == [one["sha256"] for one in wanted["chain"]]
            key = store.unlock(entry.alias, item["keypass"].get(entry.alias))
            assert hashlib.sha256(key.pkcs8.reveal()).hexdigest() == wanted["key_sha256"]
        else:
            secret = store.unlock(entry.alias)
            assert (secret.algorithm, secret.raw.reveal().hex()) == (wanted["key_alg"], wanted["secret_hex"])


@pytest.mark.parametrize("item", ITEMS, ids=[item["file"] for item in ITEMS])
def test_untouched_stores_are_written_octet_for_octet(item: dict[str, Any]) -> None:
    """Reading and saving a version 2 store gives the same file, keys of unknown password included."""
    data = (SAMPLES / item["file"]).read_bytes()
    store = open_keystore(data, item["storepass"])
    if store.version == 2:
        assert save_keystore(store) == data
    else:
        assert save_keystore(open_keystore(save_keystore(store), item["storepass"])) == save_keystore(store)


@pytest.mark.parametrize("kind", [Format.JKS, Format.JCEKS])
def test_the_real_keytool_reads_what_is_written(
    kind: Format, tmp_path: Path, keytool: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """keytool lists every entry, and opens every key when it copies them to a PKCS#12 store."""
    path = tmp_path / "store"
    path.write_bytes(save_keystore(small_store(kind)))
    copy = keytool(
        *("-importkeystore", "-noprompt", "-srckeystore", str(path), "-srcstorepass", PASSWORD),
        *("-srcstoretype", kind.value, "-destkeystore", str(tmp_path / "copy.p12")),
        *("-deststoretype", "PKCS12", "-deststorepass", PASSWORD),
    )
    count = len(small_store(kind))
    assert f"{count} entries successfully imported, 0 entries failed" in copy.stderr, copy.stdout


@pytest.mark.parametrize("data", [JKS, JCEKS])
def test_a_store_can_be_listed_without_password(data: bytes) -> None:
    """No password: entries are there, keys locked, and nothing is called verified."""
    store = open_keystore(data)
    assert (not store.verified, store.password) == (True, None)
    with pytest.raises(KeystoreError, match="needs a password"):
        store.unlock("server")


def test_dates_and_kinds_survive() -> None:
    """Odd dates (negative, zero) come back as they were."""
    store = open_keystore(JCEKS, PASSWORD)
    assert [entry.created_ms for entry in store] == [1_700_000_000_123, -5, 0, 1]
    assert attrs.asdict(store["ca"], recurse=False) == attrs.asdict(small_store()["ca"], recurse=False)
    key, _ = identity()
    assert store.unlock("server") == key
    assert store.unlock("password") == SecretKey(algorithm="PBEWithMD5AndDES", raw=SecretBytes(b"hunter2"))


def test_wrong_passwords_are_told_apart() -> None:
    """Wrong store password, wrong key password and an altered file are three errors."""
    with pytest.raises(WrongPasswordError):
        open_keystore(JKS, "wrong!")
    with pytest.raises(WrongKeyPasswordError) as caught:
        open_keystore(JKS, PASSWORD).unlock("server", "wrong!")
    assert caught.value.alias == "server"
    altered = bytearray(JKS)
    altered[-1] ^= 1
    with pytest.raises(CorruptError, match="the password is right"):
        open_keystore(bytes(altered), PASSWORD)


def test_a_key_of_its_own_password_survives_a_new_store_password() -> None:
    """Changing the store password leaves a key with another password alone and usable with that."""
    store = small_store(Format.JKS).set_key_password("server", "its-own")
    changed = open_keystore(save_keystore(store), PASSWORD).set_password("another")
    again = open_keystore(save_keystore(changed), "another")
    assert again.locked_apart() == ("server",)
    assert again.unlock("server", "its-own") == identity()[0]


def test_jks_refuses_secret_keys() -> None:
    """A JCEKS with secret keys does not become a JKS that silently lacks them."""
    with pytest.raises(OperationError) as caught:
        save_keystore(small_store(), format=Format.JKS)
    assert caught.value.code == "cannot-hold-secret-keys"


def test_jceks_keys_want_ascii_passwords() -> None:
    """Java could not open them otherwise; JKS takes any text."""
    with pytest.raises(OperationError) as caught:
        save_keystore(small_store(), "pässwört")
    assert caught.value.code == "password-not-ascii"
    store = open_keystore(save_keystore(small_store(Format.JKS), "pässwört"), "pässwört")
    assert store.unlock("server") == identity()[0]


@settings(max_examples=60)
@given(st.sampled_from([JKS, JCEKS]), st.data())
def test_a_store_cut_anywhere_is_truncated(data: bytes, draw: st.DataObject) -> None:
    """Every cut behind the magic number is called truncated."""
    with pytest.raises(TruncatedError):
        open_keystore(data[: draw.draw(st.integers(4, len(data) - 1))], PASSWORD)


@settings(max_examples=150)
@given(st.sampled_from([JKS, JCEKS]), st.data())
def test_a_changed_octet_gives_documented_errors(data: bytes, draw: st.DataObject) -> None:
    """No damage of one octet opens as verified, and nothing but KeystoreError comes out."""
    damaged = bytearray(data)
    damaged[draw.draw(st.integers(4, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(KeystoreError):
        open_keystore(bytes(damaged), PASSWORD)
    try:
        for entry in open_keystore(bytes(damaged)):
            if isinstance(entry, TrustedCertificateEntry):
                assert isinstance(entry.certificate.subject.text(), str)
    except KeystoreError:
        pass


def test_an_absurd_count_is_a_limit() -> None:
    """A store that claims 2**31 entries is refused before anything is allocated."""
    with pytest.raises(LimitError):
        open_keystore(bytes.fromhex("FEEDFEED 00000002 7FFFFFFF") + bytes(30), PASSWORD)


def test_octets_behind_the_digest_are_noted() -> None:
    """Java ignores what follows the digest; so does the reader, with a note."""
    assert [note.code for note in open_keystore(JKS + b"\n", PASSWORD).notes] == ["trailing-octets"]

"""pkcs12_read: files of Java, OpenSSL and BouncyCastle, damaged and hostile ones."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import (
    PORTABLE,
    CorruptError,
    KeystoreError,
    LimitError,
    Password,
    PasswordNeededError,
    PrivateKeyEntry,
    SecretKeyEntry,
    TruncatedError,
    TrustedCertificateEntry,
    UnsupportedError,
    WrongKeyPasswordError,
    WrongPasswordError,
    der,
    open_keystore,
    pkcs12_mac,
    save_keystore,
)
from keystoretools.pkcs12_state import Pkcs12State
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity
from tests.keystoretools.p12parts import (
    PASSWORD,
    bag,
    certificate_bag,
    clear_content,
    content_info,
    encrypted_content,
    encrypted_with,
    key_bag,
    locked_key_of,
    pkcs12,
    with_mac,
)

ITEMS = [item for item in manifest() if item.get("type") == "PKCS12" and item["should_open"]]
IDS = [item["file"] for item in ITEMS]
KEY = locked_key_of()
CERTIFICATE = identity()[1].der
KEYS = clear_content(key_bag(KEY, name="server", key_id=b"Time 5"))
CERTIFICATES = encrypted_content(certificate_bag(CERTIFICATE, name="server", key_id=b"Time 5"))
WHOLE = pkcs12(KEYS, CERTIFICATES)


@pytest.mark.parametrize("item", ITEMS, ids=IDS)
def test_recorded_stores_read_as_java_reads_them(item: dict[str, Any]) -> None:
    """Aliases, order, kinds, dates, chains, keys and secrets are those that Java found."""
    store = open_keystore((SAMPLES / item["file"]).read_bytes(), item["storepass"])
    assert store.verified
    found = [entry for entry in store if entry.java_sees_it]
    expected = item.get("entries") or []
    assert [wanted["alias"] for wanted in expected] == [entry.alias for entry in found]
    for entry, wanted in zip(found, expected, strict=True):
        assert wanted["kind"] == type(entry).__name__
        assert entry.created_ms in (None, wanted["created_ms"])
        if isinstance(entry, TrustedCertificateEntry):
            assert wanted["chain"][0]["sha256"] == entry.certificate.sha256.hex()
        elif isinstance(entry, PrivateKeyEntry):
            assert [one["sha256"] for one in wanted["chain"]] == [one.sha256.hex() for one in entry.chain]
            key = store.unlock(entry.alias)
            assert wanted["key_spki_sha256"] == key.public_key.sha256.hex()  # type: ignore[union-attr]
        elif isinstance(entry, SecretKeyEntry):
            secret = store.unlock(entry.alias)
            assert wanted["secret_hex"] == secret.raw.reveal().hex()  # type: ignore[union-attr]


@pytest.mark.parametrize("item", ITEMS, ids=IDS)
def test_a_wrong_password_is_told_and_none_lists_keys(item: dict[str, Any]) -> None:
    """Wrong: one error.  None: keys are listed, certificates sealed, nothing verified."""
    data = (SAMPLES / item["file"]).read_bytes()
    with pytest.raises(WrongPasswordError):
        open_keystore(data, "wrong password")
    store = open_keystore(data)
    assert not store.verified
    assert ["certificates-sealed"] == [note.code for note in store.notes]
    keys = [e["alias"] for e in item.get("entries") or [] if e["kind"] != "TrustedCertificateEntry"]
    assert keys == [entry.alias for entry in store]
    with pytest.raises(PasswordNeededError):
        save_keystore(store, item["storepass"])


@pytest.mark.parametrize("item", [i for i in manifest() if i["hostile"]], ids=lambda item: str(item["file"]))
def test_hostile_samples_are_refused_quickly(item: dict[str, Any]) -> None:
    """The class that the manifest names, in a fraction of a second."""
    start = time.process_time()
    with pytest.raises(KeystoreError) as caught:
        open_keystore((SAMPLES / item["file"]).read_bytes(), item["storepass"])
    assert item["expect_class"] == caught.value.code
    assert time.process_time() - start < 2


def test_the_state_says_what_the_file_used() -> None:
    """Cipher and integrity check in words, for those who explain."""
    state = open_keystore((SAMPLES / "p12/keytool-jdk8u504.p12").read_bytes(), "alarmpoint").state
    assert isinstance(state, Pkcs12State)
    assert "PBE-SHA1-RC2-40, 50000 iterations" == state.certificate_cipher
    assert state.mac is not None
    assert "HMAC-SHA1, 100000 iterations" == state.mac.words
    assert "alarmpoint" not in repr(state)


def test_an_altered_file_is_told_from_a_wrong_password() -> None:
    """When the password still opens something, it is right and the file was changed."""
    content = der.sequence(KEYS, CERTIFICATES)
    mac = pkcs12_mac.create(content + b"!", Password(PASSWORD), digest="sha1", salt=b"saltsalt", iterations=9)
    with pytest.raises(CorruptError, match="the password is right"):
        open_keystore(with_mac(content, mac), PASSWORD)
    with pytest.raises(WrongPasswordError):
        open_keystore(with_mac(content, mac), "wrong")
    only_keys = with_mac(der.sequence(KEYS), mac)
    with pytest.raises(CorruptError, match="the password is right"):
        open_keystore(only_keys, PASSWORD)


def test_without_integrity_check_the_certificates_decide() -> None:
    """No MAC: a wrong password is probable, a right one is not called verified."""
    data = pkcs12(KEYS, CERTIFICATES, password=None)
    with pytest.raises(WrongPasswordError, match="probably"):
        open_keystore(data, "wrong")
    store = open_keystore(data, PASSWORD)
    assert not store.verified
    assert ["no-integrity-check"] == [note.code for note in store.notes]
    assert 1 == len(store["server"].chain)  # type: ignore[union-attr]


def test_certificates_under_another_password() -> None:
    """OpenSSL's -twopass: the check fits, the certificates do not open; the sentence says so."""
    data = pkcs12(KEYS, encrypted_content(certificate_bag(CERTIFICATE), password="other"))
    with pytest.raises(WrongPasswordError, match="fits the integrity check"):
        open_keystore(data, PASSWORD)


def test_a_key_under_another_password() -> None:
    """The store opens; the key says that its password differs."""
    data = pkcs12(clear_content(key_bag(locked_key_of(), name="a", key_id=b"x")), password="store-pw")
    store = open_keystore(data, "store-pw")
    with pytest.raises(WrongKeyPasswordError):
        store.unlock("a")
    assert identity()[0] == store.unlock("a", PASSWORD)
    assert ("a",) == store.locked_apart()


@pytest.mark.parametrize("password", ["", "pässwörd"])
def test_odd_passwords(password: str) -> None:
    """Empty and accented passwords, in the check, the certificates and the key."""
    given = Password(password)
    content = der.sequence(clear_content(certificate_bag(CERTIFICATE, name="ca", trusted=True)))
    mac = pkcs12_mac.create(content, given, digest="sha256", salt=b"saltsalt", iterations=5)
    assert open_keystore(with_mac(content, mac), password).verified


def absurd(identifier: bytes) -> bytes:
    return encrypted_with(identifier, bytes(32))


def parameters(count: int) -> bytes:
    return der.sequence(der.octet_string(b"saltsalt"), der.integer(count))


PBE = "1.2.840.113549.1.12.1.3"
HOSTILE = {
    "certificates, a billion": pkcs12(KEYS, absurd(der.algorithm(PBE, parameters(10**9)))),
    "MAC, a billion": with_mac(
        der.sequence(KEYS),
        der.sequence(
            der.sequence(der.algorithm("1.3.14.3.2.26"), der.octet_string(bytes(20))),
            der.octet_string(b"saltsalt"),
            der.integer(10**9),
        ),
    ),
    "MAC with a salt of 4 MB": with_mac(
        der.sequence(KEYS),
        der.sequence(
            der.sequence(der.algorithm("1.3.14.3.2.26"), der.octet_string(bytes(20))),
            der.octet_string(bytes(4_000_000)),
            der.integer(1),
        ),
    ),
    "RC2 of 3 MB": pkcs12(encrypted_with(der.algorithm("1.2.840.113549.1.12.1.6", parameters(1)), bytes(3 << 20))),
    "a hundred thousand and one bags": pkcs12(clear_content(bag("1.2.3", b"\5\0") * 100_001)),
    "nested": pkcs12(clear_content(b"\x30\x80" * 50_000)),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_absurd_numbers_are_limits(data: bytes) -> None:
    """Each is refused by name before the work."""
    start = time.process_time()
    with pytest.raises(LimitError):
        open_keystore(data, PASSWORD)
    assert time.process_time() - start < 5


def test_a_key_of_absurd_count_does_not_hide_the_others() -> None:
    """It is listed; only unlocking it is refused."""
    bad = der.sequence(der.algorithm(PBE, parameters(10**9)), der.octet_string(bytes(16)))
    data = pkcs12(clear_content(key_bag(bad, name="bad", key_id=b"1"), key_bag(KEY, name="good", key_id=b"2")))
    store = open_keystore(data, PASSWORD)
    assert identity()[0] == store.unlock("good")
    with pytest.raises(LimitError) as caught:
        store.unlock("bad")
    assert "bad" == caught.value.alias


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (pkcs12(KEYS).replace(b"\2\1\3\x30", b"\2\1\4\x30", 1), CorruptError),
        (pkcs12(absurd(der.algorithm("1.2.3.4"))), UnsupportedError),
        (
            der.sequence(der.integer(3), content_info("1.2.840.113549.1.7.2", der.sequence())),
            UnsupportedError,
        ),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, error: type[KeystoreError]) -> None:
    """A wrong version, an unknown cipher, a signed file."""
    with pytest.raises(error):
        open_keystore(data, PASSWORD)


def test_octets_behind_the_end_are_noted() -> None:
    """A trailing newline is common and harmless."""
    assert ["trailing-octets"] == [note.code for note in open_keystore(WHOLE + b"\n", PASSWORD).notes]


def test_ber_with_indefinite_lengths_and_segments() -> None:
    """NSS and BouncyCastle: the MAC covers the joined octets of all segments."""
    content = der.sequence(KEYS, CERTIFICATES)
    mac = pkcs12_mac.create(content, Password(PASSWORD), digest="sha1", salt=b"saltsalt", iterations=9)
    segments = b"".join(der.octet_string(content[at : at + 100]) for at in range(0, len(content), 100))
    info = b"\x30\x80" + der.oid("1.2.840.113549.1.7.1") + b"\xa0\x80\x24\x80" + segments + bytes(6)
    store = open_keystore(b"\x30\x80" + der.integer(3) + info + mac + b"\0\0", PASSWORD)
    assert store.verified
    assert 1 == len(store["server"].chain)  # type: ignore[union-attr]


@settings(max_examples=60)
@given(st.integers(40, len(WHOLE) - 1))
def test_a_file_cut_anywhere_is_truncated(size: int) -> None:
    """Every cut behind the first object identifier is called truncated, never a wrong password."""
    with pytest.raises(TruncatedError):
        open_keystore(WHOLE[:size], PASSWORD)


@settings(max_examples=200)
@given(st.data())
def test_a_changed_octet_gives_documented_errors(draw: st.DataObject) -> None:
    """No damage of one octet opens as verified with other entries; only KeystoreError comes out."""
    damaged = bytearray(WHOLE)
    damaged[draw.draw(st.integers(0, len(damaged) - 1))] ^= draw.draw(st.integers(1, 255))
    for password in (None, PASSWORD):
        try:
            store = open_keystore(bytes(damaged), password)
        except KeystoreError:
            continue
        for entry in store:
            assert isinstance(entry.alias, str)
        if store.verified:  # damage outside of what the check covers, or back to the same meaning
            assert ["server"] == [entry.alias for entry in store]
            assert identity()[0] == store.unlock("server")


@settings(max_examples=100)
@given(st.data())
def test_damage_inside_the_contents(draw: st.DataObject) -> None:
    """Contents changed before the check was made: what a hostile writer can do.  Only KeystoreError."""
    plain = bytearray(der.sequence(key_bag(KEY, name="server", key_id=b"Time 5"), certificate_bag(CERTIFICATE)))
    for _ in range(draw.draw(st.integers(1, 3))):
        plain[draw.draw(st.integers(0, len(plain) - 1))] = draw.draw(st.integers(0, 255))
    data = pkcs12(content_info("1.2.840.113549.1.7.1", der.octet_string(bytes(plain))))
    try:
        store = open_keystore(data, PASSWORD)
        again = open_keystore(save_keystore(store), PASSWORD)
        assert {e.alias for e in store if e.java_sees_it} == {e.alias for e in again if e.java_sees_it}
        store.locked_apart()
    except KeystoreError:
        pass


def test_many_certificates_open_in_bounded_time() -> None:
    """Nine thousand certificates and a key: seconds, not minutes."""
    others = certificate_bag(CERTIFICATE) * 9_000
    data = pkcs12(KEYS, clear_content(others))
    start = time.process_time()
    store = open_keystore(data, PASSWORD)
    assert 9_001 == len(store)
    assert time.process_time() - start < 5


def test_legacy_files_need_no_legacy_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """RC2-40 opens with our own code; nothing is asked of OpenSSL's legacy provider."""
    monkeypatch.setenv("CRYPTOGRAPHY_OPENSSL_NO_LEGACY", "1")
    store = open_keystore((SAMPLES / "openssl/legacy.pfx").read_bytes(), PASSWORD)
    assert 3 == len(store["server"].chain)  # type: ignore[union-attr]


OPENSSL = [
    "-keypbe NONE -certpbe NONE",
    "-keypbe NONE -certpbe NONE -nomac",
    "-nomac",
    "-certpbe NONE",
    "-keypbe camellia-256-cbc -certpbe aes-192-cbc",
    "-keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-RC4-128",
    "-keypbe PBE-MD5-DES -certpbe PBE-SHA1-RC2-128",
    "-keypbe des-ede3-cbc -certpbe PBE-SHA1-RC4-40",
    "-macalg sha512-256 -LMK",
    "-macalg md5 -noiter -nomaciter",
    "-macalg sha3-256 -CSP xxx",
]


@pytest.mark.parametrize("arguments", OPENSSL)
@pytest.mark.parametrize("password", ["secret", ""])
def test_whatever_openssl_exports_is_read_and_written(arguments: str, password: str, tmp_path: Path) -> None:
    """Every cipher and check, also with an empty password; rewritten portably it is the same key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here: not compared with the real one")
    key, certificate = identity()
    pem = key.to_cryptography().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem += certificate.to_cryptography().public_bytes(Encoding.PEM)
    path = tmp_path / "out.p12"
    done = subprocess.run(
        [
            *(program, "pkcs12", "-export", "-name", "Srv", "-out", str(path), "-passout", f"pass:{password}"),
            *("-provider", "legacy", "-provider", "default", *arguments.split()),
        ],
        input=pem,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this openssl cannot: {done.stderr[-200:]!r}")
    store = open_keystore(path.read_bytes(), password)
    assert ("-nomac" not in arguments.split()) == store.verified
    for found in (store, open_keystore(save_keystore(store, profile=PORTABLE), password)):
        opened = found.unlock("srv")
        assert key.public_key.same_key(opened.public_key)  # type: ignore[union-attr]
        assert [certificate] == list(found["srv"].chain)  # type: ignore[union-attr]

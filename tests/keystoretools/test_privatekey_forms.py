"""privatekey_forms: every form of private key that openssl writes is read as openssl reads it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keystoretools import (
    Budget,
    CorruptError,
    KeystoreError,
    Kind,
    LimitError,
    Password,
    PrivateKey,
    UnsupportedError,
    WrongKeyPasswordError,
    der,
    oids,
    read_anything,
)
from keystoretools.privatekey_forms import EncryptedKey, read_key
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity


def _openssl(*arguments: str, data: bytes = b"") -> bytes:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here: not compared with the real one")
    done = subprocess.run([program, *arguments], input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def _key(kind: str) -> bytes:
    """PKCS#8 PEM made by openssl."""
    if kind == "dsa":
        parameters = _openssl("dsaparam", "-genkey", "1024")
        return _openssl("pkcs8", "-topk8", "-nocrypt", data=parameters)
    options = {
        "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "rsa-pss": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
        "ec": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "ec-explicit": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"],
        "ed25519": ["-algorithm", "ED25519"],
    }[kind]
    return _openssl("genpkey", *options)


def _read(data: bytes, password: str = "") -> PrivateKey:
    (key,) = read_anything(data, [password] if password else []).keys
    return key


@pytest.mark.parametrize("kind", ["rsa", "dsa", "ec", "ec-explicit"])
def test_traditional_forms(kind: str) -> None:
    """PKCS#1, SEC1 and DSA keys become the PKCS#8 that openssl makes of them (curves by name)."""
    pkcs8 = _key(kind)
    traditional = _openssl("pkey", "-traditional", data=pkcs8)
    assert b"BEGIN PRIVATE" not in traditional
    raw = _openssl("pkey", "-traditional", "-outform", "DER", data=pkcs8)
    public = _openssl("pkey", "-pubout", "-outform", "DER", data=pkcs8)
    for text in (traditional, raw):
        key = _read(text)
        assert key.public_key.same_key(read_anything(public).public_keys[0])
        if kind != "ec-explicit":  # the curve is named instead
            assert key.pkcs8.reveal() == _openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", data=pkcs8)
        assert key.to_cryptography() is not None


def test_explicit_curve_in_pkcs8_can_be_used() -> None:
    """A PKCS#8 key with spelt-out parameters of a named curve is usable, not only listed."""
    key = _read(_key("ec-explicit"))
    assert (key.algorithm, key.curve, key.bits) == ("EC", "secp256r1", 256)
    assert key.to_cryptography() is not None


@pytest.mark.parametrize("cipher", ["des", "des3", "aes128", "aes192", "aes256", "camellia256"])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_dek_info(kind: str, cipher: str) -> None:
    """Encrypted traditional keys open with the password, and not with another."""
    legacy = ["-provider", "legacy", "-provider", "default"] if cipher == "des" else []
    text = _openssl("pkey", "-traditional", f"-{cipher}", "-passout", "pass:secret", *legacy, data=_key(kind))
    assert b"DEK-Info" in text
    assert _read(text, "secret").pkcs8 == _read(_key(kind)).pkcs8
    wrong = read_anything(text, ["other"])
    assert (wrong.keys, len(wrong.locked_keys), wrong.needs_password) == ((), 1, True)


@pytest.mark.parametrize(
    "options",
    [
        ["-v2", "aes-256-cbc"],
        ["-v2", "aes128", "-v2prf", "hmacWithSHA1", "-iter", "5000"],
        ["-v2", "des3"],
        ["-scrypt"],
        ["-v1", "PBE-SHA1-3DES"],
        ["-v1", "PBE-SHA1-RC2-40", "-provider", "legacy", "-provider", "default"],
        ["-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider", "default"],
    ],
    ids=lambda options: "-".join(options[:2]),
)
@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_encrypted_pkcs8(options: list[str], form: str) -> None:
    """PBES1, PBES2 and scrypt, as text and binary."""
    data = _openssl("pkcs8", "-topk8", "-passout", "pass:secret", "-outform", form, *options, data=_key("ec"))
    assert _read(data, "secret").pkcs8 == _read(_key("ec")).pkcs8
    assert read_anything(data, ["wrong one"]).keys == ()


@pytest.mark.parametrize("kind", ["rsa-pss", "ed25519"])
def test_other_algorithms(kind: str) -> None:
    """RSA-PSS and Ed25519 keys keep their octets."""
    assert _read(_key(kind)).pkcs8.reveal() == _openssl(
        "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", data=_key(kind)
    )


def test_recorded_keys() -> None:
    """The recorded key files give the keys that openssl gave (it hashed the octets inside PKCS#8)."""
    checked = 0
    for item in manifest():
        expected = item.get("openssl", {}).get("key", {})
        if item["category"] == "files" and "spki_sha256" in expected:
            key = _read((SAMPLES / item["file"]).read_bytes(), item["storepass"] or "")
            assert key.public_key.sha256.hex() == expected["spki_sha256"]
            if key.algorithm == "RSA":
                inside = der.parse(key.pkcs8.reveal()).sequence()[2].octet_string()
                assert hashlib.sha256(inside).hexdigest() == expected["pkcs8_sha256"]
            checked += 1
    assert checked == 3


def test_curve_from_the_block_before() -> None:
    """An EC key without parameters takes those of the EC PARAMETERS block; alone it is refused with the reason."""
    bare = der.sequence(der.integer(1), der.octet_string(bytes(31) + b"\x07"))
    key = read_key(Kind.EC_KEY, bare, curve=der.oid("1.2.840.10045.3.1.7"))
    assert (key.curve, key.public_key.bits) == ("secp256r1", 256)
    with pytest.raises(CorruptError, match="which curve"):
        read_key(Kind.EC_KEY, bare)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (EncryptedKey(octets=bytes(16), label="RSA PRIVATE KEY", dek_info="IDEA-CBC,00"), UnsupportedError),
        (EncryptedKey(octets=bytes(16), label="RSA PRIVATE KEY", dek_info="AES-128-CBC,0011"), CorruptError),
        (EncryptedKey(octets=bytes(16), label="RSA PRIVATE KEY", dek_info="AES-128-CBC,xx"), CorruptError),
        (EncryptedKey(octets=bytes(15), label="RSA PRIVATE KEY", dek_info="AES-128-CBC," + "00" * 16), CorruptError),
        (EncryptedKey(octets=bytes(2_000_000), dek_info="AES-128-CBC," + "00" * 16), LimitError),
        (EncryptedKey(octets=bytes(5)), CorruptError),
    ],
)
def test_damaged_encryption(key: EncryptedKey, error: type[KeystoreError]) -> None:
    """Each defect has its own error, found before anything is calculated."""
    with pytest.raises(error):
        key.unlock(Password("secret"), Budget())


def test_absurd_counts_are_refused() -> None:
    """A billion iterations are refused, not calculated."""
    parameters = der.sequence(der.octet_string(bytes(8)), der.integer(10**9))
    data = der.sequence(der.algorithm("1.2.840.113549.1.12.1.3", parameters), der.octet_string(bytes(40)))
    with pytest.raises(LimitError):
        read_anything(data, ["secret"])


@given(st.binary(max_size=120), st.sampled_from([Kind.PKCS8, Kind.RSA_KEY, Kind.DSA_KEY, Kind.EC_KEY]))
def test_rubbish_is_refused(octets: bytes, kind: Kind) -> None:
    """No octets raise anything but the package's errors."""
    for data in (octets, der.sequence(octets), der.sequence(der.integer(1), octets)):
        with contextlib.suppress(KeystoreError):
            read_key(kind, data)


@example(bytes.fromhex("00" * 31 + "87f8ba2d38efd500b50d1ba64ba2487387"))
@given(st.binary(min_size=16, max_size=48).map(lambda octets: octets[: len(octets) // 16 * 16]))
def test_wrong_passwords_never_crash(octets: bytes) -> None:
    """Whatever comes out of a decryption, the answer is one of the package's errors."""
    key = EncryptedKey(octets=octets, label="EC PRIVATE KEY", dek_info="AES-128-CBC," + "00" * 16)
    with pytest.raises((WrongKeyPasswordError, UnsupportedError)):  # never LimitError or CorruptError
        key.unlock(Password("x"), Budget())


def test_nothing_shows_itself() -> None:
    """Neither keys nor passwords are in a repr."""
    key, _ = identity()
    locked = EncryptedKey(octets=b"0123456789abcdef", dek_info="AES-128-CBC,00")
    assert "0123456789abcdef" not in repr(locked) and "SecretBytes(...)" in repr(key)
    assert (locked.scheme, EncryptedKey(octets=b"").scheme) == ("AES-128-CBC", "unknown")
    assert EncryptedKey(octets=der.sequence(der.algorithm(oids.RSA), der.octet_string(b""))).scheme == oids.RSA

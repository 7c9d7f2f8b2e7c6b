"""contents: whatever arrives is read; one bad part does not hide the good ones."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystoretools import (
    Certificate,
    CorruptError,
    KeystoreError,
    LimitError,
    MangledError,
    NotAKeystoreError,
    TruncatedError,
    read_anything,
    write_pem,
)
from keystoretools.contents import Contents
from keystoretools.pem import write_block
from keystoretools.pkcs7 import read_pkcs7, write_pkcs7
from tests.keystoretools.authority import family
from tests.keystoretools.conftest import SAMPLES, manifest

LEAF, MIDDLE, ROOT = family()
CHAIN = (LEAF.certificate, MIDDLE.certificate, ROOT.certificate)
KEY = write_pem(LEAF.key)
BUNDLE = write_pem(CHAIN)


def test_a_mixture_in_any_order() -> None:
    """Key, certificates, request, parameters and revocation list in one text: each is found, with its line."""
    request = (SAMPLES / "files/request.csr").read_bytes()
    parameters = write_block("DH PARAMETERS", b"\x30\x00")
    found = read_anything(b"words\n" + BUNDLE + KEY + parameters + request + BUNDLE, name="all.pem")
    assert found.certificates == CHAIN * 2
    assert [key.pkcs8 for key in found.keys] == [LEAF.key.pkcs8]
    assert [one.subject.common_name for one in found.requests] == ["ia.example.com"]
    assert [one.what for one in found.leftovers] == ["DH PARAMETERS"]
    assert found.parts[0].place == "all.pem, line 2"


def test_one_bad_block_hides_nothing() -> None:
    """A damaged block becomes a leftover with its sentence; alone it is the error."""
    bad = write_block("CERTIFICATE", CHAIN[0].der[:-20])
    found = read_anything(KEY + bad + BUNDLE)
    assert (len(found.keys), found.certificates, len(found.leftovers)) == (1, CHAIN, 1)
    with pytest.raises(CorruptError):
        read_anything(bad)


def test_der_of_every_kind() -> None:
    """Certificates, also several in one file, with a line end behind, or base64 without labels, or UTF-16."""
    one = CHAIN[0].der
    assert read_anything(one).certificates == CHAIN[:1]
    with_newline = read_anything(one + b"\r\n")
    assert (with_newline.certificates, len(with_newline.notes)) == (CHAIN[:1], 1)
    assert read_anything(b"".join(each.der for each in CHAIN)).certificates == CHAIN
    assert read_anything(base64.b64encode(one)).certificates == CHAIN[:1]
    assert read_anything(b"\xff\xfe" + BUNDLE.decode().encode("utf-16-le")).certificates == CHAIN
    rubbish = read_anything(one + b"rubbish")
    assert (rubbish.certificates, len(rubbish.notes)) == (CHAIN[:1], 1)


def test_labels_do_not_matter() -> None:
    """A PKCS#7 called CERTIFICATE, a certificate called TRUSTED CERTIFICATE with more behind it, a key misnamed."""
    bundle = write_pkcs7(CHAIN)
    assert read_anything(write_block("CERTIFICATE", bundle)).certificates == CHAIN
    assert read_anything(write_block("PKCS7", bundle)).certificates == CHAIN
    trusted = write_block("TRUSTED CERTIFICATE", CHAIN[0].der + b"\x30\x0a0123456789")
    assert read_anything(trusted).certificates == CHAIN[:1]
    assert len(read_anything(write_block("RSA PRIVATE KEY", LEAF.key.pkcs8.reveal())).keys) == 1


def test_pkcs7(samples: Path) -> None:
    """The recorded bundle gives its certificates; so does what is written, and its BER form."""
    (item,) = [one for one in manifest() if one["file"] == "files/chain.p7b"]
    data = (samples / "files/chain.p7b").read_bytes()
    expected = [one["sha256"] for one in item["certs"]]
    assert [one.sha256.hex() for one in read_anything(data).certificates] == expected
    written = write_pkcs7(read_pkcs7(data))
    assert [one.sha256.hex() for one in read_pkcs7(written)] == expected
    indefinite = b"\x30\x80" + bytes.fromhex("06092A864886F70D010702") + b"\xa0\x80\x30\x80\x02\x01\x01\x31\x00"
    indefinite += bytes.fromhex("3080 06092A864886F70D010701 0000") + b"\xa0\x80"
    indefinite += b"".join(one.der for one in CHAIN) + b"\0\0" + b"\x31\x00" + bytes(6)
    assert read_anything(indefinite).certificates == CHAIN


def test_pkcs7_of_ours_is_read_by_openssl(tmp_path: Path) -> None:
    """openssl finds the certificates in a bundle that was written here."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl here: not compared with the real one")
    done = subprocess.run(
        [program, "pkcs7", "-inform", "DER", "-print_certs"], input=write_pkcs7(CHAIN), capture_output=True, check=True
    )
    assert read_anything(done.stdout).certificates == CHAIN


@pytest.mark.parametrize("password", ["alarmpoint", None, "wrong"])
def test_keystores(samples: Path, password: str | None) -> None:
    """A keystore is opened by the password that fits; without it, it is listed and one is asked for."""
    data = (samples / "jks/ia-default.keystore").read_bytes()
    found = read_anything(data, ["x", password] if password else [])
    (store,) = found.stores
    assert (store.verified, [entry.alias for entry in store]) == (password == "alarmpoint", ["apia"])
    assert found.needs_password == (password != "alarmpoint")


@pytest.mark.parametrize("item", [one for one in manifest() if not one["hostile"]], ids=lambda one: one["file"])
def test_recorded_files(item: dict[str, object]) -> None:
    """Every recorded file that should open gives something, every other one a sentence."""
    data = (SAMPLES / str(item["file"])).read_bytes()
    password = item["storepass"]
    try:
        found = read_anything(data, [str(password)] if password else [])
    except KeystoreError as error:
        assert item["type"] in ("BCFKS", "UBER")
        assert error.sentence
    else:
        assert found.parts and not found.locked_stores and not found.leftovers


@pytest.mark.parametrize("item", [one for one in manifest() if one["hostile"]], ids=lambda one: one["file"])
def test_hostile_files(item: dict[str, object]) -> None:
    """Each is refused with its class."""
    data = (SAMPLES / str(item["file"])).read_bytes()
    with pytest.raises(KeystoreError) as caught:
        read_anything(data, [str(item["storepass"])])
    assert caught.value.code == item["expect_class"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAKeystoreError),
        (b"<html>404</html>", NotAKeystoreError),
        (b"see the attachment", NotAKeystoreError),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n", NotAKeystoreError),
        (b"-----BEGIN \n", NotAKeystoreError),
        (CHAIN[0].der[:-10], TruncatedError),
        (CHAIN[0].der.decode("latin-1").encode(), MangledError),
        (b"\x30\x82\x00\x10" + bytes(16), KeystoreError),
        (write_block("CERTIFICATE", b"hello"), KeystoreError),
        (b"\xfe\xed\xfe\xed" + bytes(3) + b"\x02", TruncatedError),
        (b"".join(b"\x30\x06\x30\x04\xa0\x02\x02\x00" for _ in range(10_001)), LimitError),
    ],
)
def test_nothing_usable_is_an_error(data: bytes, error: type[KeystoreError]) -> None:
    """A file of which nothing can be used is refused in one sentence."""
    with pytest.raises(error) as caught:
        read_anything(data)
    assert caught.value.sentence.isprintable()


def test_several_files_are_joined() -> None:
    """Contents of several files become one, in their order."""
    both = Contents.joined(read_anything(KEY, name="a.key"), read_anything(BUNDLE, name="b.cer"))
    assert [part.source for part in both.parts] == ["a.key", "b.cer", "b.cer", "b.cer"]
    assert (len(both.keys), both.certificates, both.needs_password) == (1, CHAIN, False)


SEEDS = [
    BUNDLE + KEY,
    CHAIN[0].der,
    write_pkcs7(CHAIN),
    LEAF.key.pkcs8.reveal(),
    (SAMPLES / "files/request.csr").read_bytes(),
]


@settings(max_examples=150)
@given(st.sampled_from(SEEDS), st.data())
def test_damage_gives_only_our_errors(seed: bytes, draw: st.DataObject) -> None:
    """Octets changed, removed or repeated anywhere: contents, or a KeystoreError, and views that do not raise."""
    data = bytearray(seed)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data) - 1))
        match draw.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                data[at] = draw.draw(st.integers(0, 255))
            case "cut":
                del data[at : at + draw.draw(st.integers(1, 50))]
            case _:
                data[at:at] = draw.draw(st.binary(max_size=8))
        data = data or bytearray(b"0")
    try:
        found = read_anything(bytes(data), ["secret"])
    except KeystoreError as error:
        assert error.sentence
        return
    for one in found.certificates:
        assert one.subject.text() is not None and isinstance(one.alternative_names, tuple)
    assert all(isinstance(one, Certificate) for one in found.certificates)


@pytest.mark.parametrize(
    "file", ["jks/ia-default.keystore", "openssl/default.pfx", "openssl/nokeys.pfx", "jceks/all-kinds.jceks"]
)
def test_a_password_is_asked_for_where_it_helps(file: str) -> None:
    """Stores whose keys or certificates are sealed want their password; opened ones do not."""
    (item,) = [one for one in manifest() if one["file"] == file]
    data = (SAMPLES / file).read_bytes()
    assert read_anything(data).needs_password
    assert not read_anything(data, [item["storepass"]]).needs_password


@pytest.mark.parametrize("dashes", ["\u2013" * 3, "\u2014-", "-", "----", "\u2212\u2212\u2212\u2212\u2212"])
def test_prettied_dashes(dashes: str) -> None:
    """Text out of a word processor or a mail, whose dashes were changed, is read all the same."""
    text = (BUNDLE + KEY).decode().replace("-----", dashes)
    found = read_anything(("Dear colleagues,\n\n" + text).encode())
    assert (found.certificates, len(found.keys)) == (CHAIN, 1)

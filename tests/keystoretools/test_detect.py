"""detect: every kind is told by its content, whole, cut, wrapped or damaged."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools import KeystoreError, Kind, MangledError, NotAKeystoreError, der, open_keystore, sniff, write_pem
from tests.keystoretools.conftest import SAMPLES, manifest
from tests.keystoretools.material import identity
from tests.keystoretools.test_jks import JCEKS, JKS

KEY, CERTIFICATE = identity()
PFX = der.sequence(der.integer(3), der.sequence(der.oid("1.2.840.113549.1.7.1"), der.explicit(0, bytes(100))))
CASES = [
    (Kind.JKS, JKS),
    (Kind.JCEKS, JCEKS),
    (Kind.PKCS12, PFX),
    (Kind.PKCS12, bytes.fromhex("3080 020103 3080 0609 2A864886F70D010701 A080")),
    (Kind.CERTIFICATE, CERTIFICATE.der),
    (Kind.PKCS8, KEY.pkcs8.reveal()),
    (Kind.ENCRYPTED_PKCS8, der.sequence(der.algorithm("1.2.840.113549.1.5.13"), der.octet_string(bytes(50)))),
    (Kind.EC_KEY, der.sequence(der.integer(1), der.octet_string(bytes(32)))),
    (Kind.RSA_KEY, der.sequence(*[der.integer(n) for n in (0, 1, 2, 3, 4, 5, 6, 7, 8)])),
    (Kind.DSA_KEY, der.sequence(*[der.integer(n) for n in (0, 1, 2, 3, 4, 5)])),
    (Kind.PUBLIC_KEY, CERTIFICATE.public_key.der if CERTIFICATE.public_key else b""),
    (Kind.PKCS7, der.sequence(der.oid("1.2.840.113549.1.7.2"), der.explicit(0, der.sequence()))),
    (
        Kind.REQUEST,
        der.sequence(der.sequence(der.integer(0), der.sequence(der.set_of()), der.sequence())),
    ),
    (Kind.PEM, b"Bag Attributes\r\n-----BEGIN CERTIFICATE-----\r\nMIIB\r\n"),
    (Kind.OPENSSH_KEY, b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"),
    (Kind.PUTTY_KEY, b"PuTTY-User-Key-File-3: ssh-rsa\n"),
    (Kind.PGP, b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN\n"),
    (Kind.WEB_PAGE, b"\n<!DOCTYPE html><html><body>Please log in</body></html>"),
    (Kind.XML, b'<?xml version="1.0"?><error/>'),
    (Kind.EMPTY, b""),
    (Kind.EMPTY, b" \r\n"),
    (Kind.ARCHIVE, b"PK\x03\x04rest"),
    (Kind.GIT_LFS, b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\n"),
    (Kind.MANGLED, JKS.decode("utf-8", "replace").encode()),
    (Kind.MANGLED, JKS.decode("latin-1").encode()),
    (Kind.MANGLED, CERTIFICATE.der.decode("utf-8", "replace").encode()),
    (Kind.TEXT, b"the password is in the other mail"),
    (Kind.UNKNOWN, b"\x01\x02\x03\x04rubbish"),
]


@pytest.mark.parametrize(("kind", "data"), CASES, ids=[f"{n}-{case[0].name}" for n, case in enumerate(CASES)])
def test_kinds(kind: Kind, data: bytes) -> None:
    """Each kind is recognised, and its sentence begins like one."""
    found = sniff(data)
    assert found.kind is kind
    assert found.sentence.startswith("The file is ")


@pytest.mark.parametrize("data", [JKS, JCEKS, PFX, CERTIFICATE.der, KEY.pkcs8.reveal()])
def test_wrappings_are_taken_off(data: bytes) -> None:
    """Base64 without labels, also as UTF-16 with a mark, is what it contains."""
    text = base64.encodebytes(data)
    marked = b"\xff\xfe" + text.decode().encode("utf-16-le")
    assert (sniff(text).kind, sniff(text).content) == (sniff(data).kind, data)
    assert (sniff(marked).content, sniff(marked).wrappings) == (data, ("UTF-16", "base64"))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", ["", "Bag Attributes\n", "\n"])
def test_wide_text_that_lost_its_mark_is_read(encoding: str, before: str) -> None:
    """PEM that went through a Windows program, cut off from its byte order mark."""
    text = before + write_pem(CERTIFICATE).decode()
    found = sniff(text.encode(encoding))
    assert (Kind.PEM, text.encode(), ("UTF-16",)) == (found.kind, found.content, found.wrappings)


def test_recorded_files(samples: object) -> None:
    """The recorded stores and files are what their description says."""
    types = {
        "JKS": Kind.JKS,
        "JCEKS": Kind.JCEKS,
        "PKCS12": Kind.PKCS12,
        "BKS": Kind.BKS,
        "BCFKS": Kind.BCFKS,
    }
    wrong = [
        item["file"]
        for item in manifest()
        if item.get("type") in types
        and not item["hostile"]
        and sniff((SAMPLES / item["file"]).read_bytes()).kind is not types[item["type"]]
    ]
    assert wrong == []


@given(st.binary(max_size=400) | st.binary(max_size=60).map(lambda tail: b"\x30" + tail))
def test_nothing_is_raised(data: bytes) -> None:
    """Any octets are something, and have a sentence of printable text."""
    assert sniff(data).sentence.isprintable()


@given(st.sampled_from([JKS, JCEKS, CERTIFICATE.der, PFX]), st.data())
def test_a_cut_file_keeps_its_kind_or_is_unknown(data: bytes, draw: st.DataObject) -> None:
    """Cutting never makes one kind of keystore look like another."""
    cut = sniff(data[: draw.draw(st.integers(5, len(data)))]).kind
    assert cut in (sniff(data).kind, Kind.ASN1)


def test_text_mode_copies_are_named() -> None:
    """A keystore whose line ends were converted is called damaged on its way, not wrong password."""
    copied = (JKS + JCEKS[12:]).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    padded = copied[:200] + b"\r\n\r\n\r\n" + copied[200:]
    with pytest.raises(MangledError, match="CR LF"):
        open_keystore(padded, "changeit")


def test_other_content_is_refused_by_name() -> None:
    """A web page where a keystore should be is called a web page."""
    with pytest.raises(NotAKeystoreError) as caught:
        open_keystore(b"<html>404</html>")
    assert caught.value.looks_like == "web page (HTML)"
    with pytest.raises(KeystoreError):
        open_keystore(b"")


def test_a_short_text_is_not_shown() -> None:
    """Somebody gave the file of the password in the place of the keystore: it must not get into a message."""
    sentence = sniff(b"TopSecretPw77\n").sentence
    assert (
        "The file is plain text (14 characters, not shown: they may be a password). This is not a keystore." == sentence
    )
    assert 'it begins with "# a configuration' in sniff(b"# a configuration\n" * 20).sentence


def test_an_empty_file_is_empty() -> None:
    """Said plainly."""
    assert "The file is empty. Nothing was saved in it: fetch or create it again." == sniff(b"").sentence

"""request: what a certificate request asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from hypothesis import given
from hypothesis import strategies as st

from keystoretools import CertificateRequest, PrivateKey, der, make, read_anything, write_pem
from keystoretools.dname import parse_name
from keystoretools.keytool.texts import request_text
from keystoretools.pkcs7 import write_pkcs7
from keystoretools.request import RequestAttribute
from tests.keystoretools.authority import family
from tests.keystoretools.conftest import SAMPLES

(RECORDED,) = read_anything((SAMPLES / "files/request.csr").read_bytes()).requests
CHAIN = tuple(one.certificate for one in family())


def test_recorded_request() -> None:
    """Subject, key and signature algorithm of a request that openssl made."""
    assert RECORDED.problem is None
    assert (RECORDED.version, RECORDED.subject.common_name) == (1, "ia.example.com")
    assert RECORDED.signature_algorithm == "SHA256withRSA"
    assert RECORDED.public_key is not None and RECORDED.public_key.bits == 2048
    assert read_anything(write_pem(RECORDED)).requests == (RECORDED,)


def _asked(key: PrivateKey, *attributes: tuple[str, bytes]) -> CertificateRequest:
    """A request with other attributes than extensions; the signature is left out."""
    parts = [der.sequence(der.oid(oid), der.set_of(value)) for oid, value in attributes]
    body = der.sequence(
        der.integer(0), parse_name("CN=ms").der, key.public_key.der, der.encode(der.context(0), b"".join(parts))
    )
    return CertificateRequest(der.sequence(body, der.algorithm("1.2.840.10045.4.3.2", None), der.bit_string(b"")))


def test_other_attributes_are_shown_in_javas_order() -> None:
    """Texts of the known ones, octets of Microsoft's; extensions stand between them as the Hashtable has it."""
    names = der.sequence(der.sequence(der.oid("2.5.29.17"), der.encode(der.OCTET_STRING, b"\x30\x03\x82\x01a")))
    asked = _asked(
        make.generate_key("EC"),
        ("1.3.6.1.4.1.311.13.2.3", der.encode(der.IA5_STRING, b"10.0")),
        ("1.3.6.1.4.1.311.21.20", der.sequence(der.integer(5))),
        ("1.2.840.113549.1.9.14", names),
        ("1.3.6.1.4.1.311.13.2.2", der.null()),
        ("1.2.840.113549.1.9.2", der.encode(der.UTF8_STRING, "ü".encode())),
        ("1.2.840.113549.1.9.7", der.encode(der.BMP_STRING, "s\n".encode("utf-16-be"))),
    )
    assert RequestAttribute(oid="1.3.6.1.4.1.311.13.2.2", values=(der.null(),)) == asked.attributes[3]
    text = request_text(asked)
    assert 6 == sum(text.count(one) for one in ("\nAttribute: ", "\nExtension Request:\n"))
    assert "Attribute: 1.3.6.1.4.1.311.13.2.3\n1.3.6.1.4.1.311.13.2.3: 160431302e30\n" in text
    assert "Attribute: 1.2.840.113549.1.9.2\nUnstructuredName: [ü]\n" in text
    assert "Attribute: 1.2.840.113549.1.9.7\nChallengePassword: s\\n\n" in text


def test_what_keytool_writes(keytool: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    """keytool's request (NEW CERTIFICATE REQUEST, CR LF inside) and its exported certificate are read."""
    common = ["-keystore", str(tmp_path / "k.jks"), "-storepass", "changeit", "-alias", "k"]
    keytool("-genkeypair", *common, "-keyalg", "EC", "-dname", "CN=ia", "-storetype", "JKS", "-ext", "san=dns:a,ip:::1")
    keytool("-certreq", *common, "-file", str(tmp_path / "k.csr"), "-ext", "san=dns:a.example,ip:10.0.0.1")
    keytool("-exportcert", "-rfc", *common, "-file", str(tmp_path / "k.cer"))
    (request,) = read_anything((tmp_path / "k.csr").read_bytes()).requests
    assert [(one.kind, one.value) for one in request.alternative_names] == [("dns", "a.example"), ("ip", "10.0.0.1")]
    (certificate,) = read_anything((tmp_path / "k.cer").read_bytes()).certificates
    assert request.public_key is not None and certificate.public_key is not None
    assert request.public_key.same_key(certificate.public_key)
    assert [one.value for one in certificate.alternative_names] == ["a", "::1"]


def test_keytool_reads_what_is_written(keytool: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    """PEM with either line end, and PKCS#7, as keytool prints them."""
    for number, data in enumerate([write_pem(CHAIN), write_pem(CHAIN, crlf=True), write_pkcs7(CHAIN)]):
        path = tmp_path / f"{number}.cer"
        path.write_bytes(data)
        done = keytool("-printcert", "-file", str(path))
        owners = [line for line in done.stdout.splitlines() if line.startswith("Owner: ")]
        assert owners == ["Owner: CN=ia.example.com", "Owner: CN=Test Issuing", "Owner: CN=Test Root"]


@given(st.data())
def test_damage_never_raises(draw: st.DataObject) -> None:
    """A view of rubbish is empty and says why."""
    data = bytearray(RECORDED.der[: draw.draw(st.integers(0, len(RECORDED.der)))])
    for _ in range(draw.draw(st.integers(0, 3)) if data else 0):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    request = CertificateRequest(bytes(data))
    assert isinstance(request.subject.text(), str)
    assert isinstance(request.alternative_names, tuple)
    assert request.sha256 and request.version >= -(2**64)

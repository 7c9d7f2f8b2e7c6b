"""request: what a certificate request asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from hypothesis import given
from hypothesis import strategies as st

from keystoretools import CertificateRequest, read_anything, write_pem
from keystoretools.pkcs7 import write_pkcs7
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

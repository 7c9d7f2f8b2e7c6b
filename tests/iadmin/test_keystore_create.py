"""`iadmin keystore create` and `request`: new keys and what is asked for them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cryptography import x509

from agent.errors import ExitStatus
from keystoretools import Format, PrivateKeyEntry, write_pem
from tests.iadmin.fakes import NOW
from tests.iadmin.keystores import SERVER, Site, apia, authority, entry, made
from tests.keystoretools.authority import make as sign
from tests.keystoretools.conftest import keytool  # noqa: F401  (a fixture)


def own(site: Site, alias: str = "server") -> PrivateKeyEntry:
    found = site.open()[alias]
    assert isinstance(found, PrivateKeyEntry)
    return found


def test_a_self_signed_certificate_covers_the_given_names(site: Site) -> None:
    """Names and addresses, 825 days, for servers, no authority."""
    answer = site.run("create", "agent", "--name", SERVER, "--name", "192.0.2.10", "--name", "bücher.example.com")
    assert 0 == answer.status, answer.err
    certificate = own(site, "agent").chain[0].to_cryptography()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [SERVER, "xn--bcher-kva.example.com"] == names.get_values_for_type(x509.DNSName)
    assert ["192.0.2.10"] == [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    assert 825 == (certificate.not_valid_after_utc - NOW).days
    assert certificate.not_valid_before_utc < NOW
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert own(site, "agent").unlock("alarmpoint").fits(own(site, "agent").chain[0])
    assert "iadmin keystore export agent" in answer.out


def test_without_names_those_of_the_machine_are_taken(site: Site) -> None:
    """And told."""
    answer = site.run("create")
    assert ["plant7.example.com", "plant7"] == [name.value for name in own(site).chain[0].alternative_names]
    assert "plant7.example.com" in answer.err


@pytest.mark.parametrize("kind", ["rsa-3072", "ec-256", "ec-384"])
def test_other_keys_can_be_had(site: Site, kind: str) -> None:
    """The certificate verifies, says openssl."""
    assert 0 == site.run("create", "--name", SERVER, "--key-type", kind).status
    pem = write_pem(own(site).chain[0])
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    file = site.world.cwd / "own.pem"
    file.write_bytes(pem)
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", file, "-attime", str(int(NOW.timestamp())), file],
        capture_output=True,
        text=True,
    )
    assert (0, f"{file}: OK\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize(
    "name", ["https://ia.example.com", "ia.example.com:8081", "under_score.example.com", "a b", "", "-x"]
)
def test_what_is_no_host_name_is_refused(site: Site, name: str) -> None:
    """Before a key is made."""
    answer = site.run("create", f"--name={name}")
    assert (ExitStatus.USAGE, []) == (answer.status, site.backups)
    assert "no host name or address" in answer.err


def test_an_entry_is_not_replaced_by_accident(site: Site) -> None:
    """The admin tool's own least of all."""
    answer = site.run("create", "APIA", "--name", SERVER)
    assert ExitStatus.USAGE == answer.status
    assert apia().key == site.open().unlock("apia")
    assert 0 == site.run("create", "apia", "--name", SERVER, "--replace").status
    assert ["apia"] == site.aliases


def test_a_new_home_gets_its_keystore(site: Site) -> None:
    """PKCS#12, with the default password and a warning; --format takes another one."""
    site.path.unlink()
    answer = site.run("create", "--name", SERVER, "--format", "jks")
    assert (0, Format.JKS, 0o600) == (answer.status, site.open().format, site.path.stat().st_mode & 0o777)
    assert "which everybody knows" in answer.err


def test_java_uses_what_was_made(site: Site, keytool) -> None:  # noqa: F811
    """keytool opens key and certificate with the keystore's password alone."""
    assert 0 == site.run("create", "agent", "--name", SERVER).status
    csr = keytool("-certreq", "-alias", "agent", "-keystore", str(site.path), "-storepass", "alarmpoint")
    assert 0 == csr.returncode, csr.stdout
    assert f"CN={SERVER}" in keytool("-list", "-v", "-keystore", str(site.path), "-storepass", "alarmpoint").stdout


def test_a_request_for_a_present_key_asks_for_its_names(site: Site) -> None:
    """The request alone goes to standard output; the keystore stays as it is."""
    site.put(entry("apia", apia()), entry("agent", authority().server))
    before = site.path.read_bytes()
    answer = site.run("request", "agent")
    asked = x509.load_pem_x509_csr(answer.out.encode())
    names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ([SERVER], True) == (names.get_values_for_type(x509.DNSName), asked.is_signature_valid)
    assert asked.public_key() == authority().server.signer.public_key()
    assert (before, []) == (site.path.read_bytes(), site.backups)
    assert "iadmin keystore import" in answer.err


def test_the_whole_way_from_request_to_answer(site: Site) -> None:
    """A new key, the request in a file, the department's answer imported to the key."""
    answer = site.run(
        "request", "agent", "--name", SERVER, "--subject", f"CN={SERVER}, O=Example", "--out", "agent.csr"
    )
    assert 0 == answer.status, answer.err
    asked = x509.load_pem_x509_csr((site.world.cwd / "agent.csr").read_bytes())
    assert f"O=Example,CN={SERVER}" == ",".join(part.rfc4514_string() for part in asked.subject.rdns)
    key = own(site, "agent").unlock("alarmpoint")
    ca = authority()
    issued = sign(SERVER, ca.intermediate, signer=key.to_cryptography(), names=(SERVER,))
    reply = write_pem([ca.root.certificate, issued.certificate, ca.intermediate.certificate])
    assert 0 == site.run("import", site.file("reply.pem", reply)).status
    assert (issued.certificate, ca.intermediate.certificate, ca.root.certificate) == own(site, "agent").chain
    assert key == own(site, "agent").unlock("alarmpoint")
    assert 2 == len(site.backups)


def test_without_an_alias_the_only_key_is_asked_for(site: Site) -> None:
    """Where there is none, one is made; where there are several, they are listed."""
    site.put(entry("apia", apia()), entry("agent", authority().server))
    assert "agent" == site.run("request", "--json").document["alias"]
    site.put(entry("a", authority().server), entry("b", made("b.example.com")))
    assert ExitStatus.USAGE == site.run("request").status
    site.put(entry("apia", apia()))
    assert 0 == site.run("request", "--name", SERVER).status
    assert ["apia", "server"] == site.aliases


def test_a_trusted_certificate_cannot_ask(site: Site) -> None:
    """There is no key in it."""
    from keystoretools import TrustedCertificateEntry

    site.put(TrustedCertificateEntry(alias="ca", certificate=authority().root.certificate))
    answer = site.run("request", "ca")
    assert (ExitStatus.DATA, "without its private key" in answer.err) == (answer.status, True)


def test_a_file_is_not_overwritten(site: Site) -> None:
    """And no key is made for nothing."""
    site.file("agent.csr", b"something else")
    answer = site.run("request", "agent", "--name", SERVER, "--out", "agent.csr")
    assert (ExitStatus.CANNOT_CREATE, ["apia"]) == (answer.status, site.aliases)

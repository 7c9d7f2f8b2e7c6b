"""What `-cacerts` and `-trustcacerts` mean."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from keystoretools import Format, Keystore, PrivateKeyEntry, TrustedCertificateEntry, open_keystore, save_keystore
from keystoretools.keytool import cacerts
from keystoretools.limits import Budget
from keystoretools.pem import write_pem
from tests.keystoretools.authority import Made, make
from tests.keystoretools.keytoolrun import run

PASSWORD = "changeit"


@attrs.frozen
class Machine:
    """A folder with a keystore that has a key, an answer to its request, and a Java that trusts the authority."""

    folder: Path
    root: Made
    environ: dict[str, str]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(cacerts, "JAVA_PLACES", ())
    monkeypatch.setattr(cacerts, "BUNDLE_PLACES", ())
    root = make("Root", authority=True)
    leaf = make("host", root)
    own = PrivateKeyEntry(alias="server", key=leaf.key, chain=(make("self", signer=leaf.signer).certificate,))
    store(tmp_path / "k.p12", own)
    (tmp_path / "leaf.pem").write_bytes(write_pem([leaf.certificate]))
    (tmp_path / "root.pem").write_bytes(write_pem([root.certificate]))
    security = tmp_path / "java/lib/security"
    security.mkdir(parents=True)
    store(security / "cacerts", TrustedCertificateEntry(alias="the-root", certificate=root.certificate))
    return Machine(tmp_path, root, {"JAVA_HOME": str(tmp_path / "java"), "PATH": ""})


def store(path: Path, *entries: PrivateKeyEntry | TrustedCertificateEntry) -> None:
    path.write_bytes(save_keystore(Keystore(format=Format.JKS, entries=entries), PASSWORD, now_ms=1))


REPLY = ("-importcert", "-keystore", "k.p12", "-storepass", PASSWORD, "-alias", "server", "-file", "leaf.pem")


def test_a_reply_is_completed_with_what_java_trusts(machine: Machine) -> None:
    """With -trustcacerts the issuer may lie in Java's truststore; without, it is not looked for there."""
    refused = run(machine.folder, *REPLY, environ=machine.environ)
    assert (1, True) == (refused.status, "Failed to establish chain from reply" in refused.stdout)
    said = run(machine.folder, *REPLY, "-trustcacerts", environ=machine.environ)
    assert (0, "Certificate reply was installed in keystore\n") == (said.status, said.stderr.split("\nWarning")[0])
    entry = open_keystore((machine.folder / "k.p12").read_bytes(), PASSWORD)["server"]
    assert isinstance(entry, PrivateKeyEntry)
    assert machine.root.certificate == entry.chain[-1]


def test_a_root_that_java_trusts_is_told_as_such(machine: Machine) -> None:
    """The question names its alias in the system's keystore, and the certificate need not be compared by eye."""
    line = ("-importcert", "-keystore", "k.p12", "-storepass", PASSWORD, "-alias", "r", "-file", "root.pem")
    said = run(machine.folder, *line, "-trustcacerts", stdin="no\n", environ=machine.environ)
    question = (
        "Certificate already exists in system-wide CA keystore under alias <the-root>\n"
        "Do you still want to add it to your own keystore? [no]:  Certificate was not added to keystore\n"
    )
    assert (0, "", True) == (said.status, said.stdout, said.stderr.startswith(question))


def test_the_systems_bundle_counts_where_there_is_no_java(machine: Machine) -> None:
    """A PEM bundle, named by SSL_CERT_FILE; Java's truststore comes before it."""
    environ = {"PATH": "", "SSL_CERT_FILE": str(machine.folder / "root.pem")}
    assert [("root", machine.root.certificate)] == list(cacerts.trusted(environ, Budget()))
    both = {**machine.environ, **environ}
    assert [("the-root", machine.root.certificate)] == list(cacerts.trusted(both, Budget()))


def test_a_truststore_that_cannot_be_read_trusts_nobody(machine: Machine) -> None:
    """A damaged one is passed over; the command itself goes on."""
    (machine.folder / "java/lib/security/cacerts").write_bytes(b"\xfe\xed\xfe\xed")
    bundle = {**machine.environ, "SSL_CERT_FILE": str(machine.folder / "none")}
    assert () == cacerts.trusted(bundle, Budget())


def test_the_truststore_of_java_is_found_through_the_path(machine: Machine) -> None:
    """A link to `java` somewhere on $PATH leads to the Java it belongs to; Java 8 keeps it below jre/."""
    program = machine.folder / "java/bin/java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (machine.folder / "bin").mkdir()
    (machine.folder / "bin/java").symlink_to(program)
    security = machine.folder / "java/lib/security"
    assert security / "cacerts" == cacerts.find({"PATH": str(machine.folder / "bin")})
    (machine.folder / "java/jre/lib").mkdir(parents=True)
    security.rename(machine.folder / "java/jre/lib/security")
    assert machine.folder / "java/jre/lib/security/cacerts" == cacerts.find({"PATH": str(machine.folder / "bin")})


def test_cacerts_names_the_truststore_of_java(machine: Machine) -> None:
    """-cacerts lists it; without a Java the sentence says how to name the file; with -keystore it is refused."""
    said = run(machine.folder, "-list", "-cacerts", "-storepass", PASSWORD, environ=machine.environ)
    assert (0, True) == (said.status, "the-root, " in said.stdout)
    without = run(machine.folder, "-list", "-cacerts", environ={"PATH": ""})
    assert (1, True) == (without.status, "JAVA_HOME" in without.hints[0])
    both = run(machine.folder, "-list", "-cacerts", "-keystore", "k.p12", environ=machine.environ)
    assert (1, True) == (both.status, "cannot be used with the -cacerts option" in both.stdout)

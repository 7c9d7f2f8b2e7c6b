"""`iadmin keystore remove`, `rename`, `passwd`, `migrate`, `use` and `export`."""

from __future__ import annotations

import shutil
import subprocess

import attrs
import pytest

from agent.config.admin import AdminGatewayConfig
from agent.config.tls import TlsConfig
from agent.errors import ExitStatus
from keystoretools import Format, Password, TrustedCertificateEntry, open_keystore
from tests.iadmin.keystores import SERVER, Site, apia, authority, entry, made
from tests.keystoretools.conftest import keytool  # noqa: F401  (a fixture)

CONFIG = """<?xml version="1.0"?>
<iaconfig>
  <!-- the port of the pumps -->
  <service-gateway   ssl='false' port="8081"/>
</iaconfig>
"""


@pytest.fixture
def full(site: Site) -> Site:
    """`apia`, `new-cert` with its chain, and one key under its own password."""
    ca = authority()
    apart = attrs.evolve(entry("apart", made("apart.example.com")), key_password=Password("its own"))
    site.put(entry("apia", apia()), entry("new-cert", ca.server, ca.intermediate, ca.root), apart)
    (site.path.parent / "iaconfig.xml").write_text(CONFIG)
    return site


def test_an_entry_is_removed_and_the_old_keystore_kept(full: Site) -> None:
    """Aliases are compared as Java does."""
    answer = full.run("remove", "NEW-CERT")
    assert (0, ["apart", "apia"], [".keystore.20250730-120000.bak"]) == (answer.status, full.aliases, full.backups)
    assert "new-cert" in open_keystore((full.path.parent / full.backups[0]).read_bytes(), "alarmpoint")


@pytest.mark.parametrize("words", [["remove", "apia"], ["rename", "apia", "other"]])
def test_the_identity_of_iadmin_is_kept(full: Site, words: list[str]) -> None:
    """Refused with the reason, unless forced."""
    answer = full.run(*words)
    assert (ExitStatus.USAGE, True) == (answer.status, "apia" in full.aliases)
    assert "identity of iadmin itself" in answer.err
    assert 0 == full.run(*words, "--force").status
    assert "apia" not in full.aliases


def test_what_senders_see_is_kept(full: Site) -> None:
    """The configuration would name an entry that is gone."""
    full.serve("new-cert")
    assert ExitStatus.USAGE == full.run("remove", "new-cert").status
    assert ExitStatus.USAGE == full.run("rename", "new-cert", "other").status
    assert 0 == full.run("remove", "new-cert", "--force").status


def test_an_unknown_alias_is_answered_with_those_there_are(full: Site) -> None:
    """Exit status 64, nothing changed."""
    answer = full.run("remove", "newcert")
    assert (ExitStatus.USAGE, []) == (answer.status, full.backups)
    assert '"new-cert"' in answer.err


def test_an_entry_is_renamed(full: Site) -> None:
    """In its place; a name that is taken is refused, and one that cannot be typed."""
    assert 0 == full.run("rename", "new-cert", "ia-2026").status
    assert ["apart", "apia", "ia-2026"] == full.aliases
    assert ExitStatus.USAGE == full.run("rename", "ia-2026", "apart").status
    assert ExitStatus.USAGE == full.run("rename", "ia-2026", "a\nb").status


def test_the_keys_change_with_the_keystore(full: Site) -> None:
    """Those with a password of their own are named."""
    full.file("new", b"quite another\n")
    answer = full.run("passwd", "--new-password-file", "new")
    assert 0 == answer.status
    assert ("apart",) == full.open("quite another").locked_apart()
    assert 'The key "apart" opens with another password' in answer.err
    assert "--key apart" in answer.err


def test_a_person_is_asked_twice_for_a_new_password(full: Site) -> None:
    """Different answers, or a short one, are asked again."""
    full.world.secrets = ["short", "quite another", "quite unother", "quite another", "quite another"]
    assert 0 == full.run("passwd").status
    assert 3 == len(full.open("quite another"))


def test_a_key_comes_under_the_password_of_the_keystore(full: Site) -> None:
    """The cure for `Cannot recover key`."""
    full.world.environ["IA_KEY_PASSWORD"] = "wrong"
    assert ExitStatus.NO_PERMISSION == full.run("passwd", "--key", "apart").status
    full.world.environ["IA_KEY_PASSWORD"] = "its own"
    assert 0 == full.run("passwd", "--key", "apart").status
    assert () == full.open().locked_apart()
    again = full.run("passwd", "--key", "apart")
    assert (0, True) == (again.status, "already" in again.out)


def test_a_short_new_password_is_refused(full: Site) -> None:
    """keytool would not open the keystore any more."""
    full.world.environ["IA_NEW_PASSWORD"] = "12345"
    assert ExitStatus.USAGE == full.run("passwd").status
    assert [] == full.backups


def test_no_password_is_shown_anywhere(full: Site) -> None:
    """Neither in answers nor in sentences."""
    full.world.environ["IA_NEW_PASSWORD"] = "quite-another-one"
    full.world.environ["IA_KEYSTORE_PASSWORD"] = "wrong-by-far"
    for words in (["passwd"], ["list"], ["migrate"], ["passwd", "--json", "--debug"]):
        answer = full.run(*words)
        assert "quite-another-one" not in answer.out + answer.err
        assert "wrong-by-far" not in answer.out + answer.err


def test_a_jks_becomes_a_pkcs12_and_back(full: Site, keytool) -> None:  # noqa: F811
    """All keys under one password; keytool lists the same entries each time."""
    full.world.environ["IA_KEY_PASSWORD"] = "its own"
    assert 0 == full.run("migrate").status
    assert (Format.PKCS12, ()) == (full.open().format, full.open().locked_apart())
    listed = keytool("-list", "-keystore", str(full.path), "-storepass", "alarmpoint", "-storetype", "PKCS12")
    assert "Your keystore contains 3 entries" in listed.stdout
    assert 0 == full.run("migrate", "--to", "jks").status
    assert (Format.JKS, 2) == (full.open().format, len(full.backups))
    listed = keytool("-list", "-keystore", str(full.path), "-storepass", "alarmpoint", "-storetype", "JKS")
    assert "Your keystore contains 3 entries" in listed.stdout
    ca = authority()
    assert ca.server.key == full.open().unlock("new-cert")


def test_migrating_needs_the_password_of_each_key(full: Site) -> None:
    """It is named; nothing is changed."""
    answer = full.run("migrate")
    assert (ExitStatus.NO_PERMISSION, Format.JKS, []) == (answer.status, full.open().format, full.backups)
    assert '"apart"' in answer.err


def test_migrating_to_the_same_format_is_a_mistake(full: Site) -> None:
    """Unless a profile is named."""
    assert ExitStatus.USAGE == full.run("migrate", "--to", "jks").status


def test_the_configuration_names_the_entry_and_keeps_its_layout(full: Site) -> None:
    """Comments, blanks and quotes stay; a backup is made."""
    answer = full.run("use", "NEW-cert")
    assert 0 == answer.status
    edited = (full.path.parent / "iaconfig.xml").read_text()
    assert CONFIG.replace('port="8081"', 'port="8081" alias="new-cert"') == edited
    assert 0 == full.run("use", "new-cert").status
    assert edited == (full.path.parent / "iaconfig.xml").read_text()
    assert 1 == len(list(full.path.parent.glob("iaconfig.xml.*.bak")))


def test_a_running_agent_is_not_said_to_present_it_before_it_does(full: Site) -> None:
    """The configuration is changed; the agent takes it over with a reload."""
    gateway = attrs.evolve(full.world.config.gateways[0], ssl=True)
    full.world.config = attrs.evolve(full.world.config, gateways=(gateway,))
    assert "iadmin reload" in full.run("use", "new-cert").out
    full.world.running = False
    assert "iadmin reload" not in full.run("use", "new-cert").out


@pytest.mark.parametrize("alias", ["gone", "ca", "wrong"])
def test_what_cannot_be_presented_is_not_used(full: Site, alias: str) -> None:
    """No such entry, a trusted certificate, a certificate of another key."""
    ca = authority()
    wrong = attrs.evolve(entry("wrong", made("wrong.example.com")), key=ca.server.key)
    full.put(entry("apia", apia()), wrong, TrustedCertificateEntry(alias="ca", certificate=ca.root.certificate))
    answer = full.run("use", alias)
    assert answer.status in (ExitStatus.USAGE, ExitStatus.DATA)
    assert CONFIG == (full.path.parent / "iaconfig.xml").read_text()


def test_a_configuration_without_gateway_cannot_name_an_entry(full: Site) -> None:
    """The sentence says what is missing."""
    (full.path.parent / "iaconfig.xml").write_text("<iaconfig/>")
    answer = full.run("use", "new-cert")
    assert ExitStatus.CONFIG == answer.status
    assert "service-gateway" in answer.err


def test_a_certificate_is_exported_with_the_commands_for_the_sender(full: Site) -> None:
    """To a file: what it is, its fingerprint, keytool and Windows."""
    answer = full.run("export", "new-cert", "--out", "agent.cer", "--format", "der")
    assert 0 == answer.status
    ca = authority()
    assert ca.server.certificate.der == (full.world.cwd / "agent.cer").read_bytes()
    for words in ("keytool -importcert", "certutil -addstore", ca.server.certificate.sha256.hex(":").upper()):
        assert words in answer.out
    assert ExitStatus.CANNOT_CREATE == full.run("export", "new-cert", "--out", "agent.cer").status


def test_the_authority_is_exported(full: Site) -> None:
    """It stays good when the certificate is renewed."""
    ca = authority()
    answer = full.run("export", "new-cert", "--ca", "--json")
    assert [ca.root.certificate.sha256.hex()] == [one["sha256"] for one in answer.document["certificates"]]


def test_pem_goes_to_standard_output_alone(full: Site) -> None:
    """So that it can be piped; what is said goes elsewhere."""
    answer = full.run("export", "new-cert", "--chain")
    assert 3 == answer.out.count("-----BEGIN CERTIFICATE-----")
    done = subprocess.run(["openssl", "x509", "-noout"], input=answer.out, text=True, check=False)
    assert 0 == done.returncode


@pytest.mark.parametrize("form", ["jks", "pkcs12"])
def test_a_trust_store_is_one_that_java_uses(full: Site, keytool, form: str) -> None:  # noqa: F811
    """One trusted entry, under Java's own default password; no private key leaves."""
    assert 0 == full.run("export", "new-cert", "--ca", "--format", form, "--out", "trust.store").status
    path = full.world.cwd / "trust.store"
    listed = keytool("-list", "-keystore", str(path), "-storepass", "changeit")
    assert "trustedCertEntry" in listed.stdout
    assert () == open_keystore(path.read_bytes(), "changeit").private_keys


def test_without_an_alias_what_senders_see_is_exported(full: Site) -> None:
    """The configured one; where none is named, the only candidate, else they are listed."""
    answer = full.run("export", "--json")
    assert ExitStatus.USAGE == answer.status
    full.serve("new-cert")
    assert "new-cert" == full.run("export", "--json").document["alias"]
    assert [SERVER] == full.run("export", "--json").document["certificates"][0]["names"]


@pytest.mark.parametrize("format", [Format.JKS, Format.PKCS12])
def test_a_full_disk_leaves_the_old_keystore(full: Site, format: Format) -> None:
    """One sentence, exit status 74."""
    from tests.keystoretools.test_files import largest_file

    full.put(entry("apia", apia()), entry("new-cert", made(SERVER)), format=format)
    before = full.path.read_bytes()
    with largest_file(100):
        answer = full.run("remove", "new-cert")
    assert (ExitStatus.IO_ERROR, before, []) == (answer.status, full.path.read_bytes(), full.backups)
    assert "disk is full" in answer.err


def test_the_keystore_and_password_file_of_the_configuration_are_used(full: Site) -> None:
    """The agent and its tool mean the same file; after a change of the password, the file must follow."""
    shutil.move(full.path, full.world.home / "elsewhere.jks")
    (full.world.home / "secret").write_text("alarmpoint\n")
    tls = TlsConfig(
        keystore=full.world.home / "elsewhere.jks",
        is_keystore_named=True,
        keystore_password_file=full.world.home / "secret",
    )
    gateway = attrs.evolve(full.world.config.gateways[0], tls=tls)
    full.world.config = attrs.evolve(full.world.config, gateways=(gateway,))
    listed = full.run("list", "--json").document
    assert (str(full.world.home / "elsewhere.jks"), True) == (listed["keystore"], listed["verified"])
    full.world.environ["IA_NEW_PASSWORD"] = "quite another"
    assert "write the new one into it" in full.run("passwd").err


def test_a_new_password_that_the_admin_gateway_does_not_know(full: Site) -> None:
    """It opened the keystore with the default one, and would not be open after the next start."""
    world = full.world
    admin = AdminGatewayConfig(keystore=world.home / "conf" / ".keystore")
    world.config = attrs.evolve(world.config, admin=admin)
    world.environ["IA_NEW_PASSWORD"] = "quite another"
    assert "<admin-gateway> would open it with the default password" in full.run("passwd").err
    named = attrs.evolve(admin, password_file=world.home / "conf" / "admin.password")
    world.config = attrs.evolve(world.config, admin=named)
    (world.home / "conf" / "admin.password").write_text("quite another\n")
    world.environ["IA_NEW_PASSWORD"] = "quite a third"
    assert "admin.password for its password: write the new one into it" in full.run("passwd").err

"""`iadmin keystore import`: whatever the mail held, it becomes the right entry or a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.errors import ExitStatus
from keystoretools import (
    Format,
    Keystore,
    PrivateKeyEntry,
    SecretKeyEntry,
    TrustedCertificateEntry,
    save_keystore,
)
from keystoretools.lockedkey import SecretKey
from keystoretools.secret import SecretBytes
from tests.iadmin.keystores import SERVER, Site, apia, authority, entry, made, pem, pfx
from tests.keystoretools.authority import make


def key_entry(site: Site, alias: str, password: str = "alarmpoint") -> PrivateKeyEntry:
    found = site.open(password)[alias]
    assert isinstance(found, PrivateKeyEntry)
    return found


def test_a_pfx_comes_under_the_password_of_the_keystore(site: Site) -> None:
    """The trap of keytool: with its own password left on the key, a Java server would not start."""
    ca = authority()
    site.world.environ["IA_SOURCE_PASSWORD"] = "of the pfx"
    answer = site.run(
        "import", site.file("new.pfx", pfx("of the pfx", "new-cert", ca.server, ca.intermediate, ca.root))
    )
    assert (0, ["apia", "new-cert"]) == (answer.status, site.aliases)
    assert () == site.open().locked_apart()
    assert ca.server.key == site.open().unlock("new-cert")
    assert f'Imported the key and certificate of "{SERVER}" as "new-cert"' in answer.out
    assert "has the keystore's password now" in answer.out
    assert [".keystore.20250730-120000.bak"] == site.backups


def test_key_certificate_and_chain_in_three_files_in_any_order(site: Site) -> None:
    """They are put together, and the chain is put in order."""
    ca = authority()
    files = [
        site.file("chain.pem", pem(ca.root.certificate, ca.intermediate.certificate)),
        site.file("server.key", pem(ca.server.key)),
        site.file("server.cer", ca.server.certificate.der),
    ]
    answer = site.run("import", *files, "--alias", "agent")
    assert 0 == answer.status
    links = (ca.server.certificate, ca.intermediate.certificate, ca.root.certificate)
    assert links == key_entry(site, "agent").chain


def test_a_heap_of_keys_is_not_imported_by_halves(site: Site) -> None:
    """More keys than one command opens: nothing is taken, and the way to take over one of them is named."""
    server = made("a.example.com")
    store = Keystore(format=Format.JKS, entries=tuple(entry(f"k{number}", server) for number in range(201)))
    answer = site.run("import", site.file("many.jks", save_keystore(store, "changeit")))
    assert (ExitStatus.DATA, ["apia"]) == (answer.status, site.aliases)
    assert "The files hold 201 private keys; at most 200 are imported in one command" in answer.err
    told = site.run("explain", site.file("many.jks", save_keystore(store, "changeit")))
    assert "There are 201 private keys; the first 200 were tried, the others were not." in told.out


def test_a_missing_intermediate_is_named(site: Site) -> None:
    """The import works, and says what lacks and what to do."""
    ca = authority()
    answer = site.run("import", site.file("all.pem", pem(ca.server.key, ca.server.certificate)))
    assert 0 == answer.status
    assert "WARNING: The certificate of the issuer is missing" in answer.out
    assert "Test Issuer" in answer.out


def test_a_gap_in_the_chain_is_refused(site: Site) -> None:
    """Leaf and root without the one between; --force takes it all the same."""
    ca = authority()
    file = site.file("gap.pem", pem(ca.server.key, ca.server.certificate, ca.root.certificate))
    answer = site.run("import", file)
    assert (ExitStatus.DATA, ["apia"]) == (answer.status, site.aliases)
    assert "Test Issuer" in answer.err
    assert 0 == site.run("import", file, "--force").status


def test_a_certificate_without_its_key_is_refused_with_the_place_of_the_key(site: Site) -> None:
    """And nothing is changed."""
    ca = authority()
    before = site.path.read_bytes()
    answer = site.run("import", site.file("server.cer", ca.server.certificate.der))
    assert (ExitStatus.DATA, before, []) == (answer.status, site.path.read_bytes(), site.backups)
    assert "look on that machine" in answer.err
    assert "--trust" in answer.err


def test_a_certificate_without_its_key_can_be_trusted(site: Site) -> None:
    """When the operator says so."""
    answer = site.run("import", site.file("x.cer", authority().server.certificate.der), "--trust")
    assert (0, ["apia", SERVER]) == (answer.status, site.aliases)
    assert isinstance(site.open()[SERVER], TrustedCertificateEntry)


def test_the_answer_to_a_request_goes_to_its_key(site: Site) -> None:
    """Whatever the alias; the key stays as it is."""
    ca = authority()
    temporary = made(SERVER, signer=ca.server.signer)
    site.put(entry("apia", apia()), entry("agent", temporary))
    reply = pem(ca.root.certificate, ca.server.certificate, ca.intermediate.certificate)
    answer = site.run("import", site.file("reply.pem", reply))
    assert 0 == answer.status, answer.err
    found = key_entry(site, "agent")
    assert (ca.server.certificate, ca.intermediate.certificate, ca.root.certificate) == found.chain
    assert ca.server.key == site.open().unlock("agent")


def test_a_key_that_comes_after_its_certificate_joins_it(site: Site) -> None:
    """The certificate had been imported alone, which keytool allows."""
    ca = authority()
    certificate = TrustedCertificateEntry(alias="new-cert", certificate=ca.server.certificate)
    site.put(entry("apia", apia()), certificate)
    answer = site.run("import", site.file("server.key", pem(ca.server.key)))
    assert (0, ["apia", "new-cert"]) == (answer.status, site.aliases)
    assert ca.server.key == site.open().unlock("new-cert")


def test_a_key_without_certificate_is_refused(site: Site) -> None:
    """It says what is needed."""
    answer = site.run("import", site.file("server.key", pem(authority().server.key)))
    assert ExitStatus.DATA == answer.status
    assert "has no certificate" in answer.err


def test_an_intermediate_completes_the_chain_that_lacks_it(site: Site) -> None:
    """The cure that findings recommend works."""
    ca = authority()
    site.put(entry("apia", apia()), entry("agent", ca.server))
    answer = site.run("import", site.file("issuer.cer", ca.intermediate.certificate.der))
    assert 0 == answer.status
    assert 'Completed the chain of "agent" with "Test Issuer"' in answer.out
    assert (ca.server.certificate, ca.intermediate.certificate) == key_entry(site, "agent").chain


def test_authorities_alone_become_trusted(site: Site) -> None:
    """Each under a name that can be typed."""
    ca = authority()
    answer = site.run("import", site.file("cas.pem", pem(ca.root.certificate, ca.intermediate.certificate)))
    assert (0, ["apia", "test-issuer", "test-root"]) == (answer.status, site.aliases)


def test_the_same_key_again_renews_its_entry(site: Site) -> None:
    """No second entry between which nobody can choose."""
    ca = authority()
    old = made(SERVER, signer=ca.server.signer)
    site.put(entry("apia", apia()), entry("agent", old))
    answer = site.run(
        "import", site.file("new.pem", pem(ca.server.key, ca.server.certificate, ca.intermediate.certificate))
    )
    assert (0, ["agent", "apia"]) == (answer.status, site.aliases)
    assert ca.server.certificate == key_entry(site, "agent").chain[0]


def test_importing_twice_changes_nothing_the_second_time(site: Site) -> None:
    """And says so."""
    file = site.file("own.pem", pem(made("own.example.com").key, made("own.example.com").certificate))
    one = made("own.example.com")
    site.file("own.pem", pem(one.key, one.certificate))
    assert 0 == site.run("import", file).status
    before = site.path.read_bytes()
    answer = site.run("import", file)
    assert (0, before) == (answer.status, site.path.read_bytes())
    assert "has this certificate already" in answer.err


def test_another_key_under_the_same_name_needs_a_word(site: Site) -> None:
    """--alias or --replace."""
    site.put(entry("apia", apia()), entry("agent", made("old.example.com")))
    one = made("new.example.com")
    file = site.file("new.pem", pem(one.key, one.certificate))
    answer = site.run("import", file, "--alias", "agent")
    assert ExitStatus.USAGE == answer.status
    assert "--replace" in answer.err
    assert 0 == site.run("import", file, "--alias", "agent", "--replace").status
    assert one.key == site.open().unlock("agent")


def test_the_identity_of_iadmin_is_not_replaced_by_that_of_another_home(site: Site) -> None:
    """When a whole old keystore is taken over."""
    site.world.environ["IA_SOURCE_PASSWORD"] = "alarmpoint"
    other = Site(site.world)
    old = site.file("old.keystore", pfx("alarmpoint", "apia", made("old apia")))
    answer = other.run("import", old)
    assert 0 == answer.status
    assert apia().key == site.open().unlock("apia")
    assert "iadmin's identity" in answer.err


def test_a_locked_file_asks_for_its_password(site: Site) -> None:
    """A person is asked; a wrong answer is asked again."""
    one = made("own.example.com")
    file = site.file("new.pfx", pfx("difficult", "new-cert", one))
    site.world.secrets = ["wrong", "difficult"]
    assert 0 == site.run("import", file).status
    assert one.key == site.open().unlock("new-cert")
    assert ["new.pfx" in question for question in site.world.questions] == [True, True]


def test_a_locked_file_and_nobody_to_ask(site: Site) -> None:
    """Nothing is imported by halves, and the sentence says how to give the password."""
    file = site.file("new.pfx", pfx("difficult", "new-cert", made("own.example.com")))
    answer = site.run("import", file)
    assert (ExitStatus.NO_PERMISSION, ["apia"]) == (answer.status, site.aliases)
    assert "--source-password-file" in answer.err


def test_a_web_page_is_told_as_such(site: Site) -> None:
    """A failed download, saved under the right name."""
    answer = site.run("import", site.file("new.pfx", b"<!DOCTYPE html><html><body>Log in</body></html>"))
    assert ExitStatus.DATA == answer.status
    assert "web page" in answer.err


def test_a_request_is_not_its_answer(site: Site) -> None:
    """People send back what they were sent."""
    assert 0 == site.run("request", "agent", "--name", SERVER, "--out", "agent.csr").status
    answer = site.run("import", "agent.csr")
    assert ExitStatus.DATA == answer.status
    assert "send it to your certificate department" in answer.err


def test_a_home_without_keystore_gets_one(site: Site) -> None:
    """The home was named, so nothing is mistyped; elsewhere --new is needed."""
    site.path.unlink()
    one = made("own.example.com")
    file = site.file("own.pem", pem(one.key, one.certificate))
    answer = site.run("import", file)
    assert (0, Format.PKCS12, one.key) == (answer.status, site.open().format, site.open().unlock("own.example.com"))
    assert "Created the keystore" in answer.out
    elsewhere = site.run("import", file, "--keystore", "other.p12")
    assert (ExitStatus.NO_INPUT, False) == (elsewhere.status, (site.world.cwd / "other.p12").exists())
    assert "--new" in elsewhere.err
    site.world.environ["IA_KEYSTORE_PASSWORD"] = "chosen one"
    assert 0 == site.run("import", file, "--keystore", "other.p12", "--new").status


@pytest.mark.parametrize("format", list(Format)[:3])
def test_the_format_of_the_keystore_stays(site: Site, format: Format) -> None:
    """A JKS never becomes a PKCS#12 by an import."""
    site.put(entry("apia", apia()), format=format)
    one = made("own.example.com")
    assert 0 == site.run("import", site.file("own.pem", pem(one.key, one.certificate))).status
    assert format is site.open().format


def test_the_default_password_is_taken_with_a_warning(site: Site) -> None:
    """And a password of the operator's own without."""
    one = made("own.example.com")
    file = site.file("own.pem", pem(one.key, one.certificate))
    assert "which everybody knows" in site.run("import", file).err
    site.put(entry("apia", apia()), password="our own")
    site.file("secret", b"our own\r\nsecond line")
    answer = site.run("import", file, "--password-file", "secret")
    assert (0, "") == (answer.status, answer.err)


def test_a_certificate_given_alone_does_not_shorten_its_chain(site: Site) -> None:
    """Key and certificate again, without the intermediate that stands with them already: it stays."""
    ca = authority()
    site.run(
        "import",
        site.file("all.pem", pem(ca.server.key, ca.server.certificate, ca.intermediate.certificate)),
        "--alias",
        "server",
    )
    before = key_entry(site, "server").chain
    again = site.run("import", site.file("two.pem", pem(ca.server.key, ca.server.certificate)))
    assert (0, before) == (again.status, key_entry(site, "server").chain)
    assert "nothing to do for it" in again.err


def test_a_renewed_certificate_takes_over_the_issuers_of_the_old_one(site: Site) -> None:
    """What came alone gets the intermediate that the old certificate stood with."""
    ca = authority()
    site.run(
        "import",
        site.file("all.pem", pem(ca.server.key, ca.server.certificate, ca.intermediate.certificate)),
        "--alias",
        "server",
    )
    renewed = make(
        SERVER, ca.intermediate, signer=ca.server.signer, names=(SERVER,), start=datetime(2025, 6, 1, tzinfo=UTC)
    ).certificate
    assert 0 == site.run("import", site.file("renewed.cer", renewed.der)).status
    assert (renewed, ca.intermediate.certificate) == key_entry(site, "server").chain


def test_importing_is_not_renaming(site: Site) -> None:
    """The configuration may name the entry: --alias for a key that is there already is answered, not followed."""
    ca = authority()
    site.run("import", site.file("old.pem", pem(ca.server.key, ca.server.certificate)), "--alias", "server")
    answer = site.run(
        "import",
        site.file("all.pem", pem(ca.server.key, ca.server.certificate, ca.intermediate.certificate)),
        "--alias",
        "two",
    )
    assert (0, ["apia", "server"]) == (answer.status, site.aliases)
    assert 2 == len(key_entry(site, "server").chain)
    assert "iadmin keystore rename server two" in answer.err


def test_a_missing_file_is_no_bad_file(site: Site) -> None:
    """It has the exit status of missing files, with import and with explain."""
    for verb in ("import", "explain"):
        assert ExitStatus.NO_INPUT == site.run(verb, "nowhere.pfx").status


def test_secret_keys_come_along(site: Site) -> None:
    """Under the keystore's password; again they are there already; a JKS cannot hold them, and that is said."""
    secret = SecretKeyEntry(alias="db", key=SecretKey(algorithm="AES", raw=SecretBytes(b"0123456789abcdef")))
    site.file("s.p12", save_keystore(Keystore(format=Format.PKCS12, entries=(secret,)), "changeit"))
    site.put(entry("apia", apia()))
    answer = site.run("import", "s.p12")
    assert (0, True) == (answer.status, "1 secret key was left out: a JKS keystore cannot hold them" in answer.err)
    site.put(entry("apia", apia()), format=Format.PKCS12)
    assert 'Imported the secret key "db".' in site.run("import", "s.p12").out
    found = site.open().unlock("db")
    assert isinstance(found, SecretKey)
    assert b"0123456789abcdef" == found.raw.reveal()
    assert 'the secret key "db" is in the keystore already' in site.run("import", "s.p12").err


def test_a_secret_key_under_a_taken_name_needs_a_word(site: Site) -> None:
    """Nothing is overwritten without --replace."""
    secret = SecretKeyEntry(alias="web", key=SecretKey(algorithm="AES", raw=SecretBytes(b"0123456789abcdef")))
    site.file("s.p12", save_keystore(Keystore(format=Format.PKCS12, entries=(secret,)), "changeit"))
    site.put(entry("web", made("a.example.com")), format=Format.PKCS12)
    refused = site.run("import", "s.p12")
    assert (64, True) == (refused.status, '"web" is there already' in refused.err)
    assert 0 == site.run("import", "s.p12", "--replace").status
    assert ["web"] == site.aliases


def test_a_second_key_says_loudly_that_somebody_must_choose(site: Site) -> None:
    """None is named: the next start fails. One is named: senders still see that one."""
    site.put(entry("web", made("a.example.com")))
    site.file("new.pfx", pfx("changeit", "new-cert", made("b.example.com")))
    out = site.run("import", "new.pfx").out
    assert "the next start with HTTPS fails" in out
    assert "iadmin keystore use new-cert" in out
    site.put(entry("web", made("a.example.com")))
    site.serve("web")
    assert 'Senders still see "web". To show them the new one: iadmin keystore use new-cert' in (
        site.run("import", "new.pfx").out
    )

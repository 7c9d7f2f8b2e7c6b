"""`iadmin keystore list`, `check` and `explain`: looking changes nothing and says everything."""

from __future__ import annotations

import re
from datetime import timedelta

import attrs
import pytest

from agent.errors import ExitStatus
from iadmin.commands.keystore import COMMANDS
from keystoretools import Format, Keystore, save_keystore
from tests.iadmin.fakes import NOW
from tests.iadmin.keystores import SERVER, Site, apia, authority, entry, made, pem, pfx


def two(site: Site, **options) -> None:
    ca = authority()
    site.put(entry("apia", apia()), entry("new-cert", ca.server, ca.intermediate, ca.root), **options)


def test_a_listing_shows_names_issuer_and_days_left(site: Site) -> None:
    """And which entry senders see."""
    two(site)
    answer = site.run("list")
    assert 0 == answer.status
    lines = answer.out.splitlines()
    row = next(line for line in lines if line.startswith("new-cert"))
    expected = [
        "new-cert",
        "key",
        SERVER,
        "Test Issuer",
        "2026-01-01",
        "154 days",
        "EC secp256r1",
        "presented to senders",
    ]
    assert expected == re.split(r" {2,}", row)
    assert "iadmin's own" in next(line for line in lines if line.startswith("apia"))


def test_the_listing_as_json_has_what_a_program_wants(site: Site) -> None:
    """Fingerprints, dates, names, what Java would have presented."""
    two(site)
    data = site.run("list", "--json").document
    ca = authority()
    found = {one["alias"]: one for one in data["entries"]}
    assert ("JKS", True, "new-cert", "new-cert") == (
        data["format"],
        data["verified"],
        data["presented"],
        data["java_would_present"],
    )
    assert [ca.server.certificate.sha256.hex()] == [one["sha256"] for one in found["new-cert"]["certificates"]][:1]
    assert [SERVER] == found["new-cert"]["certificates"][0]["names"]


def test_a_listing_needs_no_password(site: Site) -> None:
    """It says that nothing was verified, and how to give the password."""
    two(site, password="our own")
    answer = site.run("list")
    assert 0 == answer.status
    assert "new-cert" in answer.out
    assert "--password-file" in answer.err
    assert "unverified" in answer.err


def test_a_wrong_password_is_no_missing_one(site: Site) -> None:
    """Where one was given, it must fit."""
    two(site, password="our own")
    site.world.environ["IA_KEYSTORE_PASSWORD"] = "quite-another"
    answer = site.run("list")
    assert ExitStatus.NO_PERMISSION == answer.status
    assert "IA_KEYSTORE_PASSWORD" in answer.err
    assert "quite-another" not in answer.err


def test_a_keystore_that_is_not_there_is_said_so(site: Site) -> None:
    """With a file of nearly that name, and without making one."""
    answer = site.run("list", "--keystore", "home/conf/.keystor")
    assert ExitStatus.NO_INPUT == answer.status
    assert "Did you mean" in answer.err
    assert not (site.path.parent / ".keystor").exists()


def test_a_good_keystore_checks_good(site: Site) -> None:
    """Exit status 0, nothing but remarks."""
    two(site, password="our own", format=Format.PKCS12)
    site.world.environ["IA_KEYSTORE_PASSWORD"] = "our own"
    answer = site.run("check", "--strict", "--name", SERVER, "--json")
    assert (0, True) == (answer.status, answer.document["good"]), answer.out


@pytest.mark.parametrize(
    ("changes", "arguments", "code", "words"),
    [
        ({"days": 100}, [], "expired", "iadmin keystore request"),
        ({}, ["--name", "other.example.com"], "host-not-covered", "does not cover"),
    ],
)
def test_what_is_wrong_makes_the_exit_status_1(site: Site, changes, arguments, code, words) -> None:
    """With the remedy."""
    site.put(entry("apia", apia()), entry("agent", made(SERVER, **changes)))
    answer = site.run("check", *arguments)
    assert 1 == answer.status
    assert words in answer.out
    found = site.run("check", *arguments, "--json").document["findings"]
    assert ("error", code) == (found[0]["severity"], found[0]["code"])


def test_a_key_under_another_password_is_an_error(site: Site) -> None:
    """The trap of keytool's import, found in an old keystore."""
    one = attrs.evolve(entry("agent", made(SERVER)), key_password="of the pfx")
    from keystoretools import Password

    site.put(entry("apia", apia()), attrs.evolve(one, key_password=Password("of the pfx")))
    answer = site.run("check")
    assert 1 == answer.status
    assert "Cannot recover key" in answer.out
    assert "iadmin keystore passwd --key agent" in answer.out


def test_expiry_is_warned_of_as_early_as_wanted(site: Site) -> None:
    """Monitoring asks with --days and --strict."""
    two(site)
    site.path.chmod(0o600)
    codes = {one["code"] for one in site.run("check", "--days", "200", "--json").document["findings"]}
    assert "expires-soon" in codes
    codes = {one["code"] for one in site.run("check", "--days", "100", "--json").document["findings"]}
    assert "expires-soon" not in codes
    assert 1 == site.run("check", "--days", "200", "--strict").status


def test_a_file_that_others_can_read_is_told(site: Site) -> None:
    """The library does not see modes."""
    site.path.chmod(0o644)
    assert "readable-by-others" in {one["code"] for one in site.run("check", "--json").document["findings"]}


def test_an_entry_that_the_configuration_names_must_be_there(site: Site) -> None:
    """Otherwise the agent would not start."""
    site.serve("gone")
    answer = site.run("check")
    assert 1 == answer.status
    assert '"gone"' in answer.out


def test_explain_says_what_belongs_together_and_what_to_do(site: Site) -> None:
    """Several files of one mail at once."""
    ca = authority()
    files = [site.file("server.key", pem(ca.server.key)), site.file("server.cer", ca.server.certificate.der)]
    answer = site.run("explain", *files)
    assert 0 == answer.status
    assert "What belongs together:" in answer.out
    assert f'fits the certificate "{SERVER}"' in answer.out
    assert "iadmin keystore import server.key server.cer" in answer.out
    assert "Test Issuer" in answer.out


def test_explain_knows_the_keys_at_home(site: Site) -> None:
    """The key to a lonely certificate may be where the request was made: here."""
    ca = authority()
    site.put(entry("apia", apia()), entry("agent", made(SERVER, signer=ca.server.signer)), password="unknown to us")
    answer = site.run("explain", site.file("server.cer", ca.server.certificate.der))
    assert 0 == answer.status
    assert "is in the agent's keystore, under the alias agent" in answer.out
    assert "look on that machine" not in answer.out
    assert "came without its private key" not in answer.out


def test_explain_needs_no_home(site: Site) -> None:
    """It is for files, wherever one is."""
    site.world.environ["IA_HOME"] = "nowhere"
    assert 0 == site.run("explain", site.file("x.cer", authority().server.certificate.der)).status


def test_explain_opens_what_a_well_known_password_opens(site: Site) -> None:
    """And says that it was one."""
    answer = site.run("explain", site.file("new.pfx", pfx("changeit", "new-cert", made(SERVER))))
    assert 0 == answer.status
    assert "well-known password" in answer.err
    assert "new-cert" in answer.out


def test_explain_goes_on_after_a_file_of_no_use(site: Site) -> None:
    """The others are explained; the exit status tells."""
    files = [site.file("a.pfx", b"<html></html>"), site.file("b.cer", authority().server.certificate.der), "missing"]
    answer = site.run("explain", *files)
    assert ExitStatus.DATA == answer.status
    assert "a.pfx: " in answer.out
    assert SERVER in answer.out
    assert "missing: There is no file" in answer.out


def test_nothing_that_looks_changes_anything(site: Site) -> None:
    """Neither the keystore nor its folder."""
    two(site)
    before = site.path.read_bytes()
    for words in (["list"], ["check"], ["explain", "home/conf/.keystore"]):
        site.run(*words)
    assert (before, []) == (site.path.read_bytes(), site.backups)


def test_hostile_names_do_not_reach_the_terminal(site: Site) -> None:
    """Aliases and subjects are escaped."""
    site.put(entry("\x1b[2Jevil", made("\x1b]0;evil\x07")))
    for words in (["list"], ["check"], ["explain", "home/conf/.keystore"]):
        answer = site.run(*words)
        assert "\x1b" not in answer.out + answer.err


def test_every_verb_says_in_the_list_what_its_help_says(site: Site) -> None:
    """The first sentence of the command's own help."""
    for name, (_, sentence) in COMMANDS.items():
        assert f"  {sentence}\n" in site.run(name, "--help").out


def test_expired_long_ago_and_not_yet_valid_are_shown(site: Site) -> None:
    """In the listing itself: keytool does not say a word."""
    site.put(entry("old", made(SERVER, days=10)), entry("next", made("later", start=NOW + timedelta(days=9))))
    assert "EXPIRED" in site.run("list").out


def test_a_home_without_keystore_says_how_to_make_one(site: Site) -> None:
    """Nobody has done anything wrong yet."""
    site.path.unlink()
    answer = site.run("list")
    assert (ExitStatus.NO_INPUT, True) == (answer.status, "iadmin keystore create" in answer.err)


def test_sealed_certificates_are_not_taken_for_missing_ones(site: Site) -> None:
    """A PKCS#12 without its password shows names only."""
    two(site, password="our own", format=Format.PKCS12)
    answer = site.run("list")
    assert (0, True) == (answer.status, "not to be told without the password" in answer.out)


def test_explain_as_json_has_the_certificates_of_keystores_too(site: Site) -> None:
    """Beside those that stand in files by themselves; each where it was found."""
    ca = authority()
    store = Keystore(format=Format.JKS, entries=(entry("agent", ca.server, ca.intermediate),))
    files = [
        site.file("agent.jks", save_keystore(store, "changeit")),
        site.file("root.pem", pem(ca.root.certificate)),
    ]
    data = site.run("explain", *files, "--json").document
    assert [("root.pem, line 1", ca.root.certificate.sha256.hex())] == [
        (one["place"], one["sha256"]) for one in data["certificates"]
    ]
    (found,) = data["keystores"]
    assert ("agent.jks", "JKS", 0) == (found["place"], found["format"], found["left_out"])
    (one,) = found["entries"]
    assert ("agent", [ca.server.certificate.sha256.hex(), ca.intermediate.certificate.sha256.hex()]) == (
        one["alias"],
        [each["sha256"] for each in one["certificates"]],
    )

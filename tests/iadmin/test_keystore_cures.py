"""What a finding recommends can be pasted, and mends it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import attrs
import click
import pytest

from iadmin.commands.keystore import COMMANDS, keystore
from keystoretools import Password, cures, save_keystore
from keystoretools.model import Format
from tests.iadmin.keystores import SERVER, Site, apia, authority, entry, made

SOURCES = Path(cures.__file__).parent
SAMPLES = Path(__file__).parents[1] / "keystoretools" / "samples"
CONFIG = "<iaconfig>\n<service-gateway ssl='false'/>\n</iaconfig>\n"


def found(site: Site, code: str) -> list[dict]:
    return [one for one in site.run("check", "--json").document["findings"] if one["code"] == code]


def paste(site: Site, cure: str) -> None:
    match = re.search(r"iadmin keystore (.*)", cure)
    assert match is not None, cure
    answer = site.run(*shlex.split(match[1]))
    assert 0 == answer.status, answer.err


def key_apart(site: Site) -> None:
    site.put(entry("apia", apia()), attrs.evolve(entry("agent", made(SERVER)), key_password=Password("of the pfx")))


def several(site: Site) -> None:
    site.put(entry("apia", apia()), entry("a", made(SERVER)), entry("b", made("b.example.com")))


def odd(site: Site) -> None:
    site.put(entry("a b ", made(SERVER)))


def stock(site: Site) -> None:
    site.put(entry("apia", apia()), entry("agent", made(SERVER)))


def expired(site: Site) -> None:
    site.put(entry("apia", apia()), entry("agent", made(SERVER, days=9)))


def modern(site: Site) -> None:
    from keystoretools import MODERN, Keystore

    store = Keystore(format=Format.PKCS12, entries=(entry("agent", made(SERVER)),))
    site.path.write_bytes(save_keystore(store, "alarmpoint", profile=MODERN))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (key_apart, "key-password-differs"),
        (several, "several-identities"),
        (odd, "odd-alias"),
        (stock, "default-password"),
        (stock, "weak-store-protection"),
        (modern, "old-java-cannot-read"),
    ],
)
def test_the_cure_is_pasted_and_the_finding_is_gone(site: Site, make, code: str) -> None:
    """As it stands, with passwords in the environment."""
    make(site)
    (site.path.parent / "iaconfig.xml").write_text(CONFIG)
    site.world.environ |= {"IA_KEY_PASSWORD": "of the pfx", "IA_NEW_PASSWORD": "quite another"}
    (finding,) = found(site, code)
    paste(site, finding["cure"])
    if code == "default-password":
        site.world.environ["IA_KEYSTORE_PASSWORD"] = "quite another"
    if code == "several-identities":
        site.serve("b" if 'alias="b"' in (site.path.parent / "iaconfig.xml").read_text() else "a")
    assert [] == found(site, code)


def test_the_cure_of_an_expired_certificate_is_a_request(site: Site) -> None:
    """The rest is up to the certificate department."""
    expired(site)
    paste(site, found(site, "expired")[0]["cure"])


def test_the_cure_of_a_missing_intermediate_is_its_import(site: Site) -> None:
    """Under the name that the sentence gives the file."""
    ca = authority()
    site.put(entry("agent", ca.server))
    site.file("issuer.cer", ca.intermediate.certificate.der)
    paste(site, found(site, "chain-incomplete")[0]["cure"])
    assert [] == found(site, "chain-incomplete")


def test_every_recommended_command_exists_with_its_options() -> None:
    """Wherever the library writes one down."""
    context = click.Context(keystore)
    recommended = [
        re.findall(r"""["']([^"']+)["']""", arguments)
        for path in SOURCES.glob("*.py")
        for arguments in re.findall(r"cures\.command\(([^()]*)\)|(?<=\{)command\(([^()]*)\)", path.read_text("utf-8"))
        for arguments in arguments
        if arguments
    ]
    assert len(recommended) > 8
    for verb, *words in recommended:
        assert verb in COMMANDS
        command = keystore.get_command(context, verb)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options

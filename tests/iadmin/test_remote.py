"""Agents on other machines: addresses, keys, what does not work from afar (the way: tests/control/test_admin.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ExitStatus, OperatorError
from iadmin.commands.adminkey import admin_key
from iadmin.commands.lazy import Switches
from iadmin.remote import parse_address
from tests.iadmin.fakes import World
from tests.iadmin.keystores import apia, made, pfx
from tests.keystoretools.authority import Made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plant7", ("plant7", 8082)),
        ("plant7:9000", ("plant7", 9000)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[2001:db8::7]:9000", ("2001:db8::7", 9000)),
        ("[2001:db8::7]", ("2001:db8::7", 8082)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    """The port may be left out."""
    assert expected == parse_address(text)


@pytest.mark.parametrize(
    "text", ["", ":8082", "plant7:", "plant7:x", "plant7:0", "plant7:65536", "https://plant7:8082", "2001:db8::7"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With an example; exit status 64."""
    with pytest.raises(OperatorError, match="say HOST:PORT") as failure:
        parse_address(text)
    assert ExitStatus.USAGE == failure.value.exit_status


def put(path: Path, alias: str, one: Made, *, password: str = "alarmpoint") -> Path:
    path.write_bytes(pfx(password, alias, one))
    return path


def key_of(world: World, **switches: str) -> object:
    chosen = Switches()
    for name, value in {"connect": "plant7", **switches}.items():
        setattr(chosen, name, value)
    return admin_key(world.build(chosen))


def test_the_key_is_that_of_the_keystore_that_is_named(world: World) -> None:
    """Else that of the home on this machine."""
    own = put(world.cwd / "copy", "apia", apia())
    assert apia().certificate == key_of(world, keystore="copy").certificate  # type: ignore[attr-defined]
    own.rename(world.home / "conf" / ".keystore")
    assert apia().certificate == key_of(world).certificate  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("alias", "words", "status"), [("server", "'apia'", ExitStatus.DATA), ("", "There is no file", ExitStatus.NO_INPUT)]
)
def test_a_keystore_of_no_use_is_a_sentence(world: World, alias: str, words: str, status: ExitStatus) -> None:
    """Not a fault of the configuration: the file was named here."""
    if alias:
        put(world.cwd / "copy", alias, made("x.example.com"))
    with pytest.raises(OperatorError, match=words) as failure:
        key_of(world, keystore="copy")
    assert status == failure.value.exit_status


def test_passwords_come_from_file_environment_or_person(world: World, tmp_path: Path) -> None:
    """In this order; a wrong one that was given is not asked for."""
    put(world.cwd / "copy", "apia", apia(), password="quite secret")
    (world.cwd / "pw").write_text("quite secret\n")
    assert key_of(world, keystore="copy", keystore_password_file="pw")
    with pytest.raises(OperatorError, match="--keystore-password-file or in IA_KEYSTORE_PASSWORD") as failure:
        key_of(world, keystore="copy")
    assert ExitStatus.NO_PERMISSION == failure.value.exit_status
    world.secrets = ["wrong", "quite secret"]
    assert key_of(world, keystore="copy")
    world.environ["IA_KEYSTORE_PASSWORD"] = "wrong again"
    with pytest.raises(OperatorError, match="IA_KEYSTORE_PASSWORD does not open"):
        key_of(world, keystore="copy")


def test_without_a_keystore_there_is_nothing_to_prove(world: World) -> None:
    """Where no home is on this machine, one must be named."""
    world.home.rename(world.cwd / "elsewhere")
    with pytest.raises(OperatorError, match="with --keystore FILE"):
        key_of(world)


def test_commands_on_files_say_that_they_do_not_reach_there(world: World) -> None:
    """Rather than working on the home that happens to be here."""
    for words in (("config", "show"), ("spool", "check"), ("keystore", "list")):
        answer = world.run("--connect", "plant7:8082", *words)
        assert (ExitStatus.USAGE, "") == (answer.status, answer.out)
        assert "--connect plant7:8082 does not reach" in answer.err


@pytest.mark.parametrize(
    "words", [("status",), ("event", "list"), ("deadletter", "list"), ("service", "list"), ("reload",)]
)
def test_commands_on_a_running_agent_work_from_afar(world: World, words: tuple[str, ...]) -> None:
    """Before or behind the command; no home is needed here."""
    world.home.rename(world.cwd / "elsewhere")
    assert 0 == world.run("--connect", "plant7:8082", *words).status
    assert 0 == world.run(*words, "--connect", "plant7:8082").status


def test_bare_names_of_services_are_those_of_the_agent_that_is_asked(world: World) -> None:
    """Its configuration is not here."""
    world.home.rename(world.cwd / "elsewhere")
    assert 0 == world.run("--connect", "plant7", "event", "list", "--service", "sample-plan").status
    assert "applications|sample-plan" == world.link.asked[-1]["service"]

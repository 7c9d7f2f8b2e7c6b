"""iadmin secret: credentials of senders."""

from __future__ import annotations

import stat

from agent.credential import PasswordHash, hash_token, parse_key
from tests.iadmin.fakes import World


def test_a_password_from_a_file(world: World) -> None:
    """The line, and nothing else, so that it can be appended to a file."""
    (world.cwd / "new").write_text("correct horse\n", encoding="utf-8")
    answer = world.run("secret", "password", "EMSAdmin", "--password-file", "new")
    name, _, hashed = answer.out.strip().partition(":")
    assert (0, "EMSAdmin") == (answer.status, name)
    assert PasswordHash.parse(hashed).matches(b"correct horse")


def test_a_password_is_asked_for_twice(world: World) -> None:
    """Without an echo, and never on the command line; what differs is not taken."""
    world.secrets = ["secret-1", "secret-1"]
    answer = world.run("secret", "password", "a", "--json")
    assert PasswordHash.parse(answer.document["line"].partition(":")[2]).matches(b"secret-1")
    world.secrets = ["secret-1", "secret-2"] * 3
    assert 64 == world.run("secret", "password", "a").status


def test_nobody_to_ask(world: World) -> None:
    """A script is told how to give the password."""
    answer = world.run("secret", "password", "a")
    assert 64 == answer.status
    assert "give it with --password-file FILE or $IA_NEW_PASSWORD" in answer.err


def test_tokens_and_keys(world: World) -> None:
    """Each time another one; the line goes with it."""
    answer = world.run("secret", "token", "crm", "--json").document
    assert f"crm:{hash_token(answer['token'])}" == answer["line"]
    assert answer["token"] != world.run("secret", "token", "crm", "--json").document["token"]
    answer = world.run("secret", "key", "plant7", "--json").document
    assert bytes.fromhex(answer["key"]) == parse_key(answer["line"].partition(":")[2])


def test_adding_to_a_file(world: World) -> None:
    """A new file is for its owner only; the token is still shown; what stands there stays."""
    file = world.cwd / "senders"
    answer = world.run("secret", "token", "crm", "--add", "senders")
    assert answer.out.startswith("token")
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    file.write_text(file.read_text("utf-8").rstrip("\n"), encoding="utf-8")
    answer = world.run("secret", "key", "crm", "--add", "senders")
    assert "'crm' has 1 more in that file" in answer.out
    assert [True, True] == [line.startswith("crm:$") for line in file.read_text("utf-8").splitlines()]


def test_a_password_that_nobody_types(world: World) -> None:
    """The account is named as it is written: names of accounts are case-sensitive."""
    answer = world.run("secret", "password", "EMSAdmin")
    assert (64, True) == (answer.status, "password of EMSAdmin is needed; give it with --password-file" in answer.err)


def test_names_that_do_not_fit(world: World) -> None:
    """What cannot stand in front of a colon, in a line."""
    for name in ("a:b", " a", "#a", "a\n", ""):
        assert 64 == world.run("secret", "token", name).status

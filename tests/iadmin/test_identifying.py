"""iadmin.commands.identifying: who `event send` says it is."""

from __future__ import annotations

import pytest

from agent.credential import show_key
from agent.wire.authorization import Signature, read_authorization
from agent.wire.signature import is_signed
from tests.iadmin.fakes import NOW, World

KEY = bytes(range(32))


def sent(world: World, *words: str) -> str:
    """What the gateway was shown."""
    assert 0 == world.run("event", "send", "sample-plan", "-", *words).status
    return world.post_facts[-1][0].get("Authorization", "")


def test_without_a_word_nothing_is_shown(world: World) -> None:
    """Also no client certificate."""
    assert ("", None) == (sent(world), world.client_files)


def test_a_token_comes_from_a_file_or_the_environment(world: World) -> None:
    """The environment's only where nothing else is named."""
    (world.cwd / "token").write_text("abcdefghijklmnopqrst\n")
    world.environ["IA_SENDER_TOKEN"] = "from-the-environment"
    world.environ["IA_SENDER_PASSWORD"] = "pw"
    assert "Bearer abcdefghijklmnopqrst" == sent(world, "--token-file", "token")
    assert "Bearer from-the-environment" == sent(world)
    assert "Basic RU1TOnB3" == sent(world, "--user", "EMS")


@pytest.mark.parametrize("text", [KEY.hex(), f"plant7:{show_key(KEY)}", show_key(KEY)])
def test_a_signature_is_one_that_the_gateway_takes(world: World, text: str) -> None:
    """The key is what `iadmin secret key` printed, or its line."""
    (world.cwd / "key").write_text(text + "\n")
    world.stdin = b"<event/>"
    shown = read_authorization(sent(world, "--signer", "plant7", "--signing-key-file", "key").encode())
    assert isinstance(shown, Signature)
    target = b"/http/applications_sample-plan"
    assert is_signed(shown, KEY, method="POST", target=target, body=b"<event/>")
    assert ("plant7", int(NOW.timestamp())) == (shown.key, shown.made_s)


def test_a_client_certificate_is_two_files_or_one(world: World) -> None:
    """The passphrase is asked for only where the key is encrypted."""
    for name in ("a.pem", "a.key"):
        (world.cwd / name).write_text("x")
    sent(world, "--cert", "a.pem")
    assert world.client_files is not None
    assert (world.cwd / "a.pem", world.cwd / "a.pem") == (world.client_files.certificate, world.client_files.key)
    sent(world, "--cert", "a.pem", "--key", "a.key")
    assert world.cwd / "a.key" == world.client_files.key
    world.environ["IA_SENDER_PASSPHRASE"] = "open"
    assert "open" == world.client_files.passphrase().reveal()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--user", "a", "--signer", "b"), "--user and --signer are two ways"),
        (("--password-file", "x"), "--password-file needs --user"),
        (("--signing-key-file", "x"), "--signing-key-file needs --signer"),
        (("--key", "x"), "--key needs --cert"),
        (("--user", "a:b"), "no colon"),
        (("--signer", "a"), "the key of a is needed; give it with --signing-key-file FILE or $IA_SENDER_KEY"),
        (("--signer", "a", "--signing-key-file", "wrong"), "is not one that iadmin secret key has printed"),
        (("--token-file", "blank"), "no header can carry"),
    ],
)
def test_what_does_not_go_together_is_told(world: World, words: tuple[str, ...], told: str) -> None:
    """And nothing is sent."""
    (world.cwd / "wrong").write_text("canary\n")
    (world.cwd / "blank").write_text("two words\n")
    answer = world.run("event", "send", "sample-plan", "-", *words)
    assert (64, []) == (answer.status, world.posts)
    assert told in answer.err
    assert "canary" not in answer.err


def test_a_missing_certificate_is_named(world: World) -> None:
    """Before anything is sent."""
    answer = world.run("event", "send", "sample-plan", "-", "--cert", "none.pem")
    assert (66, []) == (answer.status, world.posts)
    assert "there is no file" in answer.err


def test_a_sealed_file_is_opened(world: World) -> None:
    """As `iapassword` writes them; so are password files of keystores."""
    (world.cwd / "token").write_bytes(b"iapassword:1:abcd\n")
    assert "Basic RU1TOnNlYWxlZCBpbiB0b2tlbg==" == sent(world, "--user", "EMS", "--password-file", "token")

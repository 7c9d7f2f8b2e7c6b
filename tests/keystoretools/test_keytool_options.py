"""The command line: names, old spellings, mistakes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystoretools.keytool import help as help_texts
from keystoretools.keytool.options import COMMANDS, OPTIONS, UsageError, read
from tests.keystoretools.keytoolrun import run


@pytest.mark.parametrize(
    ("word", "command"),
    [("-import", "importcert"), ("-export", "exportcert"), ("-genkey", "genkeypair"), ("-LIST", "list")],
)
def test_old_spellings_and_any_case_are_read(word: str, command: str) -> None:
    """Guides of fifteen years ago still work."""
    found = read([word]).command
    assert found is not None and command == found.name


def test_the_last_of_two_counts_and_ext_collects() -> None:
    """Of an option given twice the last one counts; `-ext` is meant to be repeated."""
    found = read(["-genkeypair", "-alias", "a", "-ext", "bc", "-ALIAS", "b", "-ext", "ku=ds"])
    assert ("b", ("bc", "ku=ds"), ("alias",)) == (found.get("alias"), found.extensions, found.repeated)


@pytest.mark.parametrize(
    ("argv", "sentence", "hint"),
    [
        (["-list", "-keystroe", "x"], "Illegal option:  -keystroe", 'Did you mean "-keystore"?'),
        (["-lst"], "Illegal option:  -lst", 'Did you mean "-list"?'),
        (["-list", "-conf", "x"], "The option -conf is not available here", "Write the options of its file out."),
        (["-list", "-keystore"], "Command option -keystore needs an argument.", ""),
        (["-list", "-alias:env", "x"], "Illegal option:  -alias:env", ""),
        (["-list", "my store.jks"], "Illegal option:  my store.jks", "quotation marks"),
    ],
)
def test_a_mistake_is_named_with_the_nearest_right_word(argv: list[str], sentence: str, hint: str) -> None:
    """keytool's own sentence, and what was probably meant."""
    with pytest.raises(UsageError) as caught:
        read(argv)
    assert sentence == caught.value.sentence
    assert hint in caught.value.hint


def test_an_option_of_another_command_is_ignored_and_named() -> None:
    """`-delete -noprompt` stands in many guides, and keytool takes it; a line says that it does nothing."""
    found = read(["-delete", "-noprompt", "-alias", "x"])
    assert "x" == found.get("alias")
    assert ('"-noprompt" says nothing to -delete and was ignored; it belongs to -importcert, -importkeystore.',) == (
        found.hints
    )


@pytest.mark.parametrize(
    ("argv", "values"),
    [
        (
            "-importkeystore -alias a -keystore k -storetype t",
            {"srcalias": "a", "destkeystore": "k", "deststoretype": "t"},
        ),
        ("-importkeystore -storepass:env P -dest d", {"deststorepass:env": "P", "destalias": "d"}),
        ("-list -srcalias a -destkeystore k -deststorepass p", {"alias": "a", "keystore": "k", "storepass": "p"}),
        ("-list -provider a.B", {"providerclass": "a.B"}),
    ],
)
def test_either_of_two_names_of_one_option_does(argv: str, values: dict[str, str]) -> None:
    """For keytool -keystore and -destkeystore are one option, -alias and -srcalias too, in whatever command."""
    found = read(argv.split())
    assert (values, ()) == (found.values, found.hints)


def test_a_repeated_option_is_one_that_was_typed_twice() -> None:
    """keytool warns of the same letters only, and then the last one counts anyway."""
    found = read(["-list", "-storepass", "a", "-storepass:env", "B", "-keystore", "x", "-KEYSTORE", "y", "-v", "-v"])
    assert (("keystore", "v"), {"storepass:env": "B", "keystore": "y"}) == (found.repeated, found.values)


def test_options_without_a_command_are_a_usage_error(tmp_path: Path) -> None:
    """keytool says so, shows the help and fails."""
    said = run(tmp_path, "-keystore", "k.jks")
    assert (1, f"Usage error: no command provided\n{help_texts.overview()}") == (said.status, said.stderr)


def test_missing_and_typographic_dashes_are_mended() -> None:
    """Lines copied from web pages: no dash, or a word processor's."""
    found = read(["storepasswd", "keystore", "x.jks", "\N{EN DASH}storepass", "secret"])
    assert "storepasswd" == (found.command and found.command.name)
    assert ("x.jks", "secret") == (found.get("keystore"), found.get("storepass"))
    assert 3 == len(found.hints)


@given(st.lists(st.sampled_from([*(f"-{name}" for name in (*OPTIONS, *COMMANDS)), "x", "-", "--", "-J", "", "-é"])))
def test_any_line_is_read_or_refused(argv: list[str]) -> None:
    """Nothing but UsageError comes out."""
    with contextlib.suppress(UsageError):
        read(argv)


@given(st.text())
def test_no_password_shows_in_the_invocation(word: str) -> None:
    """What was given to -storepass is not in the repr."""
    assert "s3cret-" + word not in repr(read(["-list", "-storepass", "s3cret-" + word]))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_keytools(name: str, keytool: Callable[..., CompletedProcess[str]]) -> None:
    """The help of each command equals that of JDK 17, letter for letter."""
    version = keytool("-J-version").stderr
    if not re.search(r'version "17\.', version):
        pytest.skip("the keytool here is not that of JDK 17")
    assert keytool(f"-{name}", "-help").stderr == help_texts.of_command(COMMANDS[name])


def test_help_goes_to_stderr(tmp_path: Path) -> None:
    """As in keytool, so that stdout stays for results."""
    said = run(tmp_path)
    assert (0, "", help_texts.overview()) == (said.status, said.stdout, said.stderr)


@pytest.mark.parametrize("name", ["printcrl", "showinfo", "gencrl", "selfcert"])
def test_commands_that_are_not_ours_are_named(name: str, tmp_path: Path) -> None:
    """A known command that needs a JDK is no "illegal option"."""
    said = run(tmp_path, f"-{name}")
    assert 1 == said.status
    assert f"keytool error: java.lang.Exception: The command -{name} is not available here\n" == said.stdout

"""Manual pages."""

from __future__ import annotations

import shutil
import subprocess

import click
import pytest

from agent.errors import ExitStatus
from iadmin.commandline import COMMANDS
from iadmin.manual import page, roff
from tests.iadmin.fakes import World


@click.group()
def tool() -> None:
    """Does things.

    \b
    .dotted line
      as it stands
    """


@tool.command()
@click.argument("file")
@click.option("--dry-run", is_flag=True, help="Only look.")
def mend(file: str, dry_run: bool) -> None:
    """Mend FILE."""


@pytest.mark.parametrize(
    ("text", "expected"), [("-a\\b", "\\-a\\eb"), (".TH x", "\\&.TH x"), ("a\n'b", "a\n\\&'b"), ("plain", "plain")]
)
def test_nothing_in_a_text_is_a_request(text: str, expected: str) -> None:
    """Neither at its begin nor after a line's end."""
    assert expected == roff(text)


def test_a_page_says_what_help_says() -> None:
    """Usage, sentence and options of the command."""
    found = page(tool, "mend", version="1.2")
    assert '.TH "IADMIN\\-MEND" 1 "" "integration\\-agent 1.2"' in found
    assert ".B iadmin mend\n[OPTIONS] FILE" in found
    assert ".B \\-\\-dry\\-run\nOnly look." in found


def test_verbatim_lines_stay_as_they_are() -> None:
    """Tables of commands in help texts are tables in the page."""
    assert ".nf\n\\&.dotted line\n  as it stands\n.fi" in page(tool, "", version="1.2")


def test_every_command_has_a_page(world: World) -> None:
    """And the first names them all."""
    answer = world.run("man", "--output", "man1")
    assert 0 == answer.status
    folder = world.cwd / "man1"
    assert {f"iadmin-{name}.1" for name in COMMANDS} | {"iadmin.1"} == {path.name for path in folder.iterdir()}
    first = (folder / "iadmin.1").read_text(encoding="utf-8")
    assert [] == [name for name in COMMANDS if f"iadmin\\-{roff(name)} (1)" not in first]


def test_an_unknown_command_is_told_with_the_nearest(world: World) -> None:
    """As everywhere in iadmin."""
    answer = world.run("man", "keystor")
    assert (ExitStatus.USAGE, True) == (answer.status, 'did you mean "keystore"?' in answer.err)


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("name", ["", "keystore", "status"])
def test_man_shows_it_without_a_warning(world: World, name: str) -> None:
    """As man itself sees it."""
    text = world.run("man", *([name] if name else [])).out
    done = subprocess.run(
        ["man", "--warnings=all", "-l", "-"],
        input=text.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={"LC_ALL": "C.UTF-8", "MANWIDTH": "100", "PATH": "/usr/bin:/bin"},
    )
    assert (0, b"") == (done.returncode, done.stderr)
    assert b"NAME" in done.stdout

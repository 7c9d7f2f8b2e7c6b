"""`iapassword`, by its texts and exit statuses."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.config.homekey import ensure_key
from agent.config.passwordfile import unseal
from agent.errors import ExitStatus
from iadmin.iapassword import BAD_ARGUMENT, USAGE, Misused, Outside, parse, run

WRONG = "Attempt to change password aborted: wrong password provided.\n"


class Desk:
    """A home, and what the program said."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        (folder / "conf").mkdir()
        (folder / "bin").mkdir()
        self.typed: list[str] = []
        self.asked: list[str] = []

    def __call__(self, *argv: str, program: str = "iapassword", **environ: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        outside = Outside(environ=environ, program=self.home / program, cwd=self.home, out=out, err=err, ask=self._ask)
        status = run(argv, outside)
        return status, out.getvalue(), err.getvalue()

    def _ask(self, prompt: str) -> str | None:
        self.asked.append(prompt)
        return self.typed.pop(0) if self.typed else None

    def secret(self, name: str = "conf/.passwd") -> str:
        return unseal((self.home / name).read_bytes(), ensure_key(self.home, {}), name="").reveal()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_new_file_is_saved_with_the_original_words(desk: Desk) -> None:
    """For its owner only, from the first octet on."""
    status, out, err = desk("--new", 'a "b" ^&', "--file", "conf/.initiatorpasswd")
    assert (0, "") == (status, err)
    assert (
        f"Saving password to {desk.home}/conf/.initiatorpasswd\n"
        "Password changed successfully. Please run iadmin reload all or restart the Integration Agent for your changes "
        "to take effect.\n"
    ) == out
    assert 'a "b" ^&' == desk.secret("conf/.initiatorpasswd")
    assert 0o600 == (desk.home / "conf/.initiatorpasswd").stat().st_mode & 0o777


def test_the_default_file(desk: Desk) -> None:
    """The submitters' password."""
    desk("--new", "x")
    assert "x" == desk.secret()


def test_a_path_in_the_spelling_of_windows(desk: Desk) -> None:
    """As descriptors may name it."""
    assert 0 == desk("--new", "x", "--file", "conf\\.ticketpwd")[0]
    assert "x" == desk.secret("conf/.ticketpwd")


def test_a_file_that_cannot_be_written_is_named(desk: Desk) -> None:
    """It, and not the temporary one beside it."""
    status, _, err = desk("--new", "x", "--file", "nowhere/x.pwd")
    assert (ExitStatus.CANNOT_CREATE, f"{desk.home}/nowhere/x.pwd: no such file or directory\n") == (status, err)


def test_the_old_password_is_needed_and_checked(desk: Desk) -> None:
    """A wrong one changes nothing."""
    desk("--new", "one")
    assert (ExitStatus.FAILED, "", WRONG) == desk("--new", "two")
    assert (ExitStatus.FAILED, "", WRONG) == desk("--new", "two", "--old", "three")
    assert "one" == desk.secret()
    assert 0 == desk("--old", "one", "--new", "two")[0]
    assert "two" == desk.secret()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), ""),
        (("--bogus",), "Invalid argument: The [--bogus] parameter is invalid.\n"),
        (("--new", "x", "surplus"), "Invalid argument: The [surplus] parameter is invalid.\n"),
        (("--new", "x", "--new", "y"), "Invalid argument: The [--new] parameter is invalid.\n"),
        (("--file", "conf/.x"), "Invalid argument: The [--new] parameter is missing.\n"),
        (("--new", "x", "--file"), "Invalid argument: The [--file] parameter is invalid.\n"),
    ],
)
def test_what_is_not_understood_gives_the_usage(desk: Desk, argv: tuple[str, ...], said: str) -> None:
    """With the original's exit code."""
    assert (BAD_ARGUMENT, "", f"{said}{USAGE}\n") == desk(*argv)
    assert 35 == BAD_ARGUMENT


def test_help_is_no_mistake(desk: Desk) -> None:
    """It goes to standard output."""
    status, out, _ = desk("--help")
    assert (0, USAGE) == (status, out.splitlines()[0])


@pytest.mark.parametrize("argv", [("--new",), ("--new", "-"), ("--new", "--file", "conf/.passwd")])
def test_a_password_can_stay_off_the_command_line(desk: Desk, argv: tuple[str, ...]) -> None:
    """Everybody on the machine reads command lines."""
    desk.typed = ["typed"]
    assert 0 == desk(*argv)[0]
    assert "typed" == desk.secret()
    desk.typed = ["newer", "typed"]
    assert 0 == desk(*argv, "--old")[0]
    assert ["New password: ", "New password: ", "Old password: "] == desk.asked
    assert "newer" == desk.secret()


def test_nobody_there_to_ask_is_a_misuse(desk: Desk) -> None:
    """The end of standard input is no password."""
    assert BAD_ARGUMENT == desk("--new")[0]


def test_an_equals_sign_and_hyphens_belong_to_the_password() -> None:
    """Only the names of options are no passwords."""
    assert "a=b" == parse(["--new", "a=b"]).new
    assert "-x--" == parse(["--new", "-x--"]).new
    assert "" == parse(["--new="]).new
    with pytest.raises(Misused):
        parse(["--newer=1"])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"QUJDREVGR0g=", "is an encrypted file of the original agent, whose key nobody has"),
        (b"iapassword:1:AAAA", "was not made with the key of this home, or is damaged"),
        (b"", "has an empty first line"),
    ],
)
def test_a_file_that_nobody_can_read_is_replaced(desk: Desk, content: bytes, why: str) -> None:
    """The old password cannot be checked, and the operator is told so."""
    (desk.home / "conf/.passwd").write_bytes(content)
    status, out, _ = desk("--new", "x")
    assert 0 == status
    assert f"{desk.home}/conf/.passwd {why}" in out.splitlines()[0]
    assert "x" == desk.secret()


def test_a_plain_file_guards_like_a_sealed_one(desk: Desk) -> None:
    """It is encrypted from now on."""
    (desk.home / "conf/.passwd").write_bytes(b"plain\n")
    assert WRONG == desk("--new", "x")[2]
    assert 0 == desk("--new", "x", "--old", "plain")[0]
    assert "x" == desk.secret()


@pytest.mark.parametrize(
    "find",
    [
        lambda desk: desk("--new", "x", "--home", str(desk.home)),
        lambda desk: desk("--new", "x", IA_HOME=str(desk.home)),
        lambda desk: desk("--new", "x", program="bin/iapassword"),
    ],
)
def test_the_home_is_found(desk: Desk, find: Callable[[Desk], tuple[int, str, str]]) -> None:
    """By name, or as the folder that the program's own stands in."""
    assert 0 == find(desk)[0]
    assert "x" == desk.secret()


def test_no_home_is_told_in_one_sentence(desk: Desk) -> None:
    """What to do is part of it."""
    status, _, err = desk("--new", "x", "--home", "nowhere")
    assert (ExitStatus.NO_INPUT, "nowhere has no folder conf; name the home with --home DIR") == (
        status,
        err.split(" or ")[0],
    )
    assert ExitStatus.DATA == desk("--new", "")[0]
    assert ExitStatus.CANNOT_CREATE == desk("--new", "x", "--file", "no/such/folder")[0]


def test_a_password_is_read_as_utf_8_in_every_locale(tmp_path: Path) -> None:
    """On the command line and from standard input: a management system may run in POSIX."""
    (tmp_path / "conf").mkdir()
    posix = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    argv = [sys.executable, "-m", "iadmin.iapassword", "--home", str(tmp_path)]
    for more, told in (
        (["--new", "größe 1"], ""),
        (["--new", "-", "--old", "-"], "größe 2\ngröße 1\n"),
        (["--new", "größe 3", "--old", "größe 2"], ""),
    ):
        done = subprocess.run([*argv, *more], env=posix, input=told.encode(), capture_output=True, check=False)
        assert 0 == done.returncode, done.stderr

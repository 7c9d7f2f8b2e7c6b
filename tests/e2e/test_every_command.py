"""Every command and every option of iadmin, with what makes no sense: one sentence, a status, and no fault of ours."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from agent.errors import ExitStatus
from iadmin.commandline import COMMANDS, run_command
from iadmin.commands.lazy import LazyGroup

NOT_HERE = frozenset({"start", "restart", "tail", "install-unit"})
"""They would start an agent, follow a log without an end, or write into the system's own folder."""
COMMON = frozenset({"home", "connect", "as_json", "debug", "keystore_password_file"})


def commands_of(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands below a group, with the words that lead there."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands_of(command, (*path, name))
        elif name not in NOT_HERE:
            yield (*path, name), command


EVERY = dict(commands_of(LazyGroup("iadmin", lazy=COMMANDS)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a home on which no agent runs, and things that are of no use to anybody."""
    folder: Path = tmp_path_factory.mktemp("place")
    assert (0, "") == said("init", str(folder / "home"))
    (folder / "binary").write_bytes(bytes(range(256)) * 8)
    (folder / "empty").mkdir()
    return folder


def said(*words: str) -> tuple[int | str | None, str]:
    """Exit status and standard error; nobody is there to be asked."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with Path(os.devnull).open() as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run_command(words)
    err.flush()
    assert isinstance(err.buffer, io.BytesIO)
    return status, err.buffer.getvalue().decode()


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_nonsense_is_answered_in_a_sentence(
    path: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are folders or no text, numbers below zero, words in another encoding, for each parameter."""
    monkeypatch.chdir(place)
    command = EVERY[path]
    parameters = [one for one in command.params if one.name not in COMMON]
    arguments = [one for one in parameters if isinstance(one, click.Argument)]
    base = ["sample-plan"] * len(arguments)
    tries = [[], [*base, "--nonsense"], [*base, *["x"] * 3]]
    for nonsense in ("-1", "caf\udce9", "binary"):
        tries += [[*base[:at], nonsense, *base[at + 1 :]] for at in range(len(base))]
        for option in parameters:
            if isinstance(option, click.Option) and not option.is_flag:
                tries.append([option.opts[0], nonsense, *base])
    for home in ("home", "empty"):
        for words in tries if home == "home" else [base]:
            status, err = said("--home", str(place / home), *path, *words)
            told = (home, words, status, err)
            assert status in set(ExitStatus) | {0, 1, 2} and status != ExitStatus.SOFTWARE, told
            assert "Traceback" not in err, told
            if status == ExitStatus.USAGE:
                assert 1 == len(err.strip().splitlines()), told

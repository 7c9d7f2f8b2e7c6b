"""Completion in the real shells, as their users load it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.live import command, run, until


def script(shell: str, folder: Path, name: str) -> Path:
    """The script of `iadmin completion`, where the shell finds it."""
    path = folder / name
    path.write_bytes(run(command("iadmin"), "completion", shell).stdout)
    return path


def said(*argv: object) -> list[str]:
    """What a shell prints, with iadmin on its PATH."""
    environment = {**os.environ, "PATH": f"{command('iadmin').parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(word) for word in argv], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "" == done.stderr
    return done.stdout.split("\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash(tmp_path: Path) -> None:
    """Commands, and words of an argument."""
    path = script("bash", tmp_path, "iadmin.bash")
    ask = f"source {path}; COMP_WORDS=(iadmin %s); COMP_CWORD=%d; _iadmin_completion iadmin; echo ${{COMPREPLY[@]}}"
    assert "suspend suspend-now" == said("bash", "-c", ask % ("sus", 1))[0]
    assert "debug" == said("bash", "-c", ask % ("set-log-level d", 2))[0]


@pytest.fixture
def tank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with a service whose name has blanks."""
    home = tmp_path / "home"
    run(command("iadmin"), "init", home)
    run(command("iadmin"), "--home", home, "service", "new", "Tank (2)", "--add")
    monkeypatch.setenv("IA_HOME", str(home))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_names(tmp_path: Path, tank: None) -> None:
    """A name is one word of the command line, also when some of it is there already."""
    path = script("bash", tmp_path, "iadmin.bash")
    ask = f"source {path}; COMP_WORDS=(iadmin suspend '%s'); COMP_CWORD=2; _iadmin_completion iadmin; "
    ask += "echo ${COMPREPLY[@]}"
    for begun in ("Ta", r"Tank\ "):
        assert r"Tank\ \(2\)" == said("bash", "-c", ask % begun)[0]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_names(tmp_path: Path, tank: None) -> None:
    """It quotes what it inserts."""
    path = script("fish", tmp_path, "iadmin.fish")
    assert (
        r"Tank\ \(2\)"
        == said("fish", "-c", f"source {path}; complete -C 'iadmin suspend Ta' --escape")[0].partition("\t")[0]
    )


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(tmp_path: Path) -> None:
    """With the sentences of the commands."""
    path = script("fish", tmp_path, "iadmin.fish")
    found = said("fish", "-c", f"source {path}; complete -C 'iadmin sus'")
    assert ["suspend", "suspend-now"] == [line.partition("\t")[0] for line in found if line]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(tmp_path: Path, tank: None) -> None:
    """A terminal, and the TAB key: the first time, when the function is loaded, and every time after."""
    script("zsh", tmp_path, "_iadmin")
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(PATH=f"{command('iadmin').parent}:{os.environ['PATH']}", TERM="xterm", PS1="ready>")
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        shell = Terminal(terminal)
        # What is typed before the line editor has the terminal is lost.
        shell.shows("ready>")
        shell.type(f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; PS1=$((6 * 7))\\>\n")
        shell.shows("42>")
        for typed, shown in (
            ("iadmin susp\t", "suspend"),
            ("iadmin set-log-level de\t", "level debug"),
            ("iadmin suspend Ta\t", r"suspend Tank\ \(2\)"),
        ):
            shell.type(typed)
            shell.shows(shown)
            # Ctrl-C would be lost while the completion ends; this is read when it has.
            shell.type("\x15echo $((6 * 8))\n")
            shell.shows("48")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


class Terminal:
    """What a person at the shell types and sees."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = ""

    def type(self, text: str) -> None:
        self._seen = ""
        os.write(self._descriptor, text.encode())

    def shows(self, text: str) -> None:
        until(f"the terminal to show {text!r}", lambda: text in self._read())

    def _read(self) -> str:
        if select.select([self._descriptor], [], [], 0.1)[0]:
            self._seen += os.read(self._descriptor, 65536).decode("utf-8", "replace")
        return self._seen

"""Completion scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import ExitStatus
from tests.iadmin.fakes import World

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(world: World, shell: str) -> None:
    """It calls iadmin back in the way click understands."""
    answer = world.run("completion", shell)
    assert 0 == answer.status
    assert f"_IADMIN_COMPLETE={shell}_complete" in answer.out
    assert answer.out.rstrip() == world.run("completion", shell, "--json").document["script"].rstrip()


def test_another_shell_is_refused(world: World) -> None:
    """With the ones that are known."""
    answer = world.run("completion", "tcsh")
    assert ExitStatus.USAGE == answer.status
    assert "'bash', 'zsh', 'fish'" in answer.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [("iadmin ev", "plain,event"), ("iadmin event se", "plain,send"), ("iadmin status --js", "plain,--json")],
)
def test_what_the_script_asks_is_answered(words: str, expected: str) -> None:
    """Without an agent home, and without building any tools."""
    done = subprocess.run(
        [sys.executable, "-c", "from iadmin.main import main; main([])"],
        cwd=ROOT,
        env={"_IADMIN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stdout.splitlines(), done.stderr

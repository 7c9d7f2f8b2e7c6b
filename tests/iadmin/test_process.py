"""Waiting for the end of a process."""

from __future__ import annotations

import subprocess
import sys

from iadmin.commands.process import watch


def test_the_end_of_a_process_is_seen() -> None:
    """Not before, and not only by its parent's wait."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watched = watch(process.pid)
    assert not watched.is_gone(within_s=0)
    assert process.stdin is not None
    process.stdin.close()
    assert watched.is_gone(within_s=20)
    process.wait(20)
    assert watched.is_gone(within_s=0)


def test_a_process_that_was_gone_already_is_gone() -> None:
    """There was nothing to hold on to."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(20)
    assert watch(process.pid).is_gone(within_s=0)

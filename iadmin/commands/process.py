"""Processes: waiting for the end of one that is not our child, and starting the agent as one that outlives us."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import attrs

from iadmin.commands.edges import Process

MOST_SAID_BYTES: Final = 256 * 1024
MOST_LINES: Final = 50
"""A configuration with more faults than this is another file."""


@attrs.frozen
class WatchedProcess:
    """A process held by a pidfd (pidfd_open(2)): readable when the process has ended, never another one's."""

    descriptor: int

    def is_gone(self, *, within_s: float) -> bool:
        """Wait for its end; False when it still lives after the time."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        return bool(poll.poll(within_s * 1000))


@attrs.frozen
class GoneProcess:
    """A process that had ended before one could look."""

    def is_gone(self, *, within_s: float) -> bool:
        return True


def watch(pid: int) -> Process:
    """Hold on to the process with this pid. The descriptor is closed with our own process, which ends soon."""
    try:
        return WatchedProcess(os.pidfd_open(pid))
    except ProcessLookupError:
        return GoneProcess()


class StartedAgent:
    """An agent that was started in the background; it goes on when we end."""

    def __init__(self, home: Path) -> None:
        # What it says before it has a log: kept until somebody has read it, and no line of the log goes in there.
        self._complaints = TemporaryFile()  # noqa: SIM115 -- for as long as we live
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent.main", "--home", str(home), "--no-console"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            cwd="/",
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def said(self) -> list[str]:
        """What it complained of, the last lines."""
        self._complaints.seek(0)
        return self._complaints.read(MOST_SAID_BYTES).decode("utf-8", "replace").splitlines()[-MOST_LINES:]

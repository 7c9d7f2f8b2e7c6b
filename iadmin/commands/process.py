"""Waiting for the end of a process that is not our child."""

from __future__ import annotations

import os
import select

import attrs

from iadmin.commands.tools import Process


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

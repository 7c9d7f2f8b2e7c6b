"""A home without an agent: its files are changed by iadmin itself, which holds the agent's lock meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import ExitStatus, MachineError

if TYPE_CHECKING:
    from iadmin.commands.edges import LetterChanges, SpoolUpkeep


@contextlib.contextmanager
def open_changes(home: Path) -> Iterator[LetterChanges]:
    """The spool's files, changed by ourselves while we hold the lock that an agent would hold."""
    from agent.spool.offline import OfflineSpool
    from iadmin.commands.letters import OfflineChanges

    with _locked(home), OfflineSpool(home / "var" / "spool", now_us=lambda: time.time_ns() // 1000) as spool:
        yield OfflineChanges(spool)


@contextlib.contextmanager
def open_upkeep(home: Path, *, alone: bool) -> Iterator[SpoolUpkeep]:
    """The spool's files, looked at beside an agent or changed in its place."""
    from agent.spool.upkeep import Upkeep

    with _locked(home) if alone else contextlib.nullcontext():
        yield Upkeep(home / "var" / "spool", now_us=lambda: time.time_ns() // 1000)


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """The lock that an agent would hold."""
    from agent.control.lock import HomeLock

    lock = HomeLock(home / "var" / "run" / "agent.pid")
    try:
        lock.acquire()
    except MachineError as error:
        if error.code != "already-running":
            raise
        raise MachineError(
            "home-in-use",
            f"an agent on {home} starts or stops just now, or another iadmin works there; say the same again",
            exit_status=ExitStatus.TEMPORARY,
        ) from error
    try:
        yield
    finally:
        lock.release()

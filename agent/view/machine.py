"""What the machine says: the disk under the spool, and the memory of the workers. Blocking."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Disk:
    """The disk under a folder; `spool_bytes` is what the files in the folder itself take."""

    folder: str
    free_bytes: int
    total_bytes: int
    spool_bytes: int


def disk_under(folder: Path) -> Disk:
    """Ask the disk; free is what the agent's own account may use. Raises `OSError`."""
    usage = shutil.disk_usage(folder)
    taken = 0
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):  # the log beside the database comes and goes
            if entry.is_file(follow_symlinks=False):
                taken += entry.stat(follow_symlinks=False).st_blocks * 512
    return Disk(folder=str(folder), free_bytes=usage.free, total_bytes=usage.total, spool_bytes=taken)


def memory_of(pids: Iterable[int]) -> dict[int, int]:
    """Resident memory by pid, in bytes; processes that are gone are left out (proc(5), statm)."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            found[pid] = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * page_bytes
    return found

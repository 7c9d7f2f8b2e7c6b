"""Who holds a TCP port? Read from /proc, as far as this user may look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
_LISTEN: Final = "0A"


def find_owner(port: int, *, proc: Path = PROC) -> str:
    """Return `process 4711 (java)` for the process that listens on `port`; empty when it cannot be found out.

    Processes of other users can only be seen by root, and other systems have no such files: never rely on it.
    """
    inodes = set(_listening_inodes(port, proc))
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        if _holds_one_of(folder, wanted):
            return f"process {folder.name} ({_name_of(folder)})"
    return ""


def _listening_inodes(port: int, proc: Path) -> Iterator[str]:
    """Socket inodes of `proc_net_tcp(5)` tables: local address in column 2, state in 4, inode in 10."""
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except (OSError, ValueError):
            continue
        for line in lines:
            columns = line.split()
            if len(columns) > 9 and columns[3] == _LISTEN and columns[1].endswith(f":{port:04X}"):
                yield columns[9]


def _holds_one_of(folder: Path, wanted: set[str]) -> bool:
    try:
        return any(str(entry.readlink()) in wanted for entry in _entries(folder / "fd"))
    except OSError:
        return False


def _entries(folder: Path) -> Iterator[Path]:
    yield from folder.iterdir()


def _name_of(folder: Path) -> str:
    try:
        name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "name not known"
    return "".join(c if c.isprintable() else "?" for c in name)

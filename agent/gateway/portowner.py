"""Who holds a TCP port? Read from /proc, as far as this user may look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
OURS: Final = "integration-agent"
"""The name of our command."""

MAX_CHARS: Final = 80
"""Of a command line: enough to tell one Java program from another."""

_SECRET: Final = re.compile(r"(?i)((?:pass\w*|secret|token|api-?key)[=: ])\S+")
"""Anybody can read a password in a command line while it runs; a log would keep it."""

_LISTEN: Final = "0A"


def find_owner(port: int, *, proc: Path = PROC) -> str:
    """Return `process 4711 (java -jar x.jar)` for the process that listens on `port`, or `the integration agent of
    /srv/ia (process 4711)`; empty when it cannot be found out.

    Processes of other users can only be seen by root, and other systems have no such files: never rely on it.
    """
    inodes = set(_listening_inodes(port, proc))
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        if _holds_one_of(folder, wanted):
            return _shown(folder)
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


def _shown(folder: Path) -> str:
    words = [_printable(word.decode("utf-8", "replace")) for word in _read(folder / "cmdline").split(b"\0") if word]
    home = _home_of(words, _read(folder / "environ"))
    if home is not None:
        return f"the integration agent{f' of {home}' if home else ''} (process {folder.name})"
    name = " ".join(words) or _printable(_read(folder / "comm").decode("utf-8", "replace").strip()) or "name not known"
    name = _SECRET.sub(r"\1***", name)
    return f"process {folder.name} ({name if len(name) <= MAX_CHARS else name[: MAX_CHARS - 3] + '...'})"


def _home_of(words: Sequence[str], environ: bytes) -> str | None:
    """The home of an integration agent, empty where it cannot be seen; None for any other program."""
    # Itself, or behind the interpreter that runs it.
    if not any(Path(word).name == OURS for word in words[:3]):
        return None
    for place, word in enumerate(words):
        if word == "--home" and place + 1 < len(words):
            return words[place + 1]
        if word.startswith("--home="):
            return word.partition("=")[2]
    homes = [item[len(b"IA_HOME=") :] for item in environ.split(b"\0") if item.startswith(b"IA_HOME=")]
    return _printable(homes[0].decode("utf-8", "replace")) if homes else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)

"""`iadmin service logs NAME`: what a service says, and what the agent says of it, from the agent's log."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import click

from agent.errors import ExitStatus, OperatorError
from agent.recent.tidings import LINE
from iadmin.commands.completing import service_names
from iadmin.commands.lazy import Command
from iadmin.commands.naming import service_filter
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Body, Line
from iadmin.text import safe

MAX_LINES: Final = 100_000
INDENT: Final = b"    "
"""How the lines of a traceback begin: they belong to the line before them."""
COLUMNS: Final = ("at", "level", "room", "event_id", "text")


@click.command(cls=Command)
@click.argument("name", metavar="NAME", shell_complete=service_names)
@click.option("--lines", type=click.IntRange(0, MAX_LINES), default=50, show_default=True, help="How many of the last.")
@click.option("--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@pass_tools
def logs(tools: Tools, name: str, lines: int, follow: bool) -> Outcome:
    """Show what a service logs and prints, and what the agent says of it.

    From var/log/agent.log and those before it, so it works without a running agent as well. NAME is a bare name or
    domain|name.
    """
    client_id = service_filter(tools, name)
    log = tools.home / "var" / "log" / "agent.log"
    is_own = of_service(client_id)
    if not log.exists():
        raise OperatorError(
            "no-log", f"there is no {log}: no agent has run on this home yet", exit_status=ExitStatus.NO_INPUT
        )
    with contextlib.closing(Tail(log)) as tail:
        found = last_lines(log, is_own, lines, end=tail.place)
        if follow:
            _show(tools, found)
            tools.until(lambda: _show(tools, _chosen(tail.fresh(), is_own)), float("inf"))
            return Outcome(data=None)
    none = Line(f"The log has nothing of {client_id}.")
    return Outcome(
        data={"service": client_id, "lines": [as_facts(line) for line in found]},
        blocks=(Body(text="\n".join(found)) if found else none,),
    )


def _show(tools: Tools, lines: Iterable[str]) -> bool:
    """False: it is never over."""
    for line in lines:
        click.echo(json.dumps(as_facts(line)) if tools.switches.as_json else safe(line, keep="\t"))
    return False


def of_service(client_id: str) -> Callable[[bytes], bool]:
    """Whether a line of the log is of this service: said by it, or by the agent with its name in it."""
    name = re.escape(client_id.encode())
    word = re.compile(rb"(?<![\w|.-])" + name + rb"(?![\w|-])")
    return lambda line: word.search(line) is not None


def last_lines(log: Path, is_own: Callable[[bytes], bool], count: int, *, end: int) -> list[str]:
    """The last lines of a service, the oldest first; of the newest file those before `end`."""
    found: deque[str] = deque(maxlen=count)
    for path in _newest_first(log):
        older: deque[str] = deque(maxlen=count - len(found))
        try:
            with path.open("rb") as file:
                older.extend(_chosen(_until(file, end) if path == log else file, is_own))
        except FileNotFoundError:
            # Put aside while we read: its successor has been read already.
            continue
        found.extendleft(reversed(older))
        if len(found) >= count:
            break
    return list(found)


class Tail:
    """The end of a file that is put aside, and made anew, by others."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._file.seek(0, 2)
        self.place: Final = self._file.tell()
        self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def fresh(self) -> Iterator[bytes]:
        """The whole lines that were written since the last look."""
        yield from self._lines()
        if self._is_replaced():
            yield from self._lines()
            self._file.close()
            self._file, self._rest = self._path.open("rb"), b""
            yield from self._lines()

    def _lines(self) -> Iterator[bytes]:
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        yield from whole

    def _is_replaced(self) -> bool:
        try:
            return self._path.stat().st_ino != _inode(self._file)
        except FileNotFoundError:
            return False


def as_facts(line: str) -> dict[str, str]:
    """The columns of a line; a line of a traceback has `text` only."""
    found = LINE.fullmatch(line)
    return {"text": line} if found is None else dict(zip(COLUMNS, map(str.strip, found.groups()), strict=True))


def _chosen(lines: Iterable[bytes], is_own: Callable[[bytes], bool]) -> Iterator[str]:
    is_shown = False
    for line in lines:
        if not line.startswith(INDENT):
            is_shown = is_own(line)
        if is_shown:
            yield line.decode("utf-8", "replace").rstrip("\r\n")


def _until(file: BinaryIO, end: int) -> Iterator[bytes]:
    while file.tell() < end and (line := file.readline()):
        yield line


def _newest_first(log: Path) -> Iterator[Path]:
    yield log
    number = 1
    while (path := log.with_name(f"{log.name}.{number}")).exists():
        yield path
        number += 1


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino

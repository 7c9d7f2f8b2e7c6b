"""What a program has used, by the accounts of the operating system (Linux: /proc)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

TICKS_S: Final = os.sysconf("SC_CLK_TCK")
PATIENCE_S: Final = 30.0


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*"):
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue  # it has just ended
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time of these processes, all their threads included."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_S


def rss_bytes(pids: Sequence[int]) -> int:
    """Resident memory of these processes."""
    total = 0
    for pid in pids:
        line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
        total += int(line.split()[1]) * 1024
    return total


class Program:
    """A program that listens on a port, from its start to its end; a context manager.

    `with_children`: whether its helpers do part of the work that is measured (nginx), or another (our services).
    """

    def __init__(self, name: str, argv: Sequence[object], *, port: int, folder: Path, with_children: bool) -> None:
        self.name: Final = name
        self.port: Final = port
        self._argv = [str(word) for word in argv]
        self._folder = folder
        self._with_children = with_children
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Program:
        console = self._folder / "console"
        with console.open("ab") as out:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=self._folder
            )
        self.until("it listens", self._listens)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        return family(self.pid) if self._with_children else [self.pid]

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Meanwhile it does nothing, nor do its children."""
        pids = family(self.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def until(self, what: str, look: Callable[[], bool]) -> None:
        """Look until it is so; raise `RuntimeError` when it has ended before, or with patience."""
        end = time.monotonic() + PATIENCE_S
        while not look():
            if self._process is None or self._process.poll() is not None or time.monotonic() > end:
                console = (self._folder / "console").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name}: waited in vain until {what}\n{console}")
            time.sleep(0.005)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        return True

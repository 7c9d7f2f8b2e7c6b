"""The real agent under the load of numbering senders: started, killed and started again, and proved at the end."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.live import LiveHome, until
from tests.support.traffic import SERVICE_CODE, SERVICE_EXTRA, Figures, OutboxTail, Sender, prove

SERVICES: Final = ("crash-a", "crash-b")
SENDERS: Final = 8
MAX_BEHIND: Final = 2000
"""Acknowledged and not delivered: beyond it senders pause, so that the end of a test need not wait for a backlog."""


def is_listening(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The processes whose parent this is; empty where there is none such."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything.
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found.append(int(path.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether this process runs; one that has ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


class Load:
    """Senders at a home. `seed` decides everything that is random and not the machine's doing."""

    def __init__(self, home: LiveHome, *, seed: int) -> None:
        self.home = home
        self.random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.kills_at_s: list[float] = []
        self.starts_s: list[float] = []
        home.edit(r"\s*<path>sample-plan/sample-plan.xml</path>", "")
        for service in SERVICES:
            home.add_service(service, SERVICE_CODE, extra=SERVICE_EXTRA)
        self._ending = threading.Event()
        self._may_send = threading.Event()
        self._may_send.set()
        self.outbox = OutboxTail(home.folder / "var" / "outbox" / "outbox.jsonl")
        self.senders = [self._sender(number) for number in range(SENDERS)]

    def _sender(self, number: int) -> Sender:
        # Every fourth group is of high priority; each second sender names its events.
        groups = {f"group {number}-{each}": "high" if each == 3 else "normal" for each in range(4)}
        return Sender(
            port=self.home.port,
            service=f"applications_{SERVICES[number % len(SERVICES)]}",
            groups=groups,
            is_named=number % 4 > 1,
            seed=self.random.randrange(2**32),
            may_send=self._may_send,
            ending=self._ending,
        )

    @property
    def acknowledged(self) -> int:
        return sum(sender.acknowledged for sender in self.senders)

    def begin(self) -> None:
        """Start the agent and the senders."""
        self.start()
        for sender in self.senders:
            sender.start()

    def start(self) -> None:
        """Start the agent and wait until it listens."""
        begun_s = time.monotonic()
        self.home.start(wait=False)
        until("the agent to listen", self.is_up)
        self.starts_s.append(time.monotonic() - begun_s)

    def is_up(self) -> bool:
        process = self.home.process
        assert process is not None
        assert process.poll() is None, f"the agent ended with {process.returncode}:\n{self.home.console.read_text()}"
        return is_listening(self.home.port)

    def wait(self, what: str, look: Callable[[], bool], patience_s: float = 60.0) -> None:
        """Wait, and meanwhile hold the senders back when the agent has enough to do."""

        def look_around() -> bool:
            self.outbox.look()
            behind = self.acknowledged - len(self.outbox.deliveries)
            (self._may_send.set if behind < MAX_BEHIND else self._may_send.clear)()
            return look()

        until(what, look_around, patience_s)

    def wait_for_moment(self) -> None:
        """Until a random number of events was acknowledged, or a random time is over: the next kill falls anywhere."""
        goal = self.acknowledged + self.random.randrange(1, 600)
        end_s = time.monotonic() + self.random.uniform(0, 1.5)
        self.wait("the moment", lambda: self.acknowledged >= goal or time.monotonic() >= end_s)

    def kill_agent(self, kind: str) -> None:
        """SIGKILL, unless it has just ended by itself; its workers must go with it."""
        process = self.home.process
        assert process is not None
        workers = children(process.pid)
        if process.poll() is not None:
            return
        self.kills[kind] += 1
        self.kills_at_s.append(time.time())
        self.home.kill()
        until("the workers to die with their agent", lambda: not any(map(is_alive, workers)), 10)

    def finish(self) -> Figures:
        """End the senders, let everything arrive, stop the agent, and prove."""
        self._ending.set()
        for sender in self.senders:
            sender.join(60)
            assert not sender.is_alive(), f"{sender.name} still waits for an answer"
        attempts = [attempt for sender in self.senders for attempt in sender.attempts]
        until("nothing to be open", self._is_idle, 120)
        assert 0 == self.home.stop()
        self.outbox.look()
        checked = self.home.iadmin("spool", "check")
        assert 0 == checked.returncode, checked.stdout.decode()
        assert [] == list((self.home.folder / "var" / "spool").glob("quarantine-*"))
        assert "Traceback" not in self.home.console.read_text(encoding="utf-8")
        return prove(attempts, self.outbox.deliveries, kills_at_s=self.kills_at_s)

    def _is_idle(self) -> bool:
        # Not the status: what that says is up to a second old.
        spool = self.home.iadmin_json("spool", "stats")
        counts = [each for kind in ("services", "destinations") for each in spool[kind].values()]
        assert not any(each["dead"] for each in counts), counts
        return not any(each[state] for each in counts for state in ("received", "claimed", "waiting"))

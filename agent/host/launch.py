"""The boundary to the operating system: start a worker process, write to it, hear from it, kill it.

`Launcher` is what the rest of the host knows; tests have another one. `ProcessLauncher` starts real processes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime, ITransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import agent
from agent.errors import MachineError
from agent.host.inlet import Inlet

ENVIRONMENT: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_COLLATE",
    "LC_MESSAGES",
    "LC_MONETARY",
    "LC_NUMERIC",
    "LC_TIME",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
"""What a worker gets of the agent's environment: what programs need to find themselves, their language and their trust.
An allow-list, because nobody knows what secrets an operator puts into the environment of a daemon; proxies are not on
it, their URLs carry passwords."""

BOOTSTRAP: Final = "import sys; sys.path.append(sys.argv[1]); from agent.host.worker import main; main()"
"""Isolated mode (`-I`) knows installed packages only. The folder of the running agent's own package is added, so that
agent and worker are the same code also where the agent runs from a checkout; at the end, where it can hide nothing."""

FROM_WORKER_FD: Final = 4
TO_WORKER_FD: Final = 3


PIPES_END_S: Final = 1.0
"""How long the pipes of an ended process are read on. What it wrote is in the kernel already; this is for the reactor
to come round."""


class WorkerLink(Protocol):
    """A started process, as the host uses it. None of the methods raises when the process is gone already."""

    @property
    def pid(self) -> int: ...

    def write(self, data: bytes) -> None:
        """Write to the worker's descriptor 3; never blocks."""

    def close(self) -> None:
        """Close descriptor 3, which ends a worker that listens."""

    def signal(self, number: int) -> None:
        """Send a signal to the worker; SIGKILL goes to everything that it started as well."""


class Listener(Protocol):
    """Who is told of a worker process; `exited` is the last."""

    def received(self, data: bytes) -> None:
        """Bytes came from descriptor 4."""

    def printed(self, data: bytes, *, is_stderr: bool) -> None:
        """Bytes came from stdout or stderr."""

    def exited(self, how: str) -> None:
        """The process is gone; `how` says the status or the signal. Its pipes are read to their end or given up."""


class Launcher(Protocol):
    """Starts worker processes."""

    def launch(self, service: str, listener: Listener) -> WorkerLink:
        """Start a worker; `service` is for the process list. Raises `MachineError`."""


class HostReactor(IReactorProcess, IReactorTime):
    """What the host needs of the reactor: time and processes."""


class ProcessLauncher:
    """Real processes, through the reactor."""

    def __init__(self, *, reactor: HostReactor, home: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._reactor = reactor
        self._home = home
        self._environment = {name: environment[name] for name in ENVIRONMENT if name in environment}
        self._environment["IA_HOME"] = str(home)

    def command(self, service: str) -> Sequence[str]:
        """The worker's command line. Configuration goes through the pipe: everybody can read the process list."""
        package_home = str(Path(agent.__file__).parent.parent)
        # `utf8`: a daemon's locale is often C, and services print names of people and places.
        options = ("-I", "-X", "utf8", "-c", BOOTSTRAP)
        return (sys.executable, *options, package_home, str(os.getpid()), service)

    def launch(self, service: str, listener: Listener) -> WorkerLink:
        """Start a worker. Nothing is inherited but the umask, the limits and the descriptors 0 to 4."""
        protocol = _WorkerProtocol(listener, self._reactor)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            process = self._reactor.spawnProcess(
                protocol,
                sys.executable,
                args=self.command(service),
                env=self._environment,
                path=str(self._home),
                childFDs={0: nothing, 1: "r", 2: "r", TO_WORKER_FD: "w", FROM_WORKER_FD: "r"},
            )
        except OSError as error:
            raise MachineError(
                "worker-not-started", f"the system does not start a worker process for {service}: {error.strerror}"
            ) from error
        finally:
            os.close(nothing)
        return _Link(process)


class _Link:
    def __init__(self, process: IProcessTransport) -> None:
        self._process = process
        self._inlet = Inlet(process, TO_WORKER_FD)
        self.pid: Final = _pid(process)

    def write(self, data: bytes) -> None:
        self._inlet.write(data)

    def close(self) -> None:
        self._process.closeChildFD(TO_WORKER_FD)

    def signal(self, number: int) -> None:
        if self._process.pid is None:
            # Reaped: the number may belong to somebody else by now.
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL:
                _kill_group(self.pid)
            os.kill(self.pid, number)


def _pid(process: IProcessTransport) -> int:
    # None only after it was reaped.
    return process.pid or 0


def _kill_group(pid: int) -> None:
    # The worker leads a session of its own; in its first milliseconds it does not yet, and then there is no group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


class _WorkerProtocol(ProcessProtocol):
    """Twisted's calls made ours.

    The pipes are read to their end, because the results of work that was done may still be in them; but not for ever:
    a child that the service left behind in a session of its own holds them open as long as it likes.
    """

    transport: IProcessTransport

    def __init__(self, listener: Listener, clock: IReactorTime) -> None:
        self._listener = listener
        self._clock = clock
        self._pid = 0
        self._giving_up: IDelayedCall | None = None
        self._has_ended = False

    def makeConnection(self, process: ITransport) -> None:
        super().makeConnection(process)  # type: ignore[no-untyped-call]
        self._pid = _pid(self.transport)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if self._has_ended:
            return
        if childFD == FROM_WORKER_FD:
            self._listener.received(data)
        else:
            self._listener.printed(data, is_stderr=childFD == 2)

    def processExited(self, reason: Failure) -> None:
        _kill_group(self._pid)
        self._giving_up = self._clock.callLater(PIPES_END_S, self._give_up, reason)

    def processEnded(self, reason: Failure) -> None:
        if self._giving_up is not None and self._giving_up.active():
            self._giving_up.cancel()
        self._end(reason)

    def _give_up(self, reason: Failure) -> None:
        for number in (1, 2, TO_WORKER_FD, FROM_WORKER_FD):
            self.transport.closeChildFD(number)
        self._end(reason)

    def _end(self, reason: Failure) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._listener.exited(_how(reason))


def _how(reason: Failure) -> str:
    error = reason.value
    if isinstance(error, ProcessTerminated) and error.signal is not None:
        return f"was ended by signal {signal.Signals(error.signal).name}"
    if isinstance(error, ProcessTerminated):
        return f"ended with exit status {error.status and os.waitstatus_to_exitcode(error.status)}"
    if isinstance(error, ProcessDone):
        return "ended with exit status 0"
    return f"ended: {error}"

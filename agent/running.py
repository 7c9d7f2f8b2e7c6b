"""One agent from its configuration to its end: the lock on its home, its log, the reactor, and signals.

The only module that imports the reactor.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.assembly import Agent
from agent.config import AgentConfig, Problem, Severity
from agent.config.files import load_config
from agent.config.permissions import exposures
from agent.control.lock import HomeLock
from agent.delivery.share import Meter
from agent.errors import AgentError
from agent.observe.log import RunningLog, running_log
from agent.turning import LeanReactor

log = Logger(namespace="agent")

STOP_PATIENCE_S: Final = 30.0
"""For an orderly stop: the original's shutdown script waits as long. A second signal, or `stop --now`, hurries."""
HURRY_PATIENCE_S: Final = 1.0
DESCRIPTORS: Final = 65_536
"""Far above what connections, workers and files need together (systemd's hard limit is 524,288)."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""Both ask for an orderly stop; once more, for a hurried one."""


def run(home: Path, *, console: TextIO | None) -> None:
    """Run the agent of `home` until it has stopped; raise what kept it from starting, or ended it."""
    config, warnings = load_config(home)
    lock = HomeLock(home / "var" / "run" / "agent.pid")
    lock.acquire()
    try:
        # Services and the paths in old descriptors rely on it.
        os.chdir(home)
        _raise_descriptor_limit()
        with running_log(config=config.log, path=home / "var" / "log" / "agent.log", console=console) as running:
            try:
                _react(config, (*warnings, *exposures(home)), running)
            except (AgentError, OSError):
                raise
            except Exception:
                log.failure("a fault of the agent itself")
                raise
    finally:
        lock.release()


def _raise_descriptor_limit() -> None:
    """Each connection needs a descriptor, and the usual soft limit of 1024 is a quarter of what gateways may take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _react(config: AgentConfig, problems: Sequence[Problem], running: RunningLog) -> None:
    """Run the reactor for one agent's life; raise what kept it from starting."""
    meter = Meter(time.monotonic)
    installReactor(LeanReactor(meter))  # type: ignore[no-untyped-call]
    from twisted.internet import reactor

    # Deadlines and pauses must not follow a wall clock that is set: Twisted's own choice is time.time.
    setattr(reactor, "seconds", time.monotonic)  # noqa: B010 -- the reactor's interface has no such attribute to set
    life = _Life(config, reactor, meter, running)
    for problem in problems:
        say = log.error if problem.severity is Severity.SERVICE else log.warn
        say("{problem}", problem=str(problem))
    life.run()


class _Life:
    """From the reactor's first turn to its last: starts the agent, listens to signals, stops in order."""

    def __init__(self, config: AgentConfig, reactor: Any, meter: Meter, running: RunningLog) -> None:
        self._config = config
        self._reactor = reactor
        self._agent = Agent(config, reactor=reactor, meter=meter, ask_to_stop=self._ask_to_stop, running_log=running)
        self._failure: BaseException | None = None
        self._is_up = False
        self._is_reload_due = False
        self._is_stopping = False
        self._is_over = False

    def run(self) -> None:
        """Return when the agent has stopped; raise what kept it from starting."""
        self._reactor.callWhenRunning(self._when_running)
        self._reactor.run()
        # All is in order now: a signal that comes while the interpreter ends must not make a failure of it.
        for number in (*SIGNALS, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._failure is not None:
            raise self._failure
        log.info("stopped")

    def _when_running(self) -> None:
        # Only now: the reactor has just installed handlers that would end it without asking the agent.
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        self._go(self._begin())

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._reactor.callFromThread(self._ask_to_stop, False)

    def _on_hangup(self, number: int, _: FrameType | None) -> None:
        self._reactor.callFromThread(self._reload)

    def _reload(self) -> None:
        if not self._is_up:
            # What has changed meanwhile may have been read before.
            self._is_reload_due = True
            return

        def failed(failure: Failure) -> None:
            # What the operator can mend has been logged by the reload, and nothing has changed.
            if not isinstance(failure.value, AgentError):
                log.failure("the reload failed", failure)

        Deferred.fromCoroutine(self._agent.reload()).addErrback(failed)

    def _ask_to_stop(self, now: bool) -> None:
        hurry = now or self._is_stopping
        self._is_stopping = True
        patience_s = HURRY_PATIENCE_S if hurry else STOP_PATIENCE_S
        log.info("stopping: finishing what is in hand, for at most {patience_s:g} s", patience_s=patience_s)
        self._go(self._end(patience_s))

    async def _begin(self) -> None:
        try:
            await self._agent.start()
        except CancelledError:
            return
        log.info(
            "agent {agent_id} is up: pid {pid}, home {home}",
            agent_id=self._config.agent_id,
            pid=os.getpid(),
            home=str(self._config.home),
        )
        self._is_up = True
        if self._is_reload_due:
            self._reload()

    async def _end(self, patience_s: float) -> None:
        await self._agent.stop(patience_s)
        self._stop_reactor()

    def _go(self, steps: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(steps).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._failure = self._failure or failure.value
        self._stop_reactor()

    def _stop_reactor(self) -> None:
        # Two calls to stop end in the same turn; the reactor takes only one.
        if not self._is_over:
            self._is_over = True
            self._reactor.stop()

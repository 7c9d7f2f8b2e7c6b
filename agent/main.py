"""`integration-agent --home DIR`: runs the agent in the foreground, for a terminal, systemd or a container.

The only module that imports the reactor. Exit statuses are those of sysexits.h; whatever keeps the agent from running
is said on standard error in one sentence, or one line per fault of the configuration.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.assembly import Agent
from agent.config import AgentConfig
from agent.config.files import load_config
from agent.control.lock import HomeLock
from agent.errors import AgentError, ExitStatus, OperatorError
from agent.observe.log import start_logging

log = Logger(namespace="agent")

PRIVATE_UMASK: Final = 0o077
"""Events, answers and logs may hold what only the agent's own account should read."""
STOP_PATIENCE_S: Final = 30.0
"""For an orderly stop: the original's shutdown script waits as long. A second signal, or `stop --now`, hurries."""
HURRY_PATIENCE_S: Final = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal or `iadmin stop`; return the exit status."""
    arguments = _parse(argv)
    os.umask(PRIVATE_UMASK)
    try:
        _run(_home(arguments.home))
    except AgentError as error:
        for line in error.lines:
            print(line, file=sys.stderr)  # noqa: T201 -- there is no log yet, or the operator looks at the terminal
        return error.exit_status
    return ExitStatus.OK


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="integration-agent",
        description="Runs the integration agent in the foreground.",
        epilog='Make a home with "iadmin init DIR". Stop the agent with SIGTERM, Ctrl-C or "iadmin stop".',
    )
    parser.add_argument("--home", metavar="DIR", help="the agent home (default: $IA_HOME)")
    parser.add_argument("--version", action="version", version=f"integration-agent {version('integration-agent')}")
    return parser.parse_args(argv)


def _home(given: str | None) -> Path:
    named = given or os.environ.get("IA_HOME")
    if not named:
        raise OperatorError(
            "no-home",
            "which agent home? Name it with --home DIR or in IA_HOME; make a new one with: iadmin init DIR",
            exit_status=ExitStatus.USAGE,
        )
    home = Path(named).absolute()
    if not (home / "conf").is_dir():
        raise OperatorError(
            "not-a-home",
            f"{home} is not an agent home: it has no folder conf; make one with: iadmin init {home}",
            exit_status=ExitStatus.NO_INPUT,
        )
    return home


def _run(home: Path) -> None:
    config, warnings = load_config(home)
    lock = HomeLock(home / "var" / "run" / "agent.pid")
    lock.acquire()
    try:
        # Services and the paths in old descriptors rely on it.
        os.chdir(home)
        end_logging = start_logging(config=config.log, path=home / "var" / "log" / "agent.log", console=sys.stderr)
        try:
            _react(config, [str(warning) for warning in warnings])
        finally:
            end_logging()
    finally:
        lock.release()


def _react(config: AgentConfig, warnings: Sequence[str]) -> None:
    """Run the reactor for one agent's life; raise what kept it from starting."""
    from twisted.internet import reactor

    # Deadlines and pauses must not follow a wall clock that is set: Twisted's own choice is time.time.
    setattr(reactor, "seconds", time.monotonic)  # noqa: B010 -- the reactor's interface has no such attribute to set
    life = _Life(config, reactor)
    for warning in warnings:
        log.warn("{warning}", warning=warning)
    life.run()


class _Life:
    """From the reactor's first turn to its last: starts the agent, listens to signals, stops in order."""

    def __init__(self, config: AgentConfig, reactor: Any) -> None:
        self._config = config
        self._reactor = reactor
        self._agent = Agent(config, reactor=reactor, ask_to_stop=self._ask_to_stop)
        self._failure: BaseException | None = None
        self._is_stopping = False

    def run(self) -> None:
        """Return when the agent has stopped; raise what kept it from starting."""
        self._reactor.callWhenRunning(self._when_running)
        self._reactor.run()
        if self._failure is not None:
            raise self._failure
        log.info("stopped")

    def _when_running(self) -> None:
        # Only now: the reactor has just installed handlers that would end it without asking the agent.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._go(self._begin())

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._reactor.callFromThread(self._ask_to_stop, False)

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

    async def _end(self, patience_s: float) -> None:
        await self._agent.stop(patience_s)
        self._stop_reactor()

    def _go(self, steps: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(steps).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._failure = self._failure or failure.value
        self._stop_reactor()

    def _stop_reactor(self) -> None:
        if self._reactor.running:
            self._reactor.stop()


if __name__ == "__main__":
    sys.exit(main())

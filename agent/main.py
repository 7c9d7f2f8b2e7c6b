"""`integration-agent --home DIR`: runs the agent in the foreground, for a terminal, systemd or a container.

The only module that imports the reactor. Exit statuses are those of sysexits.h; whatever keeps the agent from running
is said on standard error in one sentence, or one line per fault of the configuration.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn, TextIO

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
from agent.errors import AgentError, ExitStatus, OperatorError
from agent.observe.log import RunningLog, running_log
from agent.turning import LeanReactor
from agent.version import installed_version
from apclient.streams import fill_streams

log = Logger(namespace="agent")

PRIVATE_UMASK: Final = 0o077
"""Events, answers and logs may hold what only the agent's own account should read."""
STOP_PATIENCE_S: Final = 30.0
"""For an orderly stop: the original's shutdown script waits as long. A second signal, or `stop --now`, hurries."""
HURRY_PATIENCE_S: Final = 1.0
DESCRIPTORS: Final = 65_536
"""Far above what connections, workers and files need together (systemd's hard limit is 524,288)."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""Both ask for an orderly stop; once more, for a hurried one."""
ACCOUNT: Final = "run the agent under the account that owns its home, or give the home to this account"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal or `iadmin stop`; return the exit status."""
    fill_streams()
    arguments = _parse(argv)
    os.umask(PRIVATE_UMASK)
    try:
        _run(_home(arguments.home), console=None if arguments.no_console else sys.stderr)
    except AgentError as error:
        return _complain(error.lines, error.exit_status)
    except PermissionError as error:
        return _complain([f"{error.filename}: permission denied; {ACCOUNT}"], ExitStatus.NO_PERMISSION)
    except OSError as error:
        return _complain([f"{error.filename or 'the machine'}: {error.strerror or error}"], ExitStatus.OS_ERROR)
    except Exception as error:
        return _complain([f"a fault of the agent itself: {error!r}; var/log/agent.log has more"], ExitStatus.SOFTWARE)
    return ExitStatus.OK


def _complain(lines: Sequence[str], status: ExitStatus) -> int:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201 -- there is no log yet, or the operator looks at the terminal
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitStatus.USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


class _TellVersion(argparse.Action):
    """argparse's own wants the text before anybody has asked for it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        sys.stdout.write(f"integration-agent {installed_version()}\n")
        parser.exit()


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="integration-agent",
        description="Runs the integration agent in the foreground.",
        epilog='Make a home with "iadmin init DIR". Stop the agent with SIGTERM, Ctrl-C or "iadmin stop".',
    )
    parser.add_argument("--home", metavar="DIR", help="the agent home (default: $IA_HOME, else ./home)")
    parser.add_argument(
        "--no-console", action="store_true", help="write the log to var/log/agent.log only, for the background"
    )
    parser.add_argument("--version", action=_TellVersion, nargs=0, help="show the version and exit")
    return parser.parse_args(argv)


def _home(given: str | None) -> Path:
    named = given or os.environ.get("IA_HOME") or ("home" if Path("home", "conf").is_dir() else "")
    if not named:
        raise OperatorError(
            "no-home",
            "which agent home? Name it with --home DIR or in IA_HOME; make a new one with: iadmin init DIR",
            exit_status=ExitStatus.USAGE,
        )
    home = Path(named).absolute()
    try:
        str(home).encode("utf-8")
    except UnicodeEncodeError:
        raise OperatorError(
            "home-name",
            f"the path of the home, {str(home)!r}, is not UTF-8: rename the folder",
            exit_status=ExitStatus.USAGE,
        ) from None
    if not (home / "conf").is_dir():
        raise OperatorError(
            "not-a-home",
            f"{home} is not an agent home: it has no folder conf; make one with: iadmin init {home}",
            exit_status=ExitStatus.NO_INPUT,
        )
    return home


def _run(home: Path, *, console: TextIO | None) -> None:
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
        self._agent = Agent(config, reactor=reactor, meter=meter, ask_to_stop=self._ask_to_stop, log=running)
        self._failure: BaseException | None = None
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


if __name__ == "__main__":
    sys.exit(main())

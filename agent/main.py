"""`integration-agent --home DIR`: runs the agent in the foreground, for a terminal, systemd or a container.

What the command line says, and what becomes of whatever keeps the agent from running: on standard error in one
sentence, or one line per fault of the configuration, with an exit status of sysexits.h. The agent itself is
`agent.running`, which is loaded once it is known that there is a home to run.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from agent.errors import AgentError, ExitStatus, OperatorError
from agent.interrupts import die_of_interrupts
from agent.version import installed_version
from apclient.streams import fill_streams

PRIVATE_UMASK: Final = 0o077
"""Events, answers and logs may hold what only the agent's own account should read."""
HELP_COLUMNS: Final = 78
"""argparse's choice on an ordinary terminal. It would ask for each option how wide this one is, with shutil: 2 ms."""
ACCOUNT: Final = "run the agent under the account that owns its home, or give the home to this account"


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal or `iadmin stop`; return the exit status."""
    fill_streams()
    die_of_interrupts()
    arguments = _parse(argv)
    os.umask(PRIVATE_UMASK)
    # What is loaded stays, and looking through it again and again takes a tenth of a start; see `agent.running`.
    gc.disable()
    try:
        home = _home(arguments.home)
        # Only now: most of a start is loading this, and `--help` or a wrong home need none of it.
        import agent.turning  # noqa: F401 -- comes first: it says what Twisted is to be loaded without
        from agent.running import run

        run(home, console=None if arguments.no_console else sys.stderr)
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
        formatter_class=partial(argparse.HelpFormatter, width=HELP_COLUMNS),
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


if __name__ == "__main__":
    sys.exit(main())

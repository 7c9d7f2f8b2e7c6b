"""`iadmin start`, `stop` and `restart`: the agent's process."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Final

import click

from agent.errors import ExitStatus, MachineError
from iadmin.commands.arguments import running_service
from iadmin.commands.completing import service_names
from iadmin.commands.edges import AgentLink
from iadmin.commands.lazy import Command
from iadmin.commands.records import NOT_RUNNING
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Line
from iadmin.text import duration

STOP_PATIENCE_S: Final = 60.0
"""The agent itself gives hooks and deliveries 30 s at most before it ends; twice that means that it hangs."""

ASK_PATIENCE_S: Final = 10.0
"""An agent that starts can be asked within a second, and a little later where the disk or the machine is slow."""


now_option = click.option(
    "--now", is_flag=True, help="Do not wait for hooks and deliveries in hand; they are repeated later."
)
patience_option = click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(0, 3600),
    default=STOP_PATIENCE_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the process.",
)


class NotStarted(MachineError):
    """The agent has ended instead of starting; it has said why, and with which status."""

    def __init__(self, lines: Sequence[str], status: int) -> None:
        super().__init__("not-started", lines[-1])
        self._lines = tuple(lines)
        known = {int(one) for one in ExitStatus}
        self.exit_status = ExitStatus(status) if status in known - {0} else ExitStatus.UNAVAILABLE

    @property
    def lines(self) -> tuple[str, ...]:
        return self._lines


@click.command(cls=Command)
@patience_option
@pass_tools
def start(tools: Tools, patience_s: float) -> Outcome:
    """Start the agent in the background and wait until it is up.

    For a machine that runs for years take "iadmin install-unit": systemd starts it with the machine and anew after a
    fault. Exit status 0 also when it runs already; when it cannot start, it is the agent's own, with its sentences.
    """
    home = tools.home
    if pid := tools.agent_pid():
        return Outcome(
            data={"home": str(home), "pid": pid, "was_running": True},
            blocks=(Line(f"The agent (pid {pid}) on {home} runs already."),),
        )
    return _start(tools, patience_s)


@click.command(cls=Command)
@click.argument("service", metavar="[SERVICE]", required=False, shell_complete=service_names)
@now_option
@patience_option
@pass_tools
def restart(tools: Tools, service: str | None, now: bool, patience_s: float) -> Outcome:
    """Stop the agent and start it again; with SERVICE, only the worker of that service.

    Senders are refused while the agent is down; nothing that was acknowledged is lost.
    """
    if service is not None:
        return _restart_worker(tools, service)
    home = tools.home  # one that is not here cannot be started from here, and must not be stopped either
    tools.load_config(home)
    _stop(tools, now=now, patience_s=patience_s)
    return _start(tools, patience_s)


def _restart_worker(tools: Tools, service: str) -> Outcome:
    link = tools.running("its services start with it")
    name = running_service(link, service)
    with tools.working(f"restarting {name}"):
        answer = link.restart(name)
    trouble = str(answer.get("trouble") or "")
    if trouble:
        raise MachineError("service-not-up", f"{name} was restarted and is not up: {trouble}")
    return Outcome(data=answer, blocks=(Line(f"{name} runs with a new worker.", "good"),))


def _start(tools: Tools, patience_s: float) -> Outcome:
    home = tools.home
    started = tools.start_agent(home)
    with tools.working("waiting for the agent to come up"):
        tools.until(lambda: started.ended() is not None or _is_up(tools), patience_s)
    status = started.ended()
    if status is not None:
        raise NotStarted(started.said() or [f"the agent on {home} has ended with status {status}"], status)
    if not _is_up(tools):
        raise MachineError(
            "still-starting",
            f"the agent (pid {started.pid}) on {home} is not up after {duration(patience_s)}; it goes on starting, and "
            "var/log/agent.log says where it is",
            exit_status=ExitStatus.TEMPORARY,
        )
    return Outcome(
        data={"home": str(home), "pid": started.pid, "was_running": False},
        blocks=(Line(f"The agent (pid {started.pid}) on {home} is up.", "good"),),
    )


def _is_up(tools: Tools) -> bool:
    try:
        return tools.link().status().get("state") == "running"
    except MachineError:
        return False


@click.command(cls=Command)
@now_option
@patience_option
@pass_tools
def stop(tools: Tools, now: bool, patience_s: float) -> Outcome:
    """Stop the agent and wait until it is gone.

    Nothing that was acknowledged is lost. Exit status 0 when no agent runs (any more), 75 when it still runs after the
    patience has ended.
    """
    return _stop(tools, now=now, patience_s=patience_s)


def _stop(tools: Tools, *, now: bool, patience_s: float) -> Outcome:
    if tools.is_remote:
        return _stop_from_afar(tools, now=now, patience_s=patience_s)
    home = tools.home
    pid = tools.agent_pid()
    if pid is None:
        return _was_not_running(home)
    # Hold on to the process before it is told to go: afterwards its pid may belong to somebody else.
    process = tools.watch(pid) if pid else None
    if not _ask_to_stop(tools, pid, now=now, patience_s=min(patience_s, ASK_PATIENCE_S)):
        return _was_not_running(home)
    if process is not None:
        with tools.working(f"waiting for the agent (pid {pid}) to stop"):
            gone = process.is_gone(within_s=patience_s)
        if not gone:
            raise MachineError(
                "still-running",
                f"the agent (pid {pid}) on {home} still runs after {duration(patience_s)}; "
                f'hurry it with "iadmin --home {quote(str(home))} stop --now", or end it with "kill -9 {pid}": nothing '
                "acknowledged is lost",
                exit_status=ExitStatus.TEMPORARY,
            )
    return Outcome(
        data={"home": str(home), "was_running": True, "pid": pid},
        blocks=(Line(f"The agent (pid {pid}) on {home} has stopped.", "good"),),
    )


def _ask_to_stop(tools: Tools, pid: int, *, now: bool, patience_s: float) -> bool:
    """Ask as soon as the agent can be asked: one that is just starting cannot yet. False: it ends without being asked.

    Raises `MachineError` where it neither can be asked in time nor ends.
    """
    has_been_asked = False

    def is_settled() -> bool:
        nonlocal has_been_asked
        try:
            tools.link().stop(now=now)
        except MachineError as error:
            if error.code != NOT_RUNNING:
                raise
            return tools.agent_pid() is None
        has_been_asked = True
        return True

    with tools.working(f"asking the agent (pid {pid}) to stop"):
        is_over = tools.until(is_settled, patience_s)
    if not is_over:
        raise MachineError(
            "no-control-socket",
            f"the agent on {tools.home} (pid {pid}) cannot be asked to stop: it is still starting after "
            f'{duration(patience_s)}, or its control socket is gone; end it with "kill {pid}"',
            exit_status=ExitStatus.TEMPORARY,
        )
    return has_been_asked


def _was_not_running(home: object) -> Outcome:
    return Outcome(
        data={"home": str(home), "was_running": False, "pid": None},
        blocks=(Line(f"No agent runs on {home}; there is nothing to stop."),),
    )


def _stop_from_afar(tools: Tools, *, now: bool, patience_s: float) -> Outcome:
    """Its process cannot be watched from here: it is gone when its admin gateway is."""
    link = tools.link()
    pid = link.status().get("pid")
    link.stop(now=now)
    with tools.working(f"waiting for the agent on {tools.where} to stop"):
        gone = tools.until(lambda: _is_shut(link), patience_s)
    if not gone:
        raise MachineError(
            "still-running",
            f"the agent (pid {pid}) on {tools.where} still answers after {duration(patience_s)}; hurry it with "
            '"iadmin stop --now"',
            exit_status=ExitStatus.TEMPORARY,
        )
    return Outcome(
        data={"home": tools.where, "was_running": True, "pid": pid},
        blocks=(Line(f"The agent (pid {pid}) on {tools.where} has stopped.", "good"),),
    )


def _is_shut(link: AgentLink) -> bool:
    try:
        link.status()
    except MachineError as error:
        return error.code in ("not-reached", "no-tls")
    return False

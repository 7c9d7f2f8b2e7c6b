"""`iadmin reload`: the running agent takes over what has changed in its configuration."""

from __future__ import annotations

import click

from agent.errors import ExitStatus, MachineError
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Line


@click.command(cls=Command)
@pass_tools
def reload(tools: Tools) -> Outcome:
    """Let the running agent take over the changed configuration.

    Gateways are changed while they run, wholly or not at all: certificates, TLS on or off, limits, gateways that are
    new or gone. What else has changed is named, and counts after a restart.
    """
    # Faults of the files are told one by one here, and before the agent is asked.
    tools.load_config(tools.home)
    if tools.agent_pid() is None:
        raise MachineError(
            "not-running",
            f"no agent runs on {tools.home}; the configuration counts from its next start",
            exit_status=ExitStatus.UNAVAILABLE,
        )
    answer = tools.open_link(tools.home).reload()
    changes, needed = list(answer.get("changes", ())), list(answer.get("restart_needed", ()))
    return Outcome(
        data=answer,
        blocks=(
            *(Line(f"{sentence}.", "good") for sentence in changes),
            *([] if changes else [Line("Nothing has changed that the gateways serve.")]),
            *([Line(f"In force after a restart only: {', '.join(needed)}.", "warn")] if needed else []),
        ),
        notes=tuple(str(warning) for warning in answer.get("warnings", ())),
    )

"""`iadmin reload`: the running agent takes over what has changed in its home."""

from __future__ import annotations

import click

from iadmin.commands.arguments import find_service, running_service
from iadmin.commands.completing import reloadable_names
from iadmin.commands.lazy import Command
from iadmin.commands.tools import Tools, pass_tools
from iadmin.model import Outcome
from iadmin.render import Line

ALL = "all"


@click.command(cls=Command)
@click.argument("service", metavar="[all|SERVICE]", default=ALL, shell_complete=reloadable_names)
@pass_tools
def reload(tools: Tools, service: str) -> Outcome:
    """Let the running agent take over what has changed.

    Wholly or not at all: the configuration, the scripts of changed services and key material are read and tried first;
    on a fault everything goes on as before. With SERVICE, only that one, and its worker is started anew in any case.
    """
    name = "" if service == ALL else service
    if not tools.is_remote:
        # Faults of the files are told one by one here, and before the agent is asked.
        settings, _ = tools.load_config(tools.home)
        name = find_service([one.name for one in settings.services], name).client_id if name else ""
    link = tools.running("the configuration counts from its next start")
    if tools.is_remote and name:
        name = running_service(link, name)
    with tools.working("reloading"):
        answer = link.reload(name)
    changes, needed = list(answer.get("changes", ())), list(answer.get("restart_needed", ()))
    return Outcome(
        data=answer,
        blocks=(
            *(Line(f"{sentence}.", "warn" if " is not " in sentence else "good") for sentence in changes),
            *([] if changes else [Line("Nothing has changed that could be taken over.")]),
            *([Line(f"In force after a restart only: {', '.join(needed)}.", "warn")] if needed else []),
        ),
        notes=tuple(str(warning) for warning in answer.get("warnings", ())),
    )

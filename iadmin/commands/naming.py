"""Services by the names that people use, and in tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent.errors import AgentError, OperatorError
from iadmin.commands.arguments import find_service, running_service
from iadmin.commands.tools import Tools
from iadmin.render import Cell


def service_filter(tools: Tools, text: str) -> str:
    """The client id of a service. `domain|name` need not be configured: events outlive the services they were for."""
    if not text or "|" in text:
        return text
    if tools.is_remote:
        return running_service(tools.link(), text)
    try:
        settings, _ = tools.load_config(tools.home)
    except AgentError as error:
        raise OperatorError(
            "no-config",
            f"{text!r} cannot be looked up because the configuration has faults (iadmin config check); "
            'say "domain|name"',
        ) from error
    return find_service([one.name for one in settings.services], text).client_id


def short_names(client_ids: Sequence[str]) -> Mapping[str, str]:
    """Bare names where they tell the services apart, else the whole client ids: a table row has 80 columns."""
    bare = {client_id: client_id.rpartition("|")[2] for client_id in client_ids}
    return bare if len(set(bare.values())) == len(bare) else {client_id: client_id for client_id in bare}


BRIEF_ID: Final = 18
"""Characters of an id: all of its time and the 12 bits behind it. Two ids of one table hardly ever share them."""


def id_cells(ids: Sequence[str]) -> Mapping[str, Cell]:
    """Ids as cells that can be shown as their beginnings, which every command takes; of requests with their number."""
    events = {one.partition("/")[0] for one in ids}
    if len({one[:BRIEF_ID] for one in events}) < len(events):
        return {one: Cell(one) for one in ids}
    brief = {one: one[:BRIEF_ID] + "".join(one.partition("/")[1:]) for one in ids}
    return {one: Cell(one, brief=brief[one]) for one in ids}

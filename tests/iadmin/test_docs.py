"""The pages of iadmin and of the control API name everything there is."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from agent.control import api, asking
from agent.errors import ExitStatus
from iadmin.commandline import BROKEN_PIPE, COMMANDS, INTERRUPTED
from iadmin.commands.lazy import LazyGroup

DOCS = Path(__file__).parent.parent.parent / "docs"
GUIDE = "".join(
    (DOCS / page).read_text(encoding="utf-8") for page in ("iadmin.rst", "keystore.rst", "https.rst", "operations.rst")
)
BESIDE = ("gateway", "asking", "orders", "admin")
"""Modules beside `api` that answer."""
API = (DOCS / "control-api.rst").read_text(encoding="utf-8")


def leaves() -> list[click.Command]:
    group = LazyGroup("iadmin", lazy=COMMANDS)
    found: list[click.Command] = []
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, LazyGroup):
            context = click.Context(command)
            found += [one for verb in command.list_commands(context) if (one := command.get_command(context, verb))]
        else:
            found += list(command.commands.values()) if isinstance(command, click.Group) else [command]
    return found


@pytest.mark.parametrize("command", leaves(), ids=lambda command: str(command.name))
def test_every_command_and_option_is_described(command: click.Command) -> None:
    """An option that is not on the page does not exist for its readers."""
    assert re.search(rf"^(.*[ ,])?{command.name}\b", GUIDE, re.MULTILINE)
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--"):
                assert option in GUIDE, f"{command.name} {option}"


def test_every_exit_status_that_is_used_is_described() -> None:
    """Scripts are written from this table."""
    table = {int(number) for number in re.findall(r"^(\d+) {2,}", GUIDE, re.MULTILINE)}
    not_ours = {ExitStatus.OS_ERROR}
    assert {*(set(ExitStatus) - not_ours), INTERRUPTED, BROKEN_PIPE} == table


def test_every_resource_filter_and_code_of_the_api_is_described() -> None:
    """What the source can answer, the page explains."""
    source = Path(api.__file__).read_text(encoding="utf-8")
    beside = {name: Path(api.__file__).with_name(f"{name}.py").read_text("utf-8") for name in BESIDE}
    rest = "".join(beside.values())
    codes = set(re.findall(r'SenderError\(\s*"([a-z-]+)"', source + rest))
    assert len(codes) >= 9
    resources = [
        "/".join(re.findall(r'"([^"]+)"', path)) for path in re.findall(r'\(("v1", .*?)\): \{"', source + rest)
    ]
    assert len(resources) >= 8
    paths = {"/" + re.sub(r"\*(/\*)?", "ID", path) for path in resources}
    for word in (*codes, *asking.EVENT_FILTERS, *asking.LETTER_FILTERS, *asking.STATES, *paths):
        assert word in API, word

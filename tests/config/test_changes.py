"""What a reload says it cannot do."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import attrs

from agent.config.changes import changed_sections, same
from agent.config.model import (
    AgentConfig,
    GatewayConfig,
    HttpDestination,
    LogConfig,
    LogLevel,
    OutboxDestination,
    ServiceConfig,
)
from agent.config.outbound import BasicCredentials
from agent.names import ServiceName
from agent.secret import Secret


def service(name: str, **changes: Any) -> ServiceConfig:
    return ServiceConfig(
        name=ServiceName(domain="a", name=name), descriptor=PurePath("/x.xml"), script=PurePath("/x.py"), **changes
    )


def destination(password: str) -> HttpDestination:
    return HttpDestination(
        name="up", url="https://x", credentials=BasicCredentials(user="u", password=Secret(password))
    )


CONFIG = AgentConfig(
    home=PurePath("/h"),
    source=PurePath("/h/conf/iaconfig.xml"),
    agent_id="a",
    gateways=(GatewayConfig(),),
    services=(service("one"), service("two")),
    destinations=(destination("geheim"),),
)


def test_the_same_is_no_change() -> None:
    """Secrets compare by what they hold, though they are other objects; gateways are not looked at."""
    again = attrs.evolve(CONFIG, destinations=(destination("geheim"),), gateways=(GatewayConfig(port=1),))
    assert () == changed_sections(CONFIG, again)


def test_each_change_is_named() -> None:
    """In the words of the file, so that the operator knows what to restart for."""
    changed = attrs.evolve(
        CONFIG,
        agent_id="b",
        log=LogConfig(level=LogLevel.DEBUG),
        services=(service("one", hook_timeout_s=1.0), service("three")),
        destinations=(destination("another"), OutboxDestination(name="outbox", path=PurePath("/o"))),
    )
    assert (
        "the agent's id",
        "log",
        "service a|one",
        "service a|two (gone)",
        "service a|three (new)",
        "destination up",
        "destination outbox (new)",
    ) == changed_sections(CONFIG, changed)


def test_values_of_other_kinds_differ() -> None:
    """`1` and `True` are not the same setting."""
    assert not same(1, True)
    assert not same((1,), (1, 2))

"""A reload while the agent runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred

from agent.config.model import AgentConfig, GatewayConfig, LogConfig, LogLevel
from agent.config.problem import ConfigFaults, Problem
from agent.errors import OperatorError
from agent.reload import Reload
from tests.support.twisted_results import failure_of, result_of

CONFIG = AgentConfig(
    home=PurePath("/h"),
    source=PurePath("/h/conf/iaconfig.xml"),
    agent_id="a",
    gateways=(GatewayConfig(),),
    services=(),
    destinations=(),
)


class Row:
    """Gateways that take over what they are given, unless `fault` says otherwise."""

    def __init__(self) -> None:
        self.served: list[Sequence[GatewayConfig]] = []
        self.fault: Exception | None = None

    async def reload(self, configs: Sequence[GatewayConfig]) -> tuple[str, ...]:
        if self.fault is not None:
            raise self.fault
        self.served.append(configs)
        return ("it has changed",)


class Site:
    """A reload over a configuration that tests change."""

    def __init__(self) -> None:
        self.row = Row()
        self.config = CONFIG
        self.faults: list[Problem] = []
        self.reload = Reload(config=CONFIG, load=self._load, gateways=self.row, in_thread=self._at_once)

    def _load(self) -> tuple[AgentConfig, Sequence[Problem]]:
        if self.faults:
            raise ConfigFaults(self.faults)
        return self.config, [Problem(file="iaconfig.xml", text="mind this")]

    @staticmethod
    def _at_once(work: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(work)

    def run(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.reload())


def test_gateways_take_over_and_the_rest_is_named() -> None:
    """What needs a restart is said each time until there was one; warnings come with it."""
    site = Site()
    site.config = attrs.evolve(CONFIG, gateways=(GatewayConfig(ssl=True),), log=LogConfig(level=LogLevel.DEBUG))
    for _ in range(2):
        answer = result_of(site.run())
        assert ["it has changed"] == answer["changes"]
        assert ["log"] == answer["restart_needed"]
        assert "mind this" in answer["warnings"][0]
    assert [(GatewayConfig(ssl=True),)] * 2 == site.row.served


def test_faults_of_the_configuration_change_nothing() -> None:
    """All of them are in the error."""
    site = Site()
    site.faults = [Problem(file="iaconfig.xml", text="one"), Problem(file="iaconfig.xml", text="two")]
    failure = failure_of(site.run())
    assert isinstance(failure, ConfigFaults)
    assert 2 == len(failure.lines)
    assert [] == site.row.served


def test_gateways_that_cannot_take_over_leave_the_old_configuration_in_force() -> None:
    """The error passes; the next reload compares with what is served."""
    site = Site()
    site.row.fault = OperatorError("tls-x", "no key")
    assert "no key" == str(failure_of(site.run()))
    site.row.fault = None
    assert [] == result_of(site.run())["restart_needed"]

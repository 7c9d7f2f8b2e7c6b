"""A reload while the agent runs: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import PurePath
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred

from agent.config.admin import AdminGatewayConfig
from agent.config.model import (
    AgentConfig,
    Destination,
    GatewayConfig,
    InitialState,
    LogConfig,
    LogLevel,
    OutboxDestination,
    ServiceConfig,
    SpoolLimits,
)
from agent.config.problem import ConfigFaults, Problem
from agent.errors import AgentError, MachineError, OperatorError
from agent.names import ServiceName
from agent.reload import Files, Reload
from tests.support.twisted_results import failure_of, result_of


def service(name: str, **more: Any) -> ServiceConfig:
    return ServiceConfig(
        name=ServiceName(domain="a", name=name),
        descriptor=PurePath(f"/h/services/{name}.xml"),
        script=PurePath(f"/h/services/{name}.py"),
        **more,
    )


CONFIG = AgentConfig(
    home=PurePath("/h"),
    source=PurePath("/h/conf/iaconfig.xml"),
    agent_id="a",
    gateways=(GatewayConfig(),),
    services=(service("x"), service("y")),
    destinations=(OutboxDestination(name="outbox", path=PurePath("/h/o")),),
)


class Site:
    """All parts in one, over a configuration that tests change; `faults` says who refuses. `done` is what was done."""

    def __init__(self) -> None:
        self.config = CONFIG
        self.problems: list[Problem] = []
        self.faults: dict[str, AgentError] = {}
        self.broken: dict[str, str] = {}
        self.stamp = {"a|x": 1, "a|y": 1, "a|z": 1}
        self.done: list[Any] = []
        self.held: Deferred[None] | None = None
        self.reload_all = Reload(
            config=CONFIG,
            files=Files(load=self._load, stamps=self._stamps, try_destination=self._try_destination),
            gateways=GatewayRow(self),
            admin=self,
            services=self,
            parts=self,
            in_thread=self._at_once,
        )

    def run(self, name: str = "") -> Deferred[Any]:
        self.done.clear()
        return Deferred.fromCoroutine(self.reload_all(name))

    # files

    def _load(self) -> tuple[AgentConfig, Sequence[Problem]]:
        if self.problems:
            raise ConfigFaults(self.problems)
        return self.config, [Problem(file="iaconfig.xml", text="mind this")]

    def _stamps(self, config: ServiceConfig) -> object:
        return self.stamp[config.name.client_id]

    def _try_destination(self, destination: Destination) -> None:
        self.fail("destination")

    @staticmethod
    def _at_once(work: Callable[[], Any]) -> Deferred[Any]:
        return maybeDeferred(work)

    # the admin gateway

    async def prepare(self, config: AdminGatewayConfig | None) -> str:
        self.fail("admin")
        return "admin"

    def adopt(self, change: Any) -> str:
        self.done.append("admin")
        return ""

    async def drop(self, change: Any) -> None:
        self.done.append("admin dropped")

    # services

    def trial_of(self, service: ServiceConfig, within: AgentConfig) -> Callable[[], str]:
        return lambda: self.broken.get(service.name.client_id, "")

    async def change(self, config: AgentConfig, *, touched: Collection[str]) -> tuple[str, ...]:
        self.done.append(("services", sorted(touched)))
        return tuple(f"{name} runs" for name in sorted(touched))

    # what changes at once

    def offer(self, services: Sequence[ServiceConfig]) -> None:
        self.done.append("offer")

    def send(self, destinations: Sequence[Destination]) -> tuple[str, ...]:
        return ("destination outbox",) if destinations != CONFIG.destinations else ()

    def bound(self, limits: SpoolLimits) -> None:
        self.done.append("bounds")

    def log(self, config: LogConfig) -> None:
        self.done.append(config.level)

    def show(self, config: AgentConfig) -> None:
        self.done.append("show")

    def fail(self, who: str) -> None:
        if who in self.faults:
            raise self.faults[who]


class GatewayRow:
    """The gateways; `Site.held` keeps them from answering."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def warnings(self) -> list[str]:
        return ["the key is old"]

    async def reload(self, configs: Sequence[GatewayConfig], *, change_services: Callable[[], bool]) -> tuple[str, ...]:
        if self._site.held is not None:
            await self._site.held
        self._site.fail("gateways")
        change_services()
        self._site.done.append("gateways")
        return ("a gateway has changed",) if configs != CONFIG.gateways else ()


def changed(**changes: Any) -> Site:
    site = Site()
    site.config = attrs.evolve(CONFIG, **changes)
    return site


def test_nothing_has_changed() -> None:
    """No worker is restarted, and the warnings of the configuration are told again."""
    site = Site()
    answer = result_of(site.run())
    assert ([], []) == (answer["changes"], answer["restart_needed"])
    assert ["iaconfig.xml: mind this", "the key is old"] == answer["warnings"]
    assert ["gateways", "admin", "show"] == site.done


def test_one_sentence_for_each_change() -> None:
    """Gateways, destinations, bounds and log change at once; the next reload has nothing more to do."""
    site = changed(
        gateways=(GatewayConfig(ssl=True),),
        log=LogConfig(level=LogLevel.DEBUG),
        spool=SpoolLimits(max_events=5),
    )
    assert [
        "a gateway has changed",
        "the bounds of the spool are taken over",
        "the log is written from the level debug on",
    ] == result_of(site.run())["changes"]
    assert {"bounds", LogLevel.DEBUG} <= set(site.done)
    result_of(site.run())
    assert not {"bounds", LogLevel.DEBUG} & set(site.done)


def test_a_changed_script_restarts_its_worker_and_no_other() -> None:
    """Also where the configuration is as it was; once."""
    site = Site()
    site.stamp["a|x"] = 2
    assert ["a|x runs"] == result_of(site.run())["changes"]
    assert ("services", ["a|x"]) in site.done
    assert "offer" not in site.done
    assert [] == result_of(site.run())["changes"]


def test_new_and_changed_services() -> None:
    """The gateways know them in the same turn; what is inactive gets no worker."""
    services = (service("x", hook_timeout_s=3.0), service("y"), service("z"))
    site = changed(services=services)
    assert ["a|x runs", "a|z runs"] == result_of(site.run())["changes"]
    assert "offer" in site.done
    site = changed(services=(service("x", initial_state=InitialState.INACTIVE), service("y")))
    result_of(site.run())
    assert ("services", []) in site.done


def test_other_names_of_destinations_reach_all_workers() -> None:
    """They check what a script names; other settings of a destination are not their business."""
    more = OutboxDestination(name="two", path=PurePath("/h/two"))
    site = changed(destinations=(*CONFIG.destinations, more))
    assert ("services", ["a|x", "a|y"]) in (result_of(site.run()), site.done)[1]
    site = changed(destinations=(OutboxDestination(name="outbox", path=PurePath("/h/other")),))
    assert ["destination outbox is taken over"] == result_of(site.run())["changes"]


def test_faults_of_the_configuration_change_nothing() -> None:
    """All of them are in the error."""
    site = Site()
    site.problems = [Problem(file="iaconfig.xml", text="one"), Problem(file="iaconfig.xml", text="two")]
    failure = failure_of(site.run())
    assert isinstance(failure, ConfigFaults)
    assert 2 == len(failure.lines)
    assert [] == site.done


def test_all_broken_scripts_are_named_and_nothing_is_changed() -> None:
    """They were tried before anything else happened; mended, they are taken over."""
    site = Site()
    site.stamp.update({"a|x": 2, "a|y": 2})
    site.broken = {"a|x": "x.py:1: SyntaxError", "a|y": "y.py:9: NameError"}
    assert "a|x: x.py:1: SyntaxError; a|y: y.py:9: NameError" == str(failure_of(site.run()))
    assert [] == site.done
    site.broken = {}
    assert ["a|x runs", "a|y runs"] == result_of(site.run())["changes"]


def test_whoever_cannot_take_over_keeps_all_from_it() -> None:
    """What was prepared is let go of, and the next reload compares with what is in force."""
    for who in ("destination", "admin", "gateways"):
        site = changed(
            destinations=(OutboxDestination(name="outbox", path=PurePath("/h/other")),), log=LogConfig(max_files=3)
        )
        site.faults = {who: MachineError("port-in-use", "somebody holds it")}
        assert "somebody holds it" == str(failure_of(site.run()))
        assert (["admin dropped"] if who == "gateways" else []) == site.done
        site.faults = {}
        assert 2 == len(result_of(site.run())["changes"])


def test_what_counts_at_a_start_is_named_until_there_was_one() -> None:
    """And is not shown as being in force."""
    site = changed(agent_id="b", spool=SpoolLimits(reserve_bytes=1, check_time_s=1.0))
    for _ in range(2):
        answer = result_of(site.run())
        assert ["the agent's id", "spool/reserve-bytes", "spool/check-time-s"] == answer["restart_needed"]
        assert [] == answer["changes"]


def test_one_service_alone() -> None:
    """Its worker is started anew in any case; other changes wait for a reload of all."""
    site = changed(
        services=(service("x", hook_timeout_s=3.0), service("y", hook_timeout_s=3.0)), log=LogConfig(max_files=3)
    )
    assert ["a|x runs"] == result_of(site.run("a|x"))["changes"]
    assert ["the log is written from the level info on", "a|y runs"] == result_of(site.run())["changes"]
    assert ["a|x runs"] == result_of(site.run("a|x"))["changes"]


def test_one_service_that_is_not_there_or_needs_more() -> None:
    """One sentence each, and nothing is changed."""
    site = changed(services=(service("x", destination="new"),))
    failure = failure_of(site.run("a|q"))
    assert "no-such-service" == failure.code
    assert "reload all" in str(failure_of(site.run("a|x")))
    assert [] == site.done


def test_two_at_a_time_are_one_too_many() -> None:
    """The second is told so; the first goes on."""
    site = Site()
    site.held = Deferred()
    first = site.run()
    failure = failure_of(Deferred.fromCoroutine(site.reload_all()))
    assert isinstance(failure, OperatorError)
    assert "busy" == failure.code
    site.held.callback(None)
    assert [] == result_of(first)["changes"]


def test_a_service_that_could_not_run_before_keeps_nobody_from_reloading() -> None:
    """It is left as it is, or gets its new settings; made new, or named alone, it is tried like all."""
    stuck = service("x", obstacle="it is JavaScript")
    site = changed(services=(stuck, service("y")))
    site.broken["a|x"] = "it is JavaScript"
    assert "a|x: it is JavaScript" in str(failure_of(site.run()))

    site.broken.clear()
    result_of(site.run())
    site.broken["a|x"] = "it is JavaScript"
    site.stamp["a|x"] = 2
    assert [] == result_of(site.run())["changes"]
    site.config = attrs.evolve(site.config, services=(attrs.evolve(stuck, hook_timeout_s=3.0), service("y")))
    assert ["a|x runs"] == result_of(site.run())["changes"]
    assert "a|x: it is JavaScript" in str(failure_of(site.run("a|x")))

"""All gateways together: started, stopped, and reloaded wholly or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred

from agent.config.model import GatewayConfig, GatewayLimits
from agent.config.tls import TlsConfig
from agent.errors import MachineError, OperatorError
from agent.gateway.acquaintances import Acquaintances
from agent.gateway.gateways import Gateways
from agent.gateway.identity import Identity
from agent.gateway.material import Material
from agent.gateway.served import Served
from agent.wire.clientcert import ClientCertificate
from tests.keystoretools.authority import make
from tests.support.tls import DAYS, NOW, START
from tests.support.twisted_results import failure_of, is_waiting, result_of


@attrs.define(eq=False)
class FakeGateway:
    """A gateway that writes down what happens to it; `fault` is raised by start and prepare."""

    config: GatewayConfig
    told: list[str]
    fault: Exception | None = None
    ending: Deferred[None] | None = None
    preparing: Deferred[None] | None = None
    served: Any = None
    acquaintances: Acquaintances = attrs.field(factory=Acquaintances)

    @property
    def address(self) -> tuple[str, int]:
        return (self.config.host or "::", self.config.port)

    async def start(self) -> None:
        if self.fault is not None:
            raise self.fault
        self._tell("started")

    async def stop(self, patience_s: float) -> None:
        self._tell("stopping")
        if self.ending is not None:
            await self.ending
        self._tell("stopped")

    async def prepare(self, config: GatewayConfig) -> GatewayConfig:
        if self.preparing is not None:
            await self.preparing
        if self.fault is not None:
            raise self.fault
        self._tell("prepared")
        return config

    def adopt(self, prepared: GatewayConfig) -> None:
        self.config = prepared
        self._tell(f"adopted {'https' if prepared.ssl else 'http'}")

    def _tell(self, what: str) -> None:
        self.told.append(f"{self.config.port} {what}")


@attrs.frozen
class FakePrepared:
    config: GatewayConfig


class Row:
    """Gateways over fakes; `faults` by port are given to those that are made next."""

    def __init__(self, *configs: GatewayConfig) -> None:
        self.told: list[str] = []
        self.faults: dict[int, Exception] = {}
        self.made: list[FakeGateway] = []
        self.gateways = Gateways(configs=configs, make=self._make)

    def _make(self, config: GatewayConfig) -> Any:
        made = FakeGateway(config, self.told, self.faults.get(config.port))

        async def prepare(config: GatewayConfig) -> FakePrepared:
            return FakePrepared(await FakeGateway.prepare(made, config))

        self.made.append(made)
        return _Facade(made, prepare)

    def start(self) -> None:
        result_of(Deferred.fromCoroutine(self.gateways.start()))
        self.told.clear()

    def reload(self, *configs: GatewayConfig) -> Deferred[tuple[str, ...]]:
        return Deferred.fromCoroutine(self.gateways.reload(configs))


class _Facade:
    """Hands on to the fake, with a `Prepared` as the real one gives it."""

    def __init__(self, made: FakeGateway, prepare: Any) -> None:
        self._made = made
        self.prepare = prepare

    def adopt(self, prepared: FakePrepared) -> None:
        self._made.adopt(prepared.config)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


INSIDE = GatewayConfig(host="127.0.0.1", port=8081)
OUTSIDE = GatewayConfig(host="192.0.2.1", port=8443, ssl=True)


def https(config: GatewayConfig) -> GatewayConfig:
    return attrs.evolve(config, ssl=True)


def test_all_start_or_none() -> None:
    """The second port is taken: the first is given back."""
    row = Row()
    row.faults[8443] = MachineError("port-in-use", "taken")
    row.gateways = Gateways(configs=[INSIDE, OUTSIDE], make=row._make)
    assert "taken" == str(failure_of(Deferred.fromCoroutine(row.gateways.start())))
    assert ["8081 started", "8081 stopping", "8081 stopped"] == row.told


def test_tls_is_switched_without_closing_anything() -> None:
    """Prepared first, then adopted; the sentence says what is served now."""
    row = Row(INSIDE)
    row.start()
    assert ("http://127.0.0.1:8081 is now https://127.0.0.1:8081 for new connections",) == result_of(
        row.reload(https(INSIDE))
    )
    assert ["8081 prepared", "8081 adopted https"] == row.told


def test_nothing_is_adopted_when_one_cannot_be_prepared() -> None:
    """A wrong keystore of the second leaves the first as it was."""
    row = Row(INSIDE, OUTSIDE)
    row.start()
    row.made[1].fault = OperatorError("tls-wrong-password", "the keystore does not open")
    assert "the keystore does not open" == str(failure_of(row.reload(https(INSIDE), OUTSIDE)))
    assert ["8081 prepared"] == row.told
    assert not row.made[0].config.ssl


def test_nothing_is_adopted_when_a_new_port_is_taken() -> None:
    """What had been started for it is stopped again."""
    row = Row(INSIDE)
    row.start()
    row.faults[8443] = MachineError("port-in-use", "taken")
    assert "taken" == str(failure_of(row.reload(https(INSIDE), attrs.evolve(INSIDE, port=8083), OUTSIDE)))
    assert ["8081 prepared", "8083 started", "8083 stopping", "8083 stopped"] == row.told
    assert [8081] == [gateway.address[1] for gateway in row.gateways]


def test_gateways_come_and_go() -> None:
    """A new one listens; one that is not configured any more accepts nothing and ends in its own time."""
    row = Row(INSIDE)
    row.start()
    row.made[0].ending = Deferred()
    said = result_of(row.reload(OUTSIDE))
    assert (
        "https://192.0.2.1:8443 is new",
        "http://127.0.0.1:8081 accepts nothing more, and is gone",
    ) == said
    assert ["8443 started", "8081 stopping"] == row.told
    stopping = Deferred.fromCoroutine(row.gateways.stop(1))
    assert is_waiting(stopping)
    row.made[0].ending.callback(None)
    assert not is_waiting(stopping)
    assert ["8443 stopping", "8443 stopped", "8081 stopped"] == row.told[2:]


def test_a_port_that_moves_to_other_addresses_needs_a_restart() -> None:
    """The old one still holds it while the new one would be tried; it is said, and nothing changes."""
    row = Row(INSIDE)
    row.start()
    failure = failure_of(row.reload(attrs.evolve(INSIDE, host="")))
    assert "needs-restart" == getattr(failure, "code", "")
    assert [] == row.told


def test_keys_are_read_again_also_without_a_change() -> None:
    """A reload by hand is a wish to see the new keystore served."""
    row = Row(OUTSIDE, INSIDE)
    row.start()
    assert ("https://192.0.2.1:8443 has read its keys and certificates again",) == result_of(
        row.reload(OUTSIDE, INSIDE)
    )
    limits = attrs.evolve(INSIDE, limits=GatewayLimits(max_connections=5))
    assert "http://127.0.0.1:8081 has new settings for new connections" == result_of(row.reload(OUTSIDE, limits))[1]


def test_one_reload_at_a_time() -> None:
    """The second is told to come back; after the first it works again."""
    row = Row(INSIDE)
    row.start()
    row.made[0].preparing = Deferred()
    first = row.reload(https(INSIDE))
    assert "busy" == getattr(failure_of(row.reload(INSIDE)), "code", "")
    row.made[0].preparing.callback(None)
    result_of(first)
    row.made[0].preparing = None
    result_of(row.reload(INSIDE))


def test_a_stop_in_the_middle_of_a_reload_starts_nothing_that_stays() -> None:
    """The new gateway is stopped again, and the reload fails."""
    row = Row(INSIDE)
    row.start()
    row.made[0].preparing = Deferred()
    reload = row.reload(INSIDE, OUTSIDE)
    result_of(Deferred.fromCoroutine(row.gateways.stop(1)))
    row.made[0].preparing.callback(None)
    assert "busy" == getattr(failure_of(reload), "code", "")
    assert "8443 stopped" == row.told[-1]


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
def test_without_tls_there_are_no_certificates(host: str) -> None:
    """Nothing presented, nothing listed."""
    row = Row(attrs.evolve(INSIDE, host=host))
    row.start()
    assert [] == row.gateways.certificates(datetime.now(UTC))


def test_what_is_presented_and_trusted_is_listed() -> None:
    """Own certificate, its issuers, the authorities for clients, each with the days it has left."""
    issuer = make("Issuer", authority=True, start=START, days=DAYS)
    own = make("h.example", issuer, names=("h.example",), start=START, days=DAYS)
    material = Material(
        identities=(Identity(alias="web", key=own.key, chain=(own.certificate, issuer.certificate)),),
        anchors=(issuer.certificate,),
    )
    row = Row(OUTSIDE)
    row.start()
    row.made[0].served = Served(material, TlsConfig())
    row.made[0].acquaintances.note(
        ClientCertificate(subject="CN=plant7", issuer="CN=Issuer", names=(), fingerprint="ab", not_after="")
    )
    found = row.gateways.certificates(NOW)
    assert [("presented", "web"), ("issuer", "web"), ("client", ""), ("trusted for clients", "")] == [
        (one["use"], one["alias"]) for one in found
    ]
    assert {
        "host": "192.0.2.1",
        "port": 8443,
        "subject": "CN=h.example",
        "issuer": "CN=Issuer",
        "days_left": (START + timedelta(days=DAYS) - NOW).days,
        "sha256": own.certificate.sha256.hex(),
    }.items() <= found[0].items()

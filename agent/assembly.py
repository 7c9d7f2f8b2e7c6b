"""Wires one agent together: the only place where an edge is handed to another.

The parts start in the order in which an event travels backwards, so that each finds what it hands on to already up: the
store, then who works it off, then who fills it. They stop in reverse: first nothing more comes in, at last the store is
closed. The gateways do not wait for the workers of the services; what says that the agent is up does.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from ssl import DER_cert_to_PEM_cert
from typing import Any, Final

import attrs
from twisted.internet.threads import deferToThreadPool

from agent.config import AgentConfig
from agent.config.files import load_config, this_machine
from agent.config.homekey import open_secret
from agent.config.model import (
    Destination,
    GatewayConfig,
    HttpDestination,
    LogConfig,
    LogLevel,
    ServiceConfig,
    SpoolLimits,
)
from agent.config.permissions import exposures
from agent.config.problem import Problem
from agent.control import AdminGateway, AdminKeys, ControlGateway
from agent.delivery.share import Meter
from agent.emptying import Emptying
from agent.event.ids import DrawnBits, EventIds
from agent.gateway import Doors, ExpiryWatch, Gateways, KeySupply, ServiceGateway, StrangerDesk
from agent.host import WorkerHost
from agent.host.orders import urls_of
from agent.host.scriptfiles import stamps_of
from agent.lifecycle import Lifecycle, Part
from agent.observe.counters import CounterStore
from agent.observe.log import RunningLog
from agent.offering import Offering
from agent.pickup import Entrance, PickUp
from agent.reload import Files, Reload
from agent.sharing import Sharing
from agent.spool import SqliteSpool
from agent.spool.journal import Journal
from agent.spool.steady import Uptime
from agent.storepassword import PASSWORD_VARIABLE, find_store_password
from agent.systemd import SystemdNotices, take_supervision
from agent.upstream import Courier, PausedBook
from agent.upstream.material import context_of
from agent.view import LiveView, TlsState
from apclient import parcel
from keystoretools import files

EVERYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where a gateway on all addresses is reached on this machine."""


def wall_clock_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Agent:
    """One agent, ready to be started. `stop` is called for by `iadmin stop` through `ask_to_stop`."""

    def __init__(
        self,
        config: AgentConfig,
        *,
        reactor: Any,
        meter: Meter,
        ask_to_stop: Callable[[bool], None],
        log: RunningLog,
    ) -> None:
        home = Path(config.home)
        counters = CounterStore()
        sharing = Sharing(meter=meter, reactor=reactor, counters=counters)
        in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        ids = EventIds(now_us=wall_clock_us, randbits=DrawnBits(os.urandom))
        spool = SqliteSpool(
            folder=home / "var" / "spool",
            reactor=reactor,
            now_us=wall_clock_us,
            counters=counters,
            limits=config.spool,
            uptime=Uptime.of_this_machine(),
        )
        spool.on_events(lambda _: sharing.came())
        password = find_store_password(os.environ)
        # The worker processes must not inherit it.
        os.environ.pop(PASSWORD_VARIABLE, None)
        courier = Courier(
            destinations=config.destinations,
            home=home,
            spool=spool,
            reactor=reactor,
            now_us=wall_clock_us,
            jitter=random.random,
            counters=counters,
            paused=PausedBook(home / "var" / "paused.json"),
            feed=log.newest,
            share=sharing,
            opened=partial(open_secret, home),
            read=lambda path: files.load(Path(path)),
            password=None if password is None else password.secret,
        )
        host = WorkerHost(
            services=config.services,
            home=home,
            spool=spool,
            reactor=reactor,
            now_us=wall_clock_us,
            jitter=random.random,
            counters=counters,
            agent_id=config.agent_id,
            destinations=[destination.name for destination in config.destinations],
            urls=urls_of(config),
            filters=config.filters,
            is_debug=config.log.level is LogLevel.DEBUG,
            asking=courier,
            feed=log.newest,
            share=sharing,
            suspended=PausedBook(home / "var" / "suspended.json"),
        )
        offering = Offering(config.services, book=PausedBook(home / "var" / "refusing.json"))
        supply = KeySupply(
            read=lambda path: files.load(Path(path)),
            folder=home / "var" / "tls",
            now=lambda: datetime.now(UTC),
            password=password,
            opened=partial(open_secret, home),
        )
        desk = StrangerDesk(
            path=home / "var" / "strangers.json", reactor=reactor, now_us=wall_clock_us, in_thread=in_thread
        )

        def make_gateway(gateway: GatewayConfig) -> ServiceGateway:
            return ServiceGateway(
                config=gateway,
                reactor=reactor,
                sink=spool,
                host=host,
                routes=offering.routes,
                new_id=ids,
                now_us=wall_clock_us,
                counters=counters,
                in_thread=in_thread,
                key_sources=offering.key_sources,
                rules=offering.rules,
                supply=supply,
                access_of=offering.access_of,
                desk=desk,
            )

        gateways = Gateways(configs=config.gateways, make=make_gateway)

        def certificates() -> list[dict[str, Any]]:
            return gateways.certificates(datetime.now(UTC))

        expiry = ExpiryWatch(certificates=certificates, reactor=reactor, counters=counters)
        self.view: Final = LiveView(
            config=config,
            host=host,
            courier=courier,
            gateways=gateways,
            spool=spool,
            journal=Journal(home / "var" / "spool"),
            counters=counters,
            now_us=wall_clock_us,
            clock=reactor,
            in_thread=in_thread,
            ask_to_stop=ask_to_stop,
            tls=TlsState(strangers=desk.document, certificates=certificates, expiring=expiry.warnings),
            reload=lambda service: self.reload(service),
            admin=lambda: admin.describe(),
            kept=lambda: pickup.warnings(),
            offering=offering,
            emptying=Emptying(spool=spool, services=host, feed=log.newest, now_us=wall_clock_us),
            log=log,
            newest=log.newest,
            address=this_machine().partition("/")[2],
        )
        pickup = PickUp(
            folder=home / Path(*parcel.FOLDER),
            rules=offering.active_rules,
            inactive=offering.inactive_rules,
            sink=spool,
            new_id=ids,
            now_us=wall_clock_us,
            counters=counters,
            clock=reactor,
            in_thread=in_thread,
            entrance=lambda: _entrance(gateways),
        )
        admin = AdminGateway(
            config=config.admin,
            keys=AdminKeys(read=files.load, in_thread=in_thread, opened=partial(open_secret, home), password=password),
            view=self.view,
            reactor=reactor,
        )

        def try_destination(destination: Destination) -> None:
            if isinstance(destination, HttpDestination):
                secret = None if password is None else password.secret
                context_of(
                    destination.tls, read=lambda path: files.load(Path(path)), password=secret, now=datetime.now(UTC)
                )

        self.reload: Final = Reload(
            config=config,
            files=Files(load=partial(_load, home), stamps=stamps_of, try_destination=try_destination),
            gateways=gateways,
            admin=admin,
            services=host,
            parts=_AtOnce(
                offering=offering, pickup=pickup, courier=courier, spool=spool, running_log=log, view=self.view
            ),
            in_thread=in_thread,
        )
        doors = Doors(configs=config.gateways, reactor=reactor)
        control = ControlGateway(socket_path=home / "var" / "run" / "control.sock", view=self.view, reactor=reactor)
        systemd = SystemdNotices(supervision=take_supervision(os.environ, pid=os.getpid()), clock=reactor)
        parts: tuple[Part, ...] = (
            *(doors, spool, _NewestId(spool, ids), sharing, courier, host, desk, gateways, pickup, expiry, admin),
            *(host.first_tries, control, systemd),
        )
        self._lifecycle: Final = Lifecycle(parts=parts, clock=reactor)

    async def start(self) -> None:
        """Bring everything up, or nothing: raises the `AgentError` of the part that could not be started."""
        await self._lifecycle.start_all()
        self.view.began()

    async def stop(self, patience_s: float) -> None:
        """Finish what is in hand for at most `patience_s`; a second call with less patience hurries the first."""
        self.view.stopping()
        await self._lifecycle.stop_all(patience_s)


def _entrance(gateways: Iterable[ServiceGateway]) -> Entrance | None:
    """Where a program on this machine sends to: a gateway without TLS where there is one, for it costs the least."""
    for gateway in sorted(gateways, key=lambda gateway: gateway.served is not None):
        host, port = gateway.address
        host = EVERYWHERE.get(host, host)
        served = gateway.served
        return Entrance(
            url=f"{'http' if served is None else 'https'}://{f'[{host}]' if ':' in host else host}:{port}",
            certificate="" if served is None else DER_cert_to_PEM_cert(served.material.identities[0].chain[0].der),
        )
    return None


def _load(home: Path) -> tuple[AgentConfig, Sequence[Problem]]:
    """The configuration as it is on the disk now, with all that a start would warn of."""
    config, warnings = load_config(home)
    return config, (*warnings, *exposures(home))


@attrs.frozen(kw_only=True)
class _AtOnce:
    """What a reload changes in one turn, and cannot fail; see `agent.reload.Changeable`."""

    offering: Offering
    pickup: PickUp
    courier: Courier
    spool: SqliteSpool
    running_log: RunningLog
    view: LiveView

    def offer(self, services: Sequence[ServiceConfig]) -> None:
        self.offering.change(services)
        self.pickup.change(self.offering.active_rules, self.offering.inactive_rules)

    def send(self, destinations: Sequence[Destination]) -> tuple[str, ...]:
        return self.courier.change(destinations)

    def bound(self, limits: SpoolLimits) -> None:
        self.spool.bound(limits)

    def log(self, config: LogConfig) -> None:
        self.running_log.change(config)

    def show(self, config: AgentConfig) -> None:
        self.view.show(config)


class _NewestId:
    """Between spool and gateway: ids go on where the last agent on this home left off."""

    name: Final = "ids"

    def __init__(self, spool: SqliteSpool, ids: EventIds) -> None:
        self._spool = spool
        self._ids = ids

    async def start(self) -> None:
        self._ids.follow(self._spool.last_event_id)

    async def stop(self, patience_s: float) -> None:
        pass

"""Wires the rooms behind the gateways: what works events off, what takes them further, and what looks after the agent.

`agent.assembly` loads this once the gateways listen. An event needs none of it to be safe: it is on disk and waits.
Loading it takes longer than all that comes before: it imports what a sender never meets, such as OpenSSL, keystores,
clients of destinations, and the control link.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePath
from ssl import DER_cert_to_PEM_cert
from typing import Any, Final

import attrs

from agent.config import AgentConfig
from agent.config.files import load_config, this_machine
from agent.config.homekey import open_secret
from agent.config.model import Destination, HttpDestination, LogConfig, LogLevel, ServiceConfig, SpoolLimits
from agent.config.permissions import exposures
from agent.config.problem import Problem
from agent.control.admin import AdminGateway, AdminKeys
from agent.control.gateway import ControlGateway
from agent.emptying import Emptying
from agent.entries import Entries
from agent.front import Front
from agent.gateway import ServiceGateway
from agent.gateway.expiry import ExpiryWatch
from agent.host.anteroom import Anteroom
from agent.host.host import WorkerHost
from agent.host.orders import platform_of, urls_of
from agent.host.scriptfiles import stamps_of
from agent.hosts import ON_THIS_MACHINE, at_port
from agent.insertion import Insertion
from agent.lifecycle import Part
from agent.observe.log import RunningLog
from agent.offering import Offering
from agent.pickup import Entrance, PickUp
from agent.reload import Files, Reload
from agent.spool import SqliteSpool
from agent.spool.journal import Journal
from agent.spool.recheck import Recheck
from agent.storepassword import StorePassword
from agent.systemd import SystemdNotices, take_supervision
from agent.upstream import Courier, PausedBook
from agent.upstream.material import context_of
from agent.view import LiveView, TlsState
from apclient import parcel
from keystoretools import files


class Backrooms:
    """The parts that are started after the gateways; `parts` has them by name."""

    def __init__(self, front: Front) -> None:
        config, reactor, log, gateways = front.config, front.reactor, front.running_log, front.gateways
        home = Path(config.home)
        entries = Entries(reactor=reactor, feed=log.newest)
        courier = _courier_of(front, entries)
        host = _host_of(front, courier, entries)
        journal = Journal(home / "var" / "spool")

        def certificates() -> list[dict[str, Any]]:
            return gateways.certificates(datetime.now(UTC))

        expiry = ExpiryWatch(certificates=certificates, reactor=reactor, counters=front.counters)
        pickup = _pickup_of(front)
        self.view: Final = LiveView(
            config=config,
            host=host,
            courier=courier,
            gateways=gateways,
            spool=front.spool,
            orders=front.spool.orders,
            journal=journal,
            counters=front.counters,
            now_us=front.now_us,
            clock=reactor,
            in_thread=front.in_thread,
            ask_to_stop=front.ask_to_stop,
            tls=TlsState(strangers=front.desk.document, certificates=certificates, expiring=expiry.warnings),
            reload=lambda service: self.reload(service),
            admin=lambda: admin.describe(),
            kept=pickup.warnings,
            offering=front.offering,
            emptying=Emptying(
                spool=front.spool,
                orders=front.spool.orders,
                services=host,
                feed=log.newest,
                now_us=front.now_us,
            ),
            insertion=_insertion_of(front, host, journal),
            log=log,
            newest=log.newest,
            address=this_machine().partition("/")[2],
        )
        admin = _admin_of(front, self.view)
        self.reload: Final = Reload(
            config=config,
            files=Files(
                load=partial(_load, home), stamps=stamps_of, try_destination=partial(_try_destination, front.password)
            ),
            gateways=gateways,
            admin=admin,
            services=host,
            parts=_AtOnce(
                offering=front.offering,
                pickup=pickup,
                courier=courier,
                spool=front.spool,
                running_log=log,
                view=self.view,
            ),
            in_thread=front.in_thread,
        )
        control = ControlGateway(socket_path=home / "var" / "run" / "control.sock", view=self.view, reactor=reactor)
        recheck = Recheck(
            spool=front.spool,
            folder=home / "var" / "spool",
            time_s=config.spool.check_time_s,
            in_thread=front.in_thread,
            seconds=time.monotonic,
        )
        systemd = SystemdNotices(supervision=take_supervision(os.environ, pid=os.getpid()), clock=reactor)
        parts: tuple[Part, ...] = (
            *(courier, host, _Opening(front.anteroom, host)),
            *(pickup, expiry, admin, host.first_tries, control, recheck, systemd),
        )
        self.parts: Final[Mapping[str, Part]] = {part.name: part for part in parts}


def _courier_of(front: Front, entries: Entries) -> Courier:
    home = Path(front.config.home)
    return Courier(
        destinations=front.config.destinations,
        home=home,
        spool=front.spool,
        reactor=front.reactor,
        now_us=front.now_us,
        jitter=random.random,
        counters=front.counters,
        paused=PausedBook(home / "var" / "paused.json"),
        entries=entries,
        share=front.sharing,
        opened=partial(open_secret, home),
        read=_read,
        password=None if front.password is None else front.password.secret,
    )


def _host_of(front: Front, courier: Courier, entries: Entries) -> WorkerHost:
    config, home = front.config, Path(front.config.home)
    return WorkerHost(
        services=config.services,
        home=home,
        spool=front.spool,
        reactor=front.reactor,
        now_us=front.now_us,
        jitter=random.random,
        counters=front.counters,
        agent_id=config.agent_id,
        destinations=[destination.name for destination in config.destinations],
        urls=urls_of(config),
        platform=platform_of(config),
        filters=config.filters,
        is_debug=config.log.level is LogLevel.DEBUG,
        asking=courier,
        entries=entries,
        share=front.sharing,
        suspended=PausedBook(home / "var" / "suspended.json"),
    )


def _pickup_of(front: Front) -> PickUp:
    return PickUp(
        folder=Path(front.config.home, *parcel.FOLDER),
        rules=front.offering.active_rules,
        inactive=front.offering.inactive_rules,
        sink=front.spool,
        new_id=front.new_id,
        now_us=front.now_us,
        counters=front.counters,
        clock=front.reactor,
        in_thread=front.in_thread,
        entrance=lambda: _entrance(front.gateways),
    )


def _insertion_of(front: Front, host: WorkerHost, journal: Journal) -> Insertion:
    return Insertion(
        sink=front.spool,
        services=host,
        offered=front.offering,
        journal=journal,
        new_id=front.new_id,
        now_us=front.now_us,
        in_thread=front.in_thread,
    )


def _admin_of(front: Front, view: LiveView) -> AdminGateway:
    keys = AdminKeys(
        read=files.load,
        in_thread=front.in_thread,
        opened=partial(open_secret, Path(front.config.home)),
        password=front.password,
    )
    return AdminGateway(config=front.config.admin, keys=keys, view=view, reactor=front.reactor)


class _Opening:
    """Lets those through to the host who have waited for it."""

    name: Final = "anteroom"

    def __init__(self, anteroom: Anteroom, host: WorkerHost) -> None:
        self._anteroom = anteroom
        self._host = host

    async def start(self) -> None:
        self._anteroom.open(self._host)

    async def stop(self, patience_s: float) -> None:
        """Whoever still asks is answered by the host, also while it stops."""


def _entrance(gateways: Iterable[ServiceGateway]) -> Entrance | None:
    """Where a program on this machine sends to: a gateway without TLS where there is one, for it costs the least."""
    for gateway in sorted(gateways, key=lambda gateway: gateway.served is not None):
        host, port = gateway.address
        host = ON_THIS_MACHINE.get(host, host)
        served = gateway.served
        return Entrance(
            url=f"{'http' if served is None else 'https'}://{at_port(host, port)}",
            certificate="" if served is None else DER_cert_to_PEM_cert(served.material.identities[0].chain[0].der),
        )
    return None


def _read(path: PurePath) -> bytes:
    """What a destination's TLS needs of the disk."""
    return files.load(Path(path))


def _try_destination(password: StorePassword | None, destination: Destination) -> None:
    if isinstance(destination, HttpDestination):
        secret = None if password is None else password.secret
        context_of(destination.tls, read=_read, password=secret, now=datetime.now(UTC))


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

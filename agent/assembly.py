"""Wires one agent together: the only place where an edge is handed to another.

The parts start in the order in which an event travels backwards, so that each finds what it hands on to already up: the
store, then who works it off, then who fills it. They stop in reverse: first nothing more comes in, at last the store is
closed.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool

from agent.config import AgentConfig
from agent.config.files import load_config
from agent.config.model import GatewayConfig
from agent.control import ControlGateway
from agent.event.ids import EventIds
from agent.gateway import Doors, ExpiryWatch, Gateways, KeySupply, ServiceGateway, StrangerDesk
from agent.host import WorkerHost
from agent.lifecycle import Lifecycle, Part
from agent.observe.counters import CounterStore
from agent.reload import Reload
from agent.secret import Secret
from agent.spool import SqliteSpool
from agent.spool.journal import Journal
from agent.upstream import Courier, PausedBook
from agent.view import LiveView, TlsState
from agent.wire.route import Routes
from keystoretools import files

PASSWORD_VARIABLE: Final = "IA_KEYSTORE_PASSWORD"
"""Opens keystores whose password stands in no file."""


def wall_clock_us() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Agent:
    """One agent, ready to be started. `stop` is called for by `iadmin stop` through `ask_to_stop`."""

    def __init__(self, config: AgentConfig, *, reactor: Any, ask_to_stop: Callable[[bool], None]) -> None:
        home = Path(config.home)
        counters = CounterStore()
        in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        ids = EventIds(now_us=wall_clock_us, randbits=secrets.randbits)
        spool = SqliteSpool(
            folder=home / "var" / "spool",
            reactor=reactor,
            now_us=wall_clock_us,
            counters=counters,
            limits=config.spool,
        )
        password = _keystore_password()
        courier = Courier(
            destinations=config.destinations,
            home=home,
            spool=spool,
            reactor=reactor,
            now_us=wall_clock_us,
            jitter=random.random,
            counters=counters,
            paused=PausedBook(home / "var" / "paused.json"),
            read=lambda path: files.load(Path(path)),
            password=password,
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
            filters=config.filters,
            asking=courier,
        )
        routes = Routes(
            active=[service.name for service in config.services if service.is_active],
            inactive=[service.name for service in config.services if not service.is_active],
        )
        key_sources = {service.name: service.idempotency for service in config.services}
        supply = KeySupply(
            read=lambda path: files.load(Path(path)),
            folder=home / "var" / "tls",
            now=lambda: datetime.now(UTC),
            password=password,
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
                routes=routes,
                new_id=ids,
                now_us=wall_clock_us,
                counters=counters,
                in_thread=in_thread,
                key_sources=key_sources,
                supply=supply,
                access_of={service.name: service.access for service in config.services if service.access is not None},
                desk=desk,
            )

        gateways = Gateways(configs=config.gateways, make=make_gateway)

        def certificates() -> list[dict[str, Any]]:
            return gateways.certificates(datetime.now(UTC))

        expiry = ExpiryWatch(certificates=certificates, reactor=reactor, counters=counters)
        self.reload: Final = Reload(
            config=config, load=lambda: load_config(home), gateways=gateways, in_thread=in_thread
        )
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
            reload=self.reload,
        )
        doors = Doors(configs=config.gateways, reactor=reactor)
        control = ControlGateway(socket_path=home / "var" / "run" / "control.sock", view=self.view, reactor=reactor)
        parts: tuple[Part, ...] = (doors, spool, _NewestId(spool, ids), courier, host, desk, gateways, expiry, control)
        self._lifecycle: Final = Lifecycle(parts=parts, clock=reactor)

    async def start(self) -> None:
        """Bring everything up, or nothing: raises the `AgentError` of the part that could not be started."""
        await self._lifecycle.start_all()
        self.view.began()

    async def stop(self, patience_s: float) -> None:
        """Finish what is in hand for at most `patience_s`; a second call with less patience hurries the first."""
        self.view.stopping()
        await self._lifecycle.stop_all(patience_s)


def _keystore_password() -> Secret | None:
    """The environment's, taken out of it: the worker processes must not inherit it."""
    found = os.environ.pop(PASSWORD_VARIABLE, None)
    return None if found is None else Secret(found)


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

"""Wires one agent together: the only place, with `agent.backrooms`, where an edge is handed to another.

1. What an event needs to be safe is started first: the store, and the gateways that fill it.
2. While they take events already, the backrooms are loaded in a thread, furnished, and their parts started in the order
   in which an event travels backwards, so that each finds what it hands on to already up.
3. All stop against the way of an event: first nothing more comes in, at last the store is closed.

Faults of the configuration, of a port and of what a gateway presents end the start before anything listens. A fault in
a backroom ends it, too; what was taken in meanwhile is on disk, and waits for the next start.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from agent.config import AgentConfig
from agent.config.homekey import open_secret
from agent.config.model import GatewayConfig
from agent.delivery.share import Meter
from agent.errors import OperatorError
from agent.event.ids import EventIds
from agent.front import Front
from agent.gateway import Doors, Gateways, KeySupply, ServiceGateway, StrangerDesk
from agent.host.anteroom import Anteroom
from agent.lifecycle import Lifecycle, Part
from agent.observe.counters import CounterStore
from agent.observe.log import RunningLog
from agent.offering import Offering
from agent.sharing import Sharing
from agent.spool import SqliteSpool
from agent.spool.steady import Uptime
from agent.storepassword import PASSWORD_VARIABLE, find_store_password
from agent.upstream import PausedBook

if TYPE_CHECKING:
    from agent.backrooms import Backrooms

log = Logger(namespace="agent")

WORKING: Final = ("upstream", "host", "anteroom")
"""The parts of the backrooms that work events off: they end after the gateways, whose senders wait for some of them."""
LOOKING_AFTER: Final = ("pick-up", "expiry of certificates", "admin", "control", "spool check", "services", "systemd")
"""The others: they end first."""


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
        running_log: RunningLog,
    ) -> None:
        home = Path(config.home)
        counters = CounterStore()
        sharing = Sharing(meter=meter, reactor=reactor, counters=counters)
        in_thread = partial(deferToThreadPool, reactor, reactor.getThreadPool())
        ids = EventIds(now_us=wall_clock_us, randbytes=os.urandom)
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
        anteroom = Anteroom(config.services)
        offering = Offering(config.services, book=PausedBook(home / "var" / "refusing.json"))
        supply = KeySupply(
            read=_read_keystore,
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
                host=anteroom,
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
        self._front: Final = Front(
            config=config,
            reactor=reactor,
            running_log=running_log,
            ask_to_stop=ask_to_stop,
            now_us=wall_clock_us,
            in_thread=in_thread,
            new_id=ids,
            counters=counters,
            spool=spool,
            offering=offering,
            anteroom=anteroom,
            desk=desk,
            gateways=gateways,
            password=password,
            sharing=sharing,
        )
        self._rooms: Backrooms | None = None
        doors = Doors(configs=config.gateways, reactor=reactor)
        newest_id = _NewestId(spool, ids)
        behind = {name: _Behind(name, self._furnish) for name in (*WORKING, *LOOKING_AFTER)}
        working, looking_after = [behind[name] for name in WORKING], [behind[name] for name in LOOKING_AFTER]
        self._lifecycle: Final = Lifecycle(
            parts=(doors, spool, newest_id, sharing, *working, desk, gateways, *looking_after),
            last=behind.values(),
            clock=reactor,
        )

    async def start(self) -> None:
        """Bring everything up, or nothing: raises the `AgentError` of the part that could not be started."""
        await self._lifecycle.start_all()
        if self._rooms is not None:
            self._rooms.view.began()

    async def stop(self, patience_s: float) -> None:
        """Finish what is in hand for at most `patience_s`; a second call with less patience hurries the first."""
        if self._rooms is not None:
            self._rooms.view.stopping()
        await self._lifecycle.stop_all(patience_s)

    async def reload(self) -> None:
        """Take over what has changed on the disk. Raises `AgentError`, and then nothing has changed."""
        if self._rooms is None:
            sentence = "the agent is just starting, and nothing is reloaded; ask again when it is up"
            log.warn("{sentence}", sentence=sentence)
            raise OperatorError("busy", sentence)
        await self._rooms.reload()

    async def _furnish(self) -> Backrooms:
        if self._rooms is None:
            # In a thread: the gateways answer meanwhile.
            await self._front.in_thread(_load_backrooms)
            from agent.backrooms import Backrooms  # not above: they take as long to load as all that comes before

            self._rooms = Backrooms(self._front)
            # All that stays is loaded: from here on there is garbage to look for, and it is not among that.
            gc.freeze()
            gc.enable()
        return self._rooms


def _read_keystore(path: PurePath) -> bytes:
    from keystoretools import files  # a gateway without TLS reads none

    return files.load(Path(path))


def _load_backrooms() -> None:
    import agent.backrooms  # noqa: F401 -- see `Agent._furnish`


class _Behind:
    """A part of the backrooms. The first that is started has them furnished."""

    def __init__(self, name: str, furnish: Callable[[], Awaitable[Backrooms]]) -> None:
        self.name: Final = name
        self._furnish = furnish
        self._part: Part | None = None

    async def start(self) -> None:
        rooms = await self._furnish()
        self._part = rooms.parts[self.name]
        await self._part.start()

    async def stop(self, patience_s: float) -> None:
        if self._part is not None:
            await self._part.stop(patience_s)


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

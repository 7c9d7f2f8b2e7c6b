"""The gateway's port: listening, the number of connections, the sweep over their deadlines, the end."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from agent.boundaries import Counters, EventSink, ServiceHost
from agent.config.model import GatewayConfig, KeySource
from agent.errors import ExitStatus, MachineError
from agent.event import BodyKind
from agent.gateway.connection import Connection
from agent.gateway.portowner import find_owner
from agent.gateway.reception import InThread, Reception
from agent.gateway.strangers import Strangers
from agent.names import ServiceName
from agent.wire import Routes

log = Logger(namespace="gateway")

SWEEP_S: Final = 0.5
"""How often deadlines are looked at, so all of them are up to this much late. A timer for each request costs 8 %."""

BACKLOG: Final = 1024
"""Connections the kernel may keep waiting; it cuts the number to net.core.somaxconn (4096 by default)."""

QUIET_S: Final = 60.0


class ServiceGateway(Factory):
    """A Part: takes events over HTTP on one port. `address` is known once it has started.

    `reactor` listens, tells the time and keeps the sweep going. `in_thread` runs the check of a large body outside the
    reactor thread; it defaults to the reactor's thread pool. `key_sources`: where services have their idempotency keys
    from, other than the gateway's own setting.
    """

    noisy = False

    def __init__(
        self,
        *,
        config: GatewayConfig,
        reactor: Any,
        sink: EventSink,
        host: ServiceHost,
        routes: Routes,
        new_id: Callable[[], str],
        now_us: Callable[[], int],
        counters: Counters,
        in_thread: InThread[tuple[BodyKind, str]] | None = None,
        key_sources: Mapping[ServiceName, KeySource] | None = None,
    ) -> None:
        self.name: Final = f"gateway on port {config.port}"
        self.address: tuple[str, int] = (config.host, config.port)
        self._config = config
        self._reactor = reactor
        self._counters = counters
        self._now = 0.0
        self._reception = Reception(
            limits=config.limits,
            sink=sink,
            host=host,
            routes=routes,
            new_id=new_id,
            now_us=now_us,
            counters=counters,
            in_thread=in_thread or self._in_pool,
            key_source=config.idempotency,
            key_sources=key_sources or {},
        )
        self._strangers = Strangers()
        self._connections: set[Connection] = set()
        self._port: Any = None
        self._sweep_call: Any = None
        self._quiet_until = 0.0
        self._is_stopping = False
        self._empty: Deferred[None] | None = None

    async def start(self) -> None:
        """Listen. Raises `MachineError` (exit status 69, or 77 for a port that only root may take)."""
        self._port = await self._listen()
        where = self._port.getHost()
        self.address = (where.host, where.port)
        self._sweep()
        log.info("listening for events on http://{where}", where=_shown(*self.address))

    async def stop(self, patience_s: float) -> None:
        """Accept nothing more, answer what is in hand for at most `patience_s`, then cut what is left."""
        self._is_stopping = True
        if self._port is not None:
            port, self._port = self._port, None
            await _as_deferred(port.stopListening())
        for connection in list(self._connections):
            connection.wind_down()
        if self._connections:
            self._empty = Deferred()
            hurry = self._reactor.callLater(patience_s, self._cut_off)
            await self._empty
            if hurry.active():
                hurry.cancel()
        if self._sweep_call is not None and self._sweep_call.active():
            self._sweep_call.cancel()
        self._sweep_call = None

    def buildProtocol(self, addr: IAddress | None) -> Connection | None:
        """Twisted has accepted a connection; None closes it at once."""
        if self._is_stopping or len(self._connections) >= self._config.limits.max_connections:
            self._counters.count("gateway.over_connection_limit")
            if self._now >= self._quiet_until:
                self._quiet_until = self._now + QUIET_S
                log.warn(
                    "{count} connections are open, the limit: further ones are closed at once",
                    count=len(self._connections),
                )
            return None
        self._counters.count("gateway.connections")
        connection = Connection(
            reception=self._reception, strangers=self._strangers, clock=self._clock, lost=self._connection_lost
        )
        self._connections.add(connection)
        return connection

    def _clock(self) -> float:
        return self._now

    def _sweep(self) -> None:
        """Look at all deadlines, with one clock reading for everybody."""
        self._now = self._reactor.seconds()
        self._sweep_call = self._reactor.callLater(SWEEP_S, self._sweep)
        self._reception.tick()
        for connection in list(self._connections):
            connection.sweep(self._now)

    def _connection_lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._tell_when_empty()

    def _cut_off(self) -> None:
        log.warn("{count} connections did not end in time and are cut off", count=len(self._connections))
        for connection in list(self._connections):
            connection.abort()

    def _tell_when_empty(self) -> None:
        if self._empty is not None and not self._connections:
            empty, self._empty = self._empty, None
            empty.callback(None)

    async def _listen(self) -> Any:
        host, port = self._config.host, self._config.port
        if not host:
            try:
                return self._reactor.listenTCP(port, self, backlog=BACKLOG, interface="::")  # IPv4 comes in here, too
            except CannotListenError as error:
                if getattr(error.socketError, "errno", None) not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise _cannot_listen(error, host, port) from error
        elif not _is_address(host):
            try:
                host = await self._reactor.resolve(host)
            except Exception as error:
                raise MachineError(
                    "no-such-host", f"The service gateway cannot listen on {host!r}: this name has no address."
                ) from error
        try:
            return self._reactor.listenTCP(port, self, backlog=BACKLOG, interface=host)
        except CannotListenError as error:
            raise _cannot_listen(error, host, port) from error

    def _in_pool(self, work: Callable[[], tuple[BodyKind, str]]) -> Deferred[tuple[BodyKind, str]]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


def _cannot_listen(error: CannotListenError, host: str, port: int) -> MachineError:
    number = getattr(error.socketError, "errno", None)
    where = f"port {port}" + (f" of {host}" if host else "")
    if number == errno.EADDRINUSE:
        owner = find_owner(port) or "another process"
        return MachineError(
            "port-in-use",
            f"The service gateway cannot listen on {where}: {owner} holds it. Stop that process, or give "
            "<service-gateway> another port.",
        )
    if number == errno.EACCES:
        return MachineError(
            "port-forbidden",
            f"The service gateway may not listen on {where}: ports under 1024 are for root. Give <service-gateway> a "
            "higher port, such as 8081.",
            exit_status=ExitStatus.NO_PERMISSION,
        )
    if number == errno.EADDRNOTAVAIL:
        return MachineError(
            "address-unknown",
            f"The service gateway cannot listen on {where}: this machine does not have that address. Give "
            "<service-gateway> a host that it has, or none for all.",
        )
    return MachineError("cannot-listen", f"The service gateway cannot listen on {where}: {error.socketError}.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _as_deferred(result: object) -> Deferred[Any]:
    """`stopListening` returns a Deferred, or None when it is done at once."""
    if isinstance(result, Deferred):
        return result
    done: Deferred[Any] = Deferred()
    done.callback(None)
    return done

"""The gateway's port: the number of connections, the sweep over their deadlines, HTTP or HTTPS, the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from agent.access import Access
from agent.boundaries import AnsweringServices, Counters, Desk, EventSink
from agent.config.model import GatewayConfig, GatewayLimits, KeySource
from agent.gateway.acquaintances import Acquaintances
from agent.gateway.arrival import Arrival, Visitor
from agent.gateway.connection import Connection
from agent.gateway.crowd import Crowd, Turnstile
from agent.gateway.doorman import Doorman
from agent.gateway.listening import listen
from agent.gateway.misuses import Misuses
from agent.gateway.plaintext import PlaintextReception
from agent.gateway.presenting import Presentation, Presenting
from agent.gateway.reception import InThread, Reception
from agent.gateway.register import Register
from agent.gateway.supply import KeySupply
from agent.hosts import at_port
from agent.mapping import InputRules
from agent.names import ServiceName
from agent.wire import Routes, Tongue
from agent.wire.clientcert import ClientCertificate
from agent.wire.guessing import place_of
from agent.wire.misuse import Cause, printable_line

if TYPE_CHECKING:
    from agent.gateway.served import Served

log = Logger(namespace="gateway")

SWEEP_S: Final = 0.5
"""How often deadlines are looked at, so all of them are up to this much late. A timer for each request costs 8 %."""

QUIET_S: Final = 60.0
"""Between two lines about connections beyond the limits, which may come by the thousand."""

HANDSHAKES_PER_TURN: Final = 8
"""A full handshake takes 0.4 ms with an EC key, 1 to 2 ms with an RSA key: a turn stays under 16 ms."""


@attrs.frozen(kw_only=True)
class Prepared:
    """A configuration that was checked and can be adopted at once; see `ServiceGateway.prepare`."""

    config: GatewayConfig
    presentation: Presentation | None


class ServiceGateway(ServerFactory):
    """A Part: takes events over HTTP or HTTPS on one port. `address` is known once it has started.

    `reactor` listens, tells the time and keeps the sweep going. `in_thread` runs what takes long outside the reactor
    thread; it defaults to the reactor's thread pool. `key_sources`: where services have their idempotency keys from,
    other than the gateway's own setting; `access_of`: who may send to them, likewise. `rules`: what becomes of the
    messages and values that are sent to them. `desk` is told of connections that failed or were misused. `supply` is
    where key material comes from; without it TLS cannot be switched on.

    It is also the `House` of its connections (`agent.gateway.arrival`).
    """

    noisy = False

    def __init__(
        self,
        *,
        config: GatewayConfig,
        reactor: Any,
        sink: EventSink,
        host: AnsweringServices,
        routes: Routes,
        new_id: Callable[[], str],
        now_us: Callable[[], int],
        counters: Counters,
        desk: Desk,
        in_thread: InThread[Any] | None = None,
        key_sources: Mapping[ServiceName, KeySource] | None = None,
        access_of: Mapping[ServiceName, Access] | None = None,
        rules: Mapping[ServiceName, InputRules] | None = None,
        supply: KeySupply | None = None,
    ) -> None:
        self.name: Final = f"gateway on port {config.port}"
        self.address: tuple[str, int] = (config.host, config.port)
        self._config = config
        self._reactor = reactor
        self._counters = counters
        self._now = 0.0
        self._in_thread = in_thread or self._in_pool
        register = Register(counters)
        sink.on_told(register.enter)
        self._new_reception: Callable[[GatewayConfig], Reception] = lambda config: Reception(
            limits=config.limits,
            sink=sink,
            host=host,
            routes=routes,
            new_id=new_id,
            now_us=now_us,
            counters=counters,
            in_thread=self._in_thread,
            key_source=config.idempotency,
            key_sources={} if key_sources is None else key_sources,
            rules={} if rules is None else rules,
            doorman=self._doorman,
            register=register,
            clock=self.clock,
        )
        self._own_access: Mapping[ServiceName, Access] = {} if access_of is None else access_of
        self._doorman = Doorman(
            access=config.access,
            own=self._own_access,
            clock=reactor.seconds,
            now_us=now_us,
            counters=counters,
            in_thread=self._in_thread,
        )
        self._reception = self._new_reception(config)
        self._presenting = Presenting(
            supply=supply, clock=reactor.seconds, in_thread=self._in_thread, counters=counters, where=self.name
        )
        self._misuses = Misuses(desk=desk, counters=counters, clock=self.clock, now_us=now_us)
        self.acquaintances: Final = Acquaintances()
        self._visitors: Crowd[Visitor] = Crowd()
        self._turnstile = Turnstile(soon=lambda turn: reactor.callLater(0, turn), per_turn=HANDSHAKES_PER_TURN)
        self._port: Any = None
        self._sweep_call: Any = None
        self._quiet_until = 0.0
        self._is_stopping = False
        self._empty: Deferred[None] | None = None

    async def start(self) -> None:
        """Listen. Raises `MachineError` (exit status 69, or 77 for a port that only root may take), and `OperatorError`
        for key material that cannot be served."""
        self._adopt(await self.prepare(self._config))
        self._port = await listen(self._reactor, self, host=self._config.host, port=self._config.port)
        where = self._port.getHost()
        self.address = (where.host, where.port)
        self._sweep()
        self._tell()

    async def stop(self, patience_s: float) -> None:
        """Accept nothing more, answer what is in hand for at most `patience_s`, then cut what is left."""
        self._is_stopping = True
        if self._port is not None:
            port, self._port = self._port, None
            await _as_deferred(port.stopListening())
        for visitor in self._visitors:
            visitor.wind_down()
        if self._visitors:
            self._empty = Deferred()
            hurry = self._reactor.callLater(patience_s, self._cut_off)
            await self._empty
            if hurry.active():
                hurry.cancel()
        if self._sweep_call is not None and self._sweep_call.active():
            self._sweep_call.cancel()
        self._sweep_call = None

    # ---- changing while it runs --------------------------------------------------------------------------------

    async def prepare(self, config: GatewayConfig) -> Prepared:
        """Check everything that `config` needs, without changing anything; raise `OperatorError` or `MachineError`.

        Several gateways are reloaded wholly or not at all by preparing all of them before the first is adopted.
        Raises `ValueError` for another host or port: that is another gateway.
        """
        if (config.host, config.port) != (self._config.host, self._config.port):
            raise ValueError("a gateway keeps its host and port")
        return Prepared(config=config, presentation=await self._presenting.load(config) if config.ssl else None)

    def adopt(self, prepared: Prepared) -> None:
        """Serve new connections by a prepared configuration; those that are open keep what they began with."""
        self._adopt(prepared)
        self._tell()

    def renew_services(self) -> None:
        """What services have of their own (the mappings of the constructor) has changed; counts for new connections."""
        self._reception = self._new_reception(self._config)
        self._doorman.configure(self._config.access, self._own_access)

    async def reconfigure(self, config: GatewayConfig) -> None:
        """Prepare and adopt in one: TLS on or off, other certificates, other limits. The port stays open."""
        self.adopt(await self.prepare(config))

    def describe(self) -> dict[str, object]:
        """For the status. `trouble` is the sentence about key material that came and could not be served."""
        return {
            "host": self.address[0],
            "port": self.address[1],
            "ssl": self._config.ssl,
            "connections": len(self._visitors),
            **self._misuses.describe(),
            **({"tls": self._presenting.describe()} if self._config.ssl else {}),
        }

    # ---- Twisted calls this ------------------------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Arrival | None:
        """Twisted has accepted a connection; None closes it at once."""
        if self._is_stopping:
            return None
        peer = _host_of(addr)
        place = place_of(peer)
        limits = self.limits
        is_room, is_pressed = self._visitors.make_room(
            place, most=limits.max_connections, most_of_place=limits.max_connections_per_peer
        )
        if is_pressed or not is_room:
            self.count("gateway.over_connection_limit", "pushed out" if is_room else "closed at once")
            if self._now >= self._quiet_until:
                self._quiet_until = self._now + QUIET_S
                log.warn(
                    "{count} connections are open, {of_place} of them from {place}: the limits are {most} and "
                    "{most_of_place}; idle ones make room for new ones",
                    count=len(self._visitors),
                    of_place=self._visitors.count(place),
                    place=place,
                    most=limits.max_connections,
                    most_of_place=limits.max_connections_per_peer,
                )
        if not is_room:
            return None
        self.count("gateway.connections")
        arrival = Arrival(self, peer)
        self._visitors.add(arrival, place)
        return arrival

    # ---- the visitors call these -------------------------------------------------------------------------------

    @property
    def limits(self) -> GatewayLimits:
        return self._config.limits

    @property
    def served(self) -> Served | None:
        return self._presenting.served

    def clock(self) -> float:
        return self._now

    def count(self, name: str, label: str = "") -> None:
        self._counters.count(name, label)

    def note(self, *, peer: str, expects_tls: bool, cause: Cause, since: float, **facts: Any) -> None:
        self._misuses.note(peer=peer, port=self.address[1], expects_tls=expects_tls, cause=cause, since=since, **facts)

    def welcome(
        self,
        visitor: Visitor,
        *,
        peer: str,
        since: float,
        served: Served | None,
        client_certificate: ClientCertificate | None = None,
    ) -> Connection:
        if client_certificate is not None:
            self.acquaintances.note(client_certificate)

        def stranger(tongue: Tongue, first: bytes) -> None:
            self.note(
                peer=peer,
                expects_tls=served is not None,
                cause=Cause.OTHER_PROTOCOL,
                since=since,
                tongue=tongue.value,
                first_line=printable_line(first),
            )

        connection = Connection(
            peer=peer,
            reception=self._reception,
            stranger=stranger,
            clock=self.clock,
            lost=self.lost if served is None else lambda _: self.lost(visitor),
            since=since,
            client_certificate=client_certificate,
        )
        if served is None:
            self.replace(visitor, connection)
        return connection

    def turn_away(self, visitor: Visitor, *, peer: str, served: Served, since: float) -> Connection:
        def noted(first_line: str, host: str) -> None:
            self.note(
                peer=peer,
                expects_tls=True,
                cause=Cause.PLAINTEXT,
                since=since,
                tongue=Tongue.HTTP.value,
                first_line=first_line,
                host=host,
                our_names=served.names,
            )

        reception = PlaintextReception(
            limits=self.limits,
            counters=self._counters,
            answers=self._reception.answers,
            our_name=served.names[0] if served.names else self.address[0],
            port=self.address[1],
            noted=noted,
        )
        connection = Connection(
            peer=peer,
            reception=reception,
            stranger=lambda tongue, first: noted(printable_line(first), ""),
            clock=self.clock,
            lost=self.lost,
            since=since,
        )
        self.replace(visitor, connection)
        return connection

    def take_turn(self, later: Callable[[], None]) -> bool:
        return self._turnstile.passes(later)

    def replace(self, visitor: Visitor, other: Visitor) -> None:
        self._visitors.replace(visitor, other)

    def lost(self, visitor: Visitor) -> None:
        self._visitors.discard(visitor)
        if self._empty is not None and not self._visitors:
            empty, self._empty = self._empty, None
            empty.callback(None)

    # ---- inside ------------------------------------------------------------------------------------------------

    def _adopt(self, prepared: Prepared) -> None:
        if prepared.config != self._config:
            self._reception = self._new_reception(prepared.config)
            self._doorman.configure(prepared.config.access, self._own_access)
        self._config = prepared.config
        self._presenting.adopt(prepared.presentation)

    def _tell(self) -> None:
        scheme = "https" if self._config.ssl else "http"
        log.info("listening for events on {scheme}://{where}", scheme=scheme, where=at_port(*self.address))

    def _sweep(self) -> None:
        """Look at all deadlines, with one clock reading for everybody."""
        self._now = self._reactor.seconds()
        self._sweep_call = self._reactor.callLater(SWEEP_S, self._sweep)
        self._reception.tick()
        self._presenting.tick()
        self._visitors.look_again()
        for visitor in self._visitors:
            visitor.sweep(self._now)

    def _cut_off(self) -> None:
        log.warn("{count} connections did not end in time and are cut off", count=len(self._visitors))
        for visitor in self._visitors:
            visitor.abort()

    def _in_pool(self, work: Callable[[], Any]) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work)


def _host_of(address: object) -> str:
    """The peer's address as it is shown and counted; IPv4 inside IPv6 as IPv4."""
    host = str(getattr(address, "host", "") or "unknown")
    return host.removeprefix("::ffff:") if "." in host else host


def _as_deferred(result: object) -> Deferred[Any]:
    """`stopListening` returns a Deferred, or None when it is done at once."""
    if isinstance(result, Deferred):
        return result
    done: Deferred[Any] = Deferred()
    done.callback(None)
    return done

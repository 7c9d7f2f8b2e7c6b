"""Fakes around the service gateway: a transport that remembers, a sink and a host that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from agent.access import Access
from agent.boundaries import Desk, HttpRequest, HttpResponse, Waiting
from agent.config.model import GatewayConfig, GatewayLimits, KeySource
from agent.errors import SenderError
from agent.event import Event
from agent.gateway import ServiceGateway
from agent.gateway.supply import KeySupply
from agent.mapping import InputRules
from agent.names import ServiceName
from agent.wire import Routes

PLAN = ServiceName(domain="applications", name="sample-plan")
SOAP = ServiceName(domain="applications", name="soap")
ASLEEP = ServiceName(domain="applications", name="asleep")

SEED = (
    b'<?xml version="1.0" encoding="UTF-8"?><event><properties><building>"Building A"</building><city>Victoria</city>'
    b"</properties><recipients><targetName>bsmith</targetName></recipients></event>"
)


class FakeTransport:
    """A TCP transport without a network. `room` is how many bytes the peer's window takes; None: all."""

    def __init__(self, room: int | None = None, *, peer: str = "192.0.2.7") -> None:
        self.peer = peer
        self.written = b""
        self.room = room
        self.paused = False
        self.closed = False
        self.half_closed = False
        self.aborted = False
        self.acknowledged = 0
        self.protocol: Any = None
        self.producer: Any = None
        self._waiting = b""

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.peer, 40000)

    def acknowledge(self) -> None:
        self.acknowledged += 1

    def writeSomeData(self, data: bytes) -> int:
        size = len(data) if self.room is None else min(self.room, len(data))
        if self.room is not None:
            self.room -= size
        self.written += data[:size]
        return size

    def write(self, data: bytes) -> None:
        self._waiting += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert not streaming and self.producer is None
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def drain(self, size: int) -> None:
        """The peer reads `size` bytes of what waits."""
        while size > 0 and self._waiting:
            piece, self._waiting = self._waiting[:size], self._waiting[size:]
            self.written += piece
            size -= len(piece)
            if not self._waiting and self.producer is not None:
                self.producer.resumeProducing()

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def loseConnection(self) -> None:
        self._end(aborted=False)

    def abortConnection(self) -> None:
        self._end(aborted=True)

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def _end(self, *, aborted: bool) -> None:
        if not self.closed:
            self.closed = True
            self.aborted = aborted
            protocol, self.protocol = self.protocol, None
            protocol.connectionLost(None)


class FakeSink:
    """Keeps what is offered; `commit` tells those who wait. With `at_once`, at the moment of the offer."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.at_once = at_once
        self.events: list[Event] = []
        self.waiting: list[Waiting] = []
        self.ids: dict[int, str] = {}
        self.told: list[Callable[[], None]] = []

    def on_told(self, listener: Callable[[], None]) -> None:
        self.told.append(listener)

    def _end_batch(self) -> None:
        for listener in self.told:
            listener()

    def offer(self, event: Event, waiting: Waiting) -> None:
        """An idempotency key that came before gets the earlier event's id, and no second event."""
        known = next((each.id for each in self.events if event.idempotency_key and _key(each) == _key(event)), None)
        if known is None:
            self.events.append(event)
        if self.at_once:
            waiting.stored(known or event.id)
            self._end_batch()
        else:
            self.waiting.append(waiting)
            self.ids[id(waiting)] = known or event.id

    def commit(self, order: Callable[[list[Waiting]], Iterable[Waiting]] = list) -> None:
        """Tell all who wait that their events are stored, in the given order."""
        batch, self.waiting = self.waiting, []
        for waiting in order(batch):
            waiting.stored(self.ids[id(waiting)])
        self._end_batch()

    def fail(self, error: SenderError) -> None:
        batch, self.waiting = self.waiting, []
        for waiting in batch:
            waiting.refused(error)


def _key(event: Event) -> tuple[str, str]:
    return event.service, event.idempotency_key


class FakeHost:
    """Services that answer themselves: `answers` holds what each says, an exception to raise, or a Deferred."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.listeners: set[str] = set()
        """Services that take what the platform posts."""
        self.asked: list[tuple[Event, HttpRequest]] = []

    def answers_http(self, service: str) -> bool:
        return service in self.answers

    def hears_platform(self, service: str) -> bool:
        return service in self.listeners

    def ask(self, event: Event, request: HttpRequest) -> Deferred[HttpResponse | None]:
        self.asked.append((event, request))
        answer = self.answers[event.service]
        if isinstance(answer, Deferred):
            return answer
        if isinstance(answer, Exception):
            return fail(answer)
        return succeed(answer)


class FakeCounters:
    """Counts in a dictionary: name and label together."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        self.counts[name, label] = self.counts.get((name, label), 0) + by


class Stage:
    """A gateway with everything around it faked: `client()` gives a new connection to talk over."""

    def __init__(
        self,
        *,
        at_once: bool = True,
        limits: GatewayLimits | None = None,
        idempotency: KeySource | None = None,
        key_sources: Mapping[ServiceName, KeySource] | None = None,
        desk: Desk = lambda misuse: None,
        supply: KeySupply | None = None,
        access: Access | None = None,
        access_of: Mapping[ServiceName, Access] | None = None,
        rules: Mapping[ServiceName, InputRules] | None = None,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.sink = FakeSink(at_once=at_once)
        self.host = FakeHost()
        self.counters = FakeCounters()
        self.threads: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self._ids = 0
        self.gateway = ServiceGateway(
            config=GatewayConfig(
                host="127.0.0.1",
                port=0,
                limits=limits or GatewayLimits(),
                idempotency=idempotency or KeySource(),
                access=access,
            ),
            reactor=self.clock,
            sink=self.sink,
            host=self.host,
            routes=Routes(active=(PLAN, SOAP), inactive=(ASLEEP,)),
            new_id=self._new_id,
            now_us=lambda: int(self.clock.seconds() * 1_000_000),
            counters=self.counters,
            in_thread=self._in_thread,
            key_sources=key_sources,
            desk=desk,
            supply=supply,
            access_of=access_of,
            rules=rules,
        )
        self.gateway._sweep()

    def _new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids:04}"

    def _in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred()
        self.threads.append((work, waiting))
        return waiting

    def run_threads(self) -> None:
        """Do what was given to threads, and hand back the results."""
        work, self.threads = self.threads, []
        for job, waiting in work:
            try:
                result = job()
            except Exception as error:
                waiting.errback(error)
            else:
                waiting.callback(result)

    def client(self, *, room: int | None = None, peer: str = "192.0.2.7") -> Client:
        transport = FakeTransport(room, peer=peer)
        arrival = self.gateway.buildProtocol(transport.getPeer())
        assert arrival is not None
        return Client(arrival, transport)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass in steps, as a reactor does."""
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step


class Client:
    """The sender's end of a faked connection."""

    def __init__(self, arrival: Any, transport: FakeTransport) -> None:
        self.transport = transport
        transport.protocol = arrival
        arrival.makeConnection(transport)

    @property
    def connection(self) -> Any:
        """Whoever has the socket now: the arrival, then the connection that takes requests."""
        return self.transport.protocol

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            if self.transport.closed:
                return
            self.connection.dataReceived(piece)

    def end(self) -> None:
        """Half-close: nothing more will be sent."""
        self.connection.readConnectionLost()

    @property
    def answers(self) -> list[Reply]:
        """The answers received so far, 100 Continue included."""
        return list(read_replies(self.transport.written))

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


class Reply:
    """One answer as the sender reads it; header names in lower case."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def read_replies(data: bytes, bodiless: Sequence[int] = ()) -> Iterable[Reply]:
    """Split what was received into answers; fails when it is not a row of whole answers."""
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, f"cut-off answer {head!r}"
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", "0"))
        body, data = data[:size], data[size:]
        yield Reply(int(first.split()[1]), headers, body)


def post(
    body: bytes = SEED, *lines: str, target: str = "/http/applications_sample-plan", method: str = "POST"
) -> bytes:
    """A request; `lines` are further header lines, and replace Content-Length where they frame the body."""
    framing = (
        [] if any(line.lower().startswith("transfer-encoding") for line in lines) else [f"Content-Length: {len(body)}"]
    )
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: agent.example", *framing, *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def chunked(body: bytes, size: int = 7) -> bytes:
    """A body in chunks of `size` bytes, with its last chunk."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

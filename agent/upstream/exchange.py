"""One HTTP exchange: how far it has come, so that a failure can be named by its phase.

Twisted's `Agent` does not tell whether it took a connection from the pool, nor how far a time-out has come. It does ask
for an endpoint with each request: the endpoint made here belongs to one exchange and notes what happens to it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from agent.upstream.proxy import ProxyAccess


class Phase(enum.StrEnum):
    """What was being done; the texts complete `timed out while ...`."""

    CONNECTING = "connecting"
    PROXY = "asking the proxy"
    HANDSHAKE = "agreeing on TLS"
    WAITING = "waiting for the answer"
    READING = "reading the answer"


@attrs.define(kw_only=True)
class Exchange:
    """`is_fresh`: its connection was made for it. `connection` is the pool's protocol, once there is one.

    `context` is what TLS is made with, for https. `proxy`: the one it goes by, None directly.
    """

    phase: Phase = Phase.WAITING
    is_fresh: bool = False
    connection: Any = None
    context: SSL.Context | None = None
    is_tls: bool = False
    proxy: ProxyAccess | None = None

    def abort(self) -> None:
        """Drop the connection at once, without a TLS farewell that the far end could delay."""
        transport = getattr(self.connection, "transport", None)
        if transport is not None:
            transport.abortConnection()


@implementer(IStreamClientEndpoint)
@attrs.frozen(kw_only=True, eq=False)
class NotedEndpoint:
    """Notes in the exchange what becomes of an endpoint. Two are equal by their `key`, for pools that go by endpoint.

    The endpoint is made when it is needed: with a connection from the pool it never is, and making one reads the host
    name by the rules of IDNA, a tenth of what a request costs.
    """

    make: Callable[[], IStreamClientEndpoint]
    exchange: Exchange
    is_tls: bool
    key: Hashable = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NotedEndpoint) or self.key is None:
            return self is other
        return self.key == other.key

    def __hash__(self) -> int:
        return id(self) if self.key is None else hash(self.key)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        self.exchange.is_fresh = True
        self.exchange.phase = Phase.CONNECTING
        connecting: Deferred[IProtocol] = self.make().connect(protocolFactory)
        return connecting.addCallback(self._connected)

    def _connected(self, protocol: IProtocol) -> IProtocol:
        self.exchange.phase = Phase.HANDSHAKE if self.is_tls else Phase.WAITING
        return protocol


class NotedPool(HTTPConnectionPool):
    """A pool that tells the exchange which connection it got.

    Nothing is repeated behind our back: the sender decides (see `HttpSender`).
    """

    def __init__(self, reactor: IReactorTime, *, max_idle: int, idle_s: float) -> None:
        super().__init__(reactor)  # type: ignore[no-untyped-call]
        self.retryAutomatically = False
        self.maxPersistentPerHost = max_idle
        self.cachedConnectionTimeout = idle_s  # type: ignore[assignment]  # Twisted says int, callLater takes floats

    def getConnection(self, key: Hashable, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        return super().getConnection(key, endpoint).addCallback(_note, endpoint)


def _note(connection: Any, endpoint: IStreamClientEndpoint) -> Any:
    if isinstance(endpoint, NotedEndpoint):
        endpoint.exchange.connection = connection
    return connection


@implementer(IBodyProducer)
class WholeBody:
    """A body that is in memory already, written at once; `FileBodyProducer` takes a reactor turn per 64 KiB."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Everything is written already."""

    def resumeProducing(self) -> None:
        """Everything is written already."""

    def stopProducing(self) -> None:
        """Everything is written already."""


class BodyReader(Protocol):
    """Collects the body of an answer up to a limit, then drops the connection. `done` never fails."""

    def __init__(self, *, exchange: Exchange, max_bytes: int) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._stop())
        self._exchange = exchange
        self._room = max_bytes
        self.is_cut = False
        """Whether there was more than the limit, or the connection ended too early."""
        self._chunks: list[bytes] = []

    @property
    def body(self) -> bytes:
        """What has come so far, cut at the limit."""
        return b"".join(self._chunks)

    def dataReceived(self, data: bytes) -> None:
        taken = data[: self._room]
        self._room -= len(taken)
        self._chunks.append(taken)
        if len(taken) < len(data):
            self._stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Complete or cut off: the status has decided, and what came of the body is kept. Without a length in the head
        # nobody can tell (PotentialDataLoss), and it counts as complete.
        if not self.done.called and not isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self.is_cut = True
        self._finish()

    def _stop(self) -> None:
        self.is_cut = True
        self._exchange.abort()
        self._finish()

    def _finish(self) -> None:
        if not self.done.called:
            self.done.callback(None)

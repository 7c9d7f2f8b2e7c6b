"""The socket of a connection, over loopback TCP and under Twisted's reactor, turn by turn."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReadWriteDescriptor
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from agent.gateway.listening import listen
from agent.gateway.outlet import Outlet
from agent.gateway.transport import SocketTransport
from tests.support.twisted_results import result_of

PATIENCE_S = 5.0


class Hearer(Protocol):
    """Keeps what it is told; `on_data` is what it does then."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.on_data: Any = lambda: None

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)
        self.on_data()

    def readConnectionLost(self) -> None:
        self.told.append("their end")

    def writeConnectionLost(self) -> None:
        self.told.append("our end")

    def connectionLost(self, reason: object = None) -> None:
        self.told.append("lost")


class Line:
    """An accepted connection, the peer's socket, and the reactor between them."""

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.peer = socket.create_connection(server.getsockname(), timeout=PATIENCE_S)
            accepted, address = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.hearer = Hearer()
        self.transport = SocketTransport(accepted, self.hearer, address, None, 0, self.reactor)
        self.hearer.makeConnection(self.transport)

    @property
    def is_looked_after(self) -> bool:
        """Whether the reactor would read from it or write to it."""
        return self.transport in self.reactor.getReaders() + self.reactor.getWriters()

    @property
    def unacknowledged(self) -> int:
        """Packets of the peer that its kernel has no acknowledgement for: the fifth long number of tcp_info."""
        found = self.peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        return int(struct.unpack_from("=8B5I", found)[12])

    def turn(self) -> None:
        self.reactor.doPoll(0.05)

    def hear(self, size: int | None = None) -> bytes:
        """What the peer receives: so many bytes, or all to the end; the reactor goes on meanwhile."""
        heard = b""
        self.peer.settimeout(0.01)
        for _ in range(1000):
            if size is not None and len(heard) >= size:
                return heard
            try:
                piece = self.peer.recv(65536)
            except TimeoutError:
                self.turn()
                continue
            if not piece:
                return heard
            heard += piece
        raise AssertionError(f"{len(heard)} bytes have come, and not what was waited for")

    def close(self) -> None:
        self.reactor.removeAll()
        self.reactor._poller.close()
        self.peer.close()
        self.transport.getHandle().close()


@pytest.fixture()
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def test_it_is_what_a_reactor_looks_after(line: Line) -> None:
    """Twisted asks `IHalfCloseableDescriptor` before it tells of the end of one side only."""
    assert verifyObject(IReadWriteDescriptor, line.transport)
    assert verifyObject(IHalfCloseableDescriptor, line.transport)


def test_what_comes_is_heard_and_the_end_of_it(line: Line) -> None:
    """A peer that ends its side can still be answered."""
    line.peer.sendall(b"hello")
    line.turn()
    line.peer.shutdown(socket.SHUT_WR)
    line.turn()
    assert [b"hello", "their end"] == line.hearer.told
    line.transport.getHandle().send(b"answer")
    line.transport.loseConnection()
    assert b"answer" == line.hear()


def test_a_connection_on_which_nothing_waits_closes_at_once(line: Line) -> None:
    """No turn of the reactor is needed, and the reactor keeps nothing of it."""
    line.transport.loseConnection()
    assert ["lost"] == line.hearer.told
    assert not line.is_looked_after
    assert b"" == line.hear()
    line.transport.loseConnection()
    line.transport.abortConnection()
    assert ["lost"] == line.hearer.told


def test_all_that_waits_goes_before_the_end(line: Line) -> None:
    """An outlet of which the peer takes little at a time is asked until it has no more; nothing is read meanwhile."""
    outlet = Outlet(line.transport, moved=lambda: None)
    sent = bytes(range(256)) * 8192
    outlet.send(sent)
    assert outlet.is_blocked
    line.transport.loseConnection()
    line.peer.sendall(b"more")
    line.turn()
    assert [] == line.hearer.told
    assert sent == line.hear(len(sent))
    line.turn()
    assert ["lost"] == line.hearer.told


def test_half_an_end_comes_after_all_that_waits(line: Line) -> None:
    """Our side ends when everything has gone, and what the peer says then is heard."""
    sent = b"." * 500_000
    line.transport.write(sent)
    line.transport.loseWriteConnection()
    assert [] == line.hearer.told
    assert sent == line.hear()
    line.peer.sendall(b"more")
    line.turn()
    assert ["our end", b"more"] == line.hearer.told


def test_cutting_off_resets_and_drops_what_waits(line: Line) -> None:
    """The peer sees at once that it is no orderly end; the producer is told."""
    outlet = Outlet(line.transport, moved=lambda: None)
    outlet.send(b"." * 10_000_000)
    line.transport.abortConnection()
    assert (["lost"], b"") == (line.hearer.told, outlet._backlog)
    with pytest.raises(ConnectionResetError):
        line.hear()


def test_who_pauses_hears_nothing_until_it_goes_on(line: Line) -> None:
    """Back-pressure: what comes meanwhile stays with the kernel."""
    line.transport.pauseProducing()
    line.peer.sendall(b"hello")
    line.turn()
    assert [] == line.hearer.told
    line.transport.resumeProducing()
    line.turn()
    assert [b"hello"] == line.hearer.told
    line.transport.write(b"the last")
    line.transport.loseConnection()
    line.transport.resumeProducing()
    assert line.transport not in line.reactor.getReaders()


def test_what_has_come_is_acknowledged_on_demand(line: Line) -> None:
    """After an exchange the kernel waits for something to go along with; a peer that waits for it is told at once."""
    for _ in range(100):  # the kernel may be quicker, at first always
        line.peer.sendall(b"question")
        line.turn()
        if line.unacknowledged:
            break
        line.transport.getHandle().send(b"answer")
    else:
        raise AssertionError("the kernel has never waited")
    line.transport.acknowledge()
    assert 0 == line.unacknowledged
    line.transport.abortConnection()
    line.transport.acknowledge()


def test_a_reset_of_the_peer_is_told(line: Line) -> None:
    """Also to who is only waiting to read."""
    line.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.peer.close()
    line.turn()
    assert ["lost"] == line.hearer.told


def test_writing_to_a_peer_that_has_gone_is_found_out(line: Line) -> None:
    """The end is told by the reactor, not to the one who writes."""
    line.transport.pauseProducing()
    line.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.peer.close()
    line.transport.write(b"too late")
    assert [] == line.hearer.told
    line.turn()
    assert ["lost"] == line.hearer.told
    line.transport.write(b"later still")
    assert not line.is_looked_after


def test_who_closes_while_hearing_is_not_asked_to_write(line: Line) -> None:
    """Both may be possible in one turn."""
    line.transport.write(b"words")
    line.hearer.on_data = line.transport.abortConnection
    line.peer.sendall(b"hello")
    line.turn()
    assert [b"hello", "lost"] == line.hearer.told


def test_an_end_is_told_once(line: Line) -> None:
    """The reactor may find out what the connection has done itself."""
    line.transport.abortConnection()
    line.transport.connectionLost(Failure(ConnectionLost()))
    assert ["lost"] == line.hearer.told


def test_a_producer_of_a_connection_that_is_gone_is_stopped(line: Line) -> None:
    """What it had is lost, and nobody keeps asking for it."""
    asked: list[str] = []

    class Producer:
        def resumeProducing(self) -> None:
            asked.append("more")

        def stopProducing(self) -> None:
            asked.append("stop")

    line.transport.abortConnection()
    line.transport.registerProducer(Producer(), False)
    line.transport.unregisterProducer()
    assert ["stop"] == asked
    assert not line.is_looked_after


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_twisted_still_calls_what_a_port_names_as_its_transport(host: str) -> None:
    """Where that changes, accepted connections would stand on something else, or on nothing."""
    reactor: Any = EPollReactor()
    hearer = Hearer()
    factory = ServerFactory.forProtocol(lambda: hearer)
    port = result_of(Deferred.fromCoroutine(listen(reactor, factory, host=host, port=0)))
    with socket.create_connection(("127.0.0.1", port.getHost().port), timeout=PATIENCE_S) as peer:
        reactor.doPoll(PATIENCE_S)
        peer.sendall(b"hello")
        reactor.doPoll(PATIENCE_S)
        assert [b"hello"] == hearer.told
        assert type(hearer.transport) is SocketTransport
        hearer.transport.loseConnection()
        assert b"" == peer.recv(1)
    port.stopListening()
    reactor.runUntilCurrent()
    reactor._poller.close()

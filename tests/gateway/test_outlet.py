"""The way out."""

from agent.gateway.outlet import PIECE_BYTES, Outlet
from tests.support.gateway import FakeTransport


class Moves:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_sends_at_once_what_the_socket_takes() -> None:
    """With room in the window nothing is buffered and nobody is told."""
    transport, moved = FakeTransport(), Moves()
    outlet = Outlet(transport, moved=moved)
    outlet.send(b"abc")
    outlet.send(b"def")
    assert b"abcdef" == transport.written
    assert not outlet.is_blocked and 0 == moved.count


def test_keeps_the_order_when_blocked() -> None:
    """What does not fit waits, what comes later waits behind it, and each piece read is progress."""
    transport, moved = FakeTransport(room=2), Moves()
    outlet = Outlet(transport, moved=moved)
    outlet.send(b"abc")
    outlet.send(b"d" * 2 * PIECE_BYTES)
    assert outlet.is_blocked
    before = moved.count
    transport.drain(1_000_000)
    assert b"abc" + b"d" * 2 * PIECE_BYTES == transport.written
    assert not outlet.is_blocked and transport.producer is None
    assert moved.count > before + 2


def test_works_on_a_transport_that_only_buffers() -> None:
    """A transport without `writeSomeData` is written to in the ordinary way."""

    class Buffering(FakeTransport):
        writeSomeData = None  # type: ignore[assignment]

    transport = Buffering()
    Outlet(transport, moved=Moves()).send(b"abc")
    transport.drain(10)
    assert b"abc" == transport.written


def test_a_lost_connection_is_left_to_the_transport() -> None:
    """An error of the socket is no exception here: the transport finds out when it writes."""

    class Lost(FakeTransport):
        def writeSomeData(self, data: bytes) -> object:  # type: ignore[override]
            return ConnectionError()

    outlet = Outlet(Lost(), moved=Moves())
    outlet.send(b"abc")
    assert outlet.is_blocked
    outlet.stopProducing()

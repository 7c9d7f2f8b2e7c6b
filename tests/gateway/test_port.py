"""Listening, limits on connections, the end."""

import errno
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock

from agent.config.model import GatewayConfig, GatewayLimits
from agent.errors import ExitStatus, MachineError
from agent.gateway import ServiceGateway
from agent.wire import Routes
from tests.support.gateway import FakeCounters, FakeHost, FakeSink, Stage, post


class Reactor(MemoryReactorClock):
    """Refuses to listen with the errors given, one after the other; None lets it listen."""

    def __init__(self, *faults: int | None) -> None:
        super().__init__()
        self.faults = list(faults)
        self.interfaces: list[str] = []

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        self.interfaces.append(interface)
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise CannotListenError(interface, port, OSError(fault, "no"))
        return super().listenTCP(port, factory, backlog, interface)


def start(reactor: Reactor, host: str = "", port: int = 8081) -> None:
    gateway = ServiceGateway(
        config=GatewayConfig(host=host, port=port),
        reactor=reactor,
        sink=FakeSink(),
        host=FakeHost(),
        routes=Routes(active=()),
        new_id=str,
        now_us=lambda: 0,
        counters=FakeCounters(),
        desk=lambda misuse: None,
    )
    outcome: list[Any] = []
    Deferred.fromCoroutine(gateway.start()).addBoth(outcome.append)
    (result,) = outcome
    if result is not None:
        raise result.value


def test_listens_on_all_addresses_by_default() -> None:
    """Without a host, IPv6 and IPv4; IPv4 alone where the machine has no IPv6; one address where it is named."""
    for reactor, host, interfaces in (
        (Reactor(), "", ["::"]),
        (Reactor(errno.EAFNOSUPPORT), "", ["::", ""]),
        (Reactor(), "192.0.2.1", ["192.0.2.1"]),
    ):
        start(reactor, host)
        assert interfaces == reactor.interfaces


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (errno.EADDRINUSE, ExitStatus.UNAVAILABLE, ["port 1", "holds it", "another port"]),
        (errno.EACCES, ExitStatus.NO_PERMISSION, ["port 1", "root"]),
        (errno.EADDRNOTAVAIL, ExitStatus.UNAVAILABLE, ["192.0.2.1", "does not have that address"]),
        (errno.EIO, ExitStatus.UNAVAILABLE, ["port 1"]),
    ],
)
def test_says_why_it_cannot_listen(fault: int, status: ExitStatus, words: list[str]) -> None:
    """Each cause has its sentence and its exit status."""
    with pytest.raises(MachineError) as caught:
        start(Reactor(fault), "192.0.2.1", 1)
    assert status == caught.value.exit_status
    assert all(word in caught.value.sentence for word in words)


def test_connections_over_the_limit_are_closed() -> None:
    """Where all wait for answers that are owed to them, a newcomer has to go; one that ends makes room."""
    stage = Stage(at_once=False, limits=GatewayLimits(max_connections=2))
    first, second = stage.client(), stage.client()
    first.send(post())
    second.send(post())
    assert stage.gateway.buildProtocol(None) is None
    assert 1 == stage.counters.counts["gateway.over_connection_limit", "closed at once"]
    first.transport.loseConnection()
    assert stage.gateway.buildProtocol(None) is not None


def test_stopping_answers_what_is_in_hand() -> None:
    """Idle connections close at once; a request half read is read to its end; the last answer says `close`."""
    stage = Stage(at_once=False)
    idle, waiting, reading = stage.client(), stage.client(), stage.client()
    waiting.send(post())
    reading.send(post()[:-5])
    stopped: list[None] = []
    Deferred.fromCoroutine(stage.gateway.stop(10)).addCallback(stopped.append)
    assert idle.transport.closed
    assert stage.gateway.buildProtocol(None) is None
    waiting.send(post())
    reading.send(post()[-5:])
    assert [] == stopped
    stage.sink.commit()
    for client in (waiting, reading):
        assert [202] == client.statuses
        assert "close" == client.answers[0].headers["connection"]
        assert client.transport.closed and not client.transport.aborted
    assert [None] == stopped
    assert [] == stage.clock.getDelayedCalls()


def test_stopping_ends_with_patience() -> None:
    """What is not done in time is cut off."""
    stage = Stage(at_once=False)
    client = stage.client()
    client.send(post())
    stopped: list[None] = []
    Deferred.fromCoroutine(stage.gateway.stop(3)).addCallback(stopped.append)
    stage.pass_time(2)
    assert [] == stopped
    stage.pass_time(2)
    assert [None] == stopped
    assert client.transport.aborted


def test_stopping_tells_who_is_half_through_to_come_back() -> None:
    """A body that does not end within two seconds gets 503 and a clean close, not a cut; so does a half-sent head."""
    stage = Stage()
    body, head, continued = stage.client(), stage.client(), stage.client()
    body.send(post()[:-5])
    head.send(b"POST /http/applications_sample-plan HTTP/1.1\r\nHost:")
    continued.send(post(b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 200"))
    stopped: list[None] = []
    Deferred.fromCoroutine(stage.gateway.stop(10)).addCallback(stopped.append)
    for _ in range(4):
        stage.pass_time(0.5)
        body.send(b" ")
    for client in (body, head, continued):
        answer = client.answers[-1]
        assert (503, "10", "close") == (answer.status, answer.headers["retry-after"], answer.headers["connection"])
        assert client.transport.half_closed and not client.transport.aborted
        client.end()
        assert client.transport.closed and not client.transport.aborted
    assert [None] == stopped
    assert [] == stage.sink.events


def test_a_request_that_waits_its_turn_is_not_lost_by_stopping() -> None:
    """What had come before the stop is read on when the line of answers has room again."""
    stage = Stage(at_once=False, limits=GatewayLimits(max_pipelined=1))
    client = stage.client()
    client.send(post() + post()[:-5])
    client.send(post()[-5:])
    Deferred.fromCoroutine(stage.gateway.stop(10))
    stage.sink.commit()
    stage.sink.commit()
    assert 202 == client.statuses[0] and client.transport.closed

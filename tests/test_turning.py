"""The reactor of the agent."""

import inspect
import os
import time
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.process import Process
from twisted.internet.protocol import ClientFactory

from agent import turning
from agent.delivery.share import Meter
from agent.turning import USED, LeanReactor


class Pipe:
    """The reading end of a pipe, as a reactor sees it."""

    def __init__(self, reactor: Any, fault: Exception | None = None) -> None:
        self.reactor = reactor
        self.fault = fault
        self.ours, self.theirs = os.pipe()
        self.read: list[bytes] = []
        self.lost = False

    def fileno(self) -> int:
        return self.ours

    def doRead(self) -> None:
        self.read.append(os.read(self.ours, 100))
        if self.fault is not None:
            raise self.fault

    def logPrefix(self) -> str:
        return "pipe"

    def connectionLost(self, reason: object) -> None:
        self.lost = True

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


def test_what_is_ready_is_read() -> None:
    """One turn reads from all that are ready, and from nobody else; a turn with nothing to do ends in time."""
    reactor = LeanReactor(Meter(time.monotonic))
    ready, idle = Pipe(reactor), Pipe(reactor)
    for pipe in (ready, idle):
        reactor.addReader(pipe)
    os.write(ready.theirs, b"x")
    reactor.doPoll(0.0)
    reactor.doPoll(0.0)
    assert ([b"x"], []) == (ready.read, idle.read)
    reactor.removeAll()
    for pipe in (ready, idle):
        pipe.close()


def test_a_number_that_is_taken_again_in_the_same_turn_is_another() -> None:
    """Whoever was ready has been closed meanwhile, and a newcomer has its number: that one has nothing to read yet."""
    reactor = LeanReactor(Meter(time.monotonic))
    closer, closed = Pipe(reactor), Pipe(reactor)
    newcomer = Pipe(reactor)

    def take_over() -> None:
        number = closed.ours
        reactor.removeReader(closed)
        os.dup2(newcomer.ours, number)
        os.close(newcomer.ours)
        newcomer.ours = number
        reactor.addReader(newcomer)

    for pipe in (closer, closed):
        reactor.addReader(pipe)
        os.write(pipe.theirs, b"x")
    os.write(newcomer.theirs, b"later")
    closer.doRead = take_over  # type: ignore[method-assign]
    reactor.doPoll(0.0)
    assert [] == newcomer.read
    reactor.removeReader(closer)
    reactor.doPoll(0.0)
    assert [b"later"] == newcomer.read
    reactor.removeAll()
    os.close(closed.theirs)
    for pipe in (closer, newcomer):
        pipe.close()


def test_work_is_told_from_the_rest_and_from_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers and far ends say is metered as work, what senders say is not, and waiting is waiting."""

    class WorkersPipe(Pipe):
        pass

    monkeypatch.setattr(turning, "WORK", frozenset({WorkersPipe}))
    now_s = iter(range(100))
    meter = Meter(lambda: float(next(now_s)))
    reactor = LeanReactor(meter)
    senders, workers = Pipe(reactor), WorkersPipe(reactor)
    for pipe in (senders, workers):
        reactor.addReader(pipe)
    for pipe, worked_s in ((senders, 0.0), (workers, 1.0)):
        os.write(pipe.theirs, b"x")
        reactor.doPoll(0.0)
        assert (worked_s, 0.0) == (meter.worked_s(0.0), meter.idle_s)
    reactor.doPoll(0.001)
    assert (1.0, 1.0) == (meter.worked_s(0.0), meter.idle_s)
    reactor.removeAll()
    for pipe in (senders, workers):
        pipe.close()


def test_work_is_what_is_sent_and_what_workers_say() -> None:
    """What the reactor looks after for a connection that the agent opens, and for the pipes of a process, exactly."""
    reactor = LeanReactor(Meter(time.monotonic))
    connector = reactor.connectTCP("127.0.0.1", 1, ClientFactory())
    assert {type(connector.transport), Process.processReaderFactory, Process.processWriterFactory} == turning.WORK
    connector.stopConnecting()


def test_a_fault_of_one_ends_that_one_only() -> None:
    """Whoever raises while reading is disconnected; the others go on."""
    reactor = LeanReactor(Meter(time.monotonic))
    wrong, right = Pipe(reactor, ValueError("x")), Pipe(reactor)
    for pipe in (wrong, right):
        reactor.addReader(pipe)
        os.write(pipe.theirs, b"x")
    reactor.doPoll(0.0)
    assert (True, False, [b"x"]) == (wrong.lost, right.lost, right.read)
    reactor.removeAll()
    for pipe in (wrong, right):
        pipe.close()


def test_twisted_is_still_as_it_was_read() -> None:
    """`doPoll` is a copy but for the log context: when Twisted's own changes, ours must be looked at."""
    source = inspect.getsource(EPollReactor.doPoll)
    assert "log.callWithLogger(selectable, _drdw, selectable, fd, event)" in source
    assert "self._poller.poll(timeout, len(self._selectables))" in source
    for name in USED:
        assert name in source

"""The way into a worker's pipe."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.process import ProcessWriter

from agent.host.inlet import Inlet

FD = 3


class Pipe:
    """A real pipe, and Twisted's way of writing to it: buffered until `turn`."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        for fd in (self.reading, self.writing):
            os.set_blocking(fd, False)
        fcntl.fcntl(self.writing, fcntl.F_SETPIPE_SZ, 4096)
        self.buffer = bytearray()
        self.producer: Any = None

    def fileno(self) -> int:
        return self.writing

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.buffer += data

    def turn(self) -> bytes:
        """The worker reads all there is, and the pipe takes more."""
        read = os.read(self.reading, 65536)
        del self.buffer[: os.write(self.writing, self.buffer[:4096]) if self.buffer else 0]
        if not self.buffer and self.producer is not None:
            self.producer.resumeProducing()
        return read


class Process:
    def __init__(self, pipe: Pipe) -> None:
        self.pipes = {FD: pipe}


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.reading)
    os.close(made.writing)


def test_what_the_pipe_takes_is_written_at_once(pipe: Pipe) -> None:
    """Nothing is left to the reactor."""
    inlet = Inlet(Process(pipe), FD)
    inlet.write(b"abc")
    inlet.write(b"def")
    assert (b"", None) == (bytes(pipe.buffer), pipe.producer)
    assert b"abcdef" == os.read(pipe.reading, 100)


def test_what_it_does_not_take_follows_in_order(pipe: Pipe) -> None:
    """Also what is written meanwhile; and when all has gone, the next is written at once again."""
    inlet = Inlet(Process(pipe), FD)
    said = [bytes([number]) * 3000 for number in range(4)]
    for data in said:
        inlet.write(data)
    heard = b"".join(pipe.turn() for _ in range(4))
    assert b"".join(said) == heard
    inlet.write(b"abc")
    assert b"abc" == os.read(pipe.reading, 100)


def test_a_worker_that_is_gone_is_written_to_no_more(pipe: Pipe) -> None:
    """Whether its pipe was closed by us, or while something waited for it."""
    process = Process(pipe)
    inlet = Inlet(process, FD)
    inlet.write(b"x" * 10_000)
    del process.pipes[FD]
    inlet.resumeProducing()
    inlet.stopProducing()
    inlet.write(b"y")
    Inlet(process, FD).write(b"z")
    assert b"x" * 4096 == os.read(pipe.reading, 65536)


def test_twisted_has_what_is_used() -> None:
    """The pipe of a process is a file descriptor that takes a pull producer."""
    for name in ("fileno", "registerProducer", "unregisterProducer", "write"):
        assert callable(getattr(ProcessWriter, name))

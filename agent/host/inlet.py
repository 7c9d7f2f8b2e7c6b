"""The way into a worker: at once where its pipe takes it, in order behind what waits where it does not."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer


@implementer(IPullProducer)
class Inlet:
    """Writes to descriptor `child_fd` of a process that the reactor has started.

    Twisted's `writeToChild` always buffers and writes in a later turn of the reactor, which costs four calls of
    epoll_ctl and a turn for each event. Here the pipe itself is written to, and only what it does not take is left to
    Twisted. Nothing raises when the process or its pipe is gone.
    """

    def __init__(self, process: Any, child_fd: int) -> None:
        self._process = process
        self._child_fd = child_fd
        self._backlog = bytearray()
        self._is_blocked = False

    def write(self, data: bytes) -> None:
        """Write `data` after everything written before; never blocks."""
        if self._is_blocked:
            self._backlog += data
            return
        # Looked up each time: Twisted takes the pipe out when it closes it, and its number may be another file's then.
        pipe = self._process.pipes.get(self._child_fd)
        if pipe is None:
            return
        try:
            sent = os.write(pipe.fileno(), data)
        except OSError:
            sent = 0  # full; or the worker is gone, which Twisted's own write finds out in its turn
        if sent < len(data):
            self._backlog += data[sent:]
            self._is_blocked = True
            pipe.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The pipe has taken all that it was given."""
        pipe = self._process.pipes.get(self._child_fd)
        if pipe is None:
            return
        if self._backlog:
            data = bytes(self._backlog)
            self._backlog.clear()
            pipe.write(data)
        else:
            self._is_blocked = False
            pipe.unregisterProducer()

    def stopProducing(self) -> None:
        """The pipe is closed; what waited is lost with it."""
        self._backlog.clear()

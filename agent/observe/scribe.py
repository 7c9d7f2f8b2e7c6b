"""Carries lines to where they are written, in a thread of its own.

A terminal that has been stopped with Ctrl-S, a pipe that nobody reads, a disk that takes a second per write: none may
make the reactor wait. So each place has a thread and a bounded line of lines; what does not fit is dropped and counted,
and the next line that gets through says how many are missing.

Lines are written together: the thread sleeps `PAUSE_S` after the first, unless one is urgent. It is woken through a
`SimpleQueue`, and not by a `threading.Event`: garbage may be collected while an Event's lock is held, and a finalizer
that logs would wait for itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from agent.recent import Lines

PAUSE_S: Final = 0.2
"""How long a line may wait for others: short for an eye, long enough for thousands of lines in one write."""

MAX_WAITING_LINES: Final = 50_000
"""Some 10 MB of text; two seconds of the busiest agent."""

END_PATIENCE_S: Final = 2.0
"""How long the end waits for the last lines; a place that blocks for ever must not keep the process."""


class Scribe:
    """Writes the lines it is given through `write`, in order.

    `write` may raise: the lines of that write are lost and counted. `lost_line(n)` makes the line that says so.
    """

    def __init__(self, *, name: str, write: Callable[[str], None], lost_line: Callable[[int], str]) -> None:
        self._name = name
        self._write = write
        self._lost_line = lost_line
        self._batches: deque[Lines] = deque()
        self._waiting = 0
        self._lost = 0
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._is_called = self._is_hurried = False
        self._ending = False
        self._thread: threading.Thread | None = None

    def put(self, lines: Lines, *, urgent: bool = False) -> None:
        """Take lines, from any thread; never blocks. Urgent: write at once."""
        # A count that two threads spoil is bearable, a lock on this path is not: `write_out` begins both anew.
        if self._waiting >= MAX_WAITING_LINES:
            self._lost += len(lines)
            return
        self._waiting += len(lines)
        self._batches.append(lines)
        if not self._is_called:
            self._is_called = True
            self._calls.put(None)
        if urgent and not self._is_hurried:
            self._is_hurried = True
            self._calls.put(None)

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Write what is left and stop; waits at most `END_PATIENCE_S`."""
        self._ending = True
        self._calls.put(None)
        self._calls.put(None)  # the thread waits twice
        if self._thread is not None:
            self._thread.join(END_PATIENCE_S)

    def write_out(self) -> None:
        """Write everything that waits, in one call of `write`. For the thread; tests call it themselves."""
        taken: list[Lines] = []
        lost, self._lost = self._lost, 0
        self._waiting = 0
        try:
            while True:
                taken.append(self._batches.popleft())
        except IndexError:
            pass
        if not taken:
            self._lost += lost
            return
        texts = [lines.text for lines in taken]
        if lost:
            texts.insert(0, self._lost_line(lost))
        try:
            self._write("".join(texts))
        except (OSError, ValueError):  # a full disk, a closed console; ValueError is Python's word for a closed file
            self._lost += lost + sum(map(len, taken))

    def _work(self) -> None:
        while not self._ending:
            self._calls.get()
            with contextlib.suppress(Empty):
                self._calls.get(timeout=PAUSE_S)  # a second call while it sleeps is the hurried one
            self._is_called = self._is_hurried = False
            self.write_out()
        self.write_out()

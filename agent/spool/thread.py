"""The one thread that writes: batches in, reports out, always one transaction at a time.

While a commit waits for the disk, further batches queue up; the next transaction takes all of them, up to its bound.
That is what makes the group commit grow with the load: 64 senders cost one sync, not 64. The report goes back with one
call into the reactor, and the next commit starts before the reactor has written the answers of the last.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Final

from agent.spool.batch import Batch, Report
from agent.spool.writer import Writer

MAX_BATCH_EVENTS: Final = 1024
"""Of one transaction. Beyond some hundred the sync is paid for (83k events/s at 64, 199k at 256); more would only make
everybody wait for the slowest, and a failing sync refuses the whole batch."""

MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
"""Of one transaction: about 20 to 50 ms on a plain disk, and the log grows by no more than this between checkpoints."""


class WriterLoop:
    """Runs a `Writer`. `put` and `finish` may be called from any thread, `run` or `step` only in the writer's own.

    `tell` is called in the writer's thread with each report, `doubt` with an error that was met when nobody waited.
    """

    def __init__(self, *, writer: Writer, tell: Callable[[Report], None], doubt: Callable[[Exception], None]) -> None:
        self._writer = writer
        self._tell = tell
        self._doubt = doubt
        # None asks for the end. A SimpleQueue, because its put never blocks and is safe against signals.
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._left_over: Batch | None = None
        self._is_finishing = False

    def put(self, batch: Batch) -> None:
        """Commit this with the next transaction."""
        self._queue.put(batch)

    def finish(self) -> None:
        """Commit what was put so far, then end."""
        self._queue.put(None)

    def run(self, *, before_close: Callable[[], None]) -> None:
        """Work until `finish`, then close the spool."""
        while self.step():
            pass
        before_close()
        self._writer.close()

    def step(self) -> bool:
        """Wait for work and do one transaction; False when there is nothing more to do."""
        batch = self._next_batch()
        if batch is None:
            return False
        self._tell(self._writer.commit(batch))
        error = self._writer.checkpoint()
        if error is not None:
            self._doubt(error)
        return True

    def _next_batch(self) -> Batch | None:
        """Everything that has queued up, in order, up to the bounds; None after `finish` when all is done."""
        batch = self._left_over
        self._left_over = None
        if batch is None:
            if self._is_finishing:
                return None
            batch = self._queue.get()
            if batch is None:
                self._is_finishing = True
                return None
        while not self._is_finishing:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._is_finishing = True
            elif _fits(batch, more):
                batch.accepts += more.accepts
                batch.changes += more.changes
                batch.size_bytes += more.size_bytes
            else:
                self._left_over = more
                break
        return batch


def _fits(batch: Batch, more: Batch) -> bool:
    orders = len(batch.accepts) + len(batch.changes) + len(more.accepts) + len(more.changes)
    return orders <= MAX_BATCH_EVENTS and batch.size_bytes + more.size_bytes <= MAX_BATCH_BYTES

"""The one thread that writes: batches in, reports out, always one transaction at a time.

While a commit waits for the disk, further batches queue up; the next transaction takes all of them, up to its bound.
That is what makes the group commit grow with the load: 64 senders cost one sync, not 64. The report goes back with one
call into the reactor, and the next commit starts before the reactor has written the answers of the last.
"""

from __future__ import annotations

import enum
import queue
from collections.abc import Callable
from typing import Final

from agent.spool.batch import Batch, Report
from agent.spool.inorder import InOrder
from agent.spool.writer import Writer

MAX_BATCH_EVENTS: Final = 1024
"""Of one transaction. Beyond some hundred the sync is paid for (83k events/s at 64, 199k at 256); more would only make
everybody wait for the slowest, and a failing sync refuses the whole batch."""

MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
"""Of one transaction: about 20 to 50 ms on a plain disk, and the log grows by no more than this between checkpoints."""


class _Word(enum.Enum):
    """What is said to the thread between batches."""

    TOLD = enum.auto()
    END = enum.auto()


class WriterLoop:
    """Runs a `Writer`. `put`, `told` and `finish` may be called from any thread, `run` or `step` only in the writer's.

    `tell` is called in the writer's thread with each report, `doubt` with an error that was met when nobody waited.
    """

    def __init__(self, *, writer: Writer, tell: Callable[[Report], None], doubt: Callable[[Exception], None]) -> None:
        self._writer = writer
        self._tell = tell
        self._doubt = doubt
        # A SimpleQueue, because its put never blocks and is safe against signals.
        self._queue: queue.SimpleQueue[Batch | _Word] = queue.SimpleQueue()
        self._left_over: Batch | _Word | None = None
        self._order: Final = InOrder()

    def put(self, batch: Batch) -> None:
        """Commit this with the next transaction."""
        self._queue.put(batch)

    def told(self) -> None:
        """Those whose settlements the disk refused are told now; what is put from now on knows of it."""
        self._queue.put(_Word.TOLD)

    def finish(self) -> None:
        """Commit what was put so far, then end."""
        self._queue.put(_Word.END)

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
        held = self._order.sift(batch)
        report = self._writer.commit(batch) if batch.accepts or batch.changes else Report()
        report.failed += held
        self._order.watch(report)
        self._tell(report)
        error = self._writer.checkpoint()
        if error is not None:
            self._doubt(error)
        return True

    def _next_batch(self) -> Batch | None:
        """Everything that has queued up, in order, up to the bounds or the next word; None when all is done."""
        batch = self._take()
        while batch is _Word.TOLD:
            self._order.told()
            batch = self._take()
        if not isinstance(batch, Batch):
            return None
        while self._left_over is None:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(more, Batch) and _fits(batch, more):
                batch.accepts += more.accepts
                batch.changes += more.changes
                batch.size_bytes += more.size_bytes
            else:
                self._left_over = more
        return batch

    def _take(self) -> Batch | _Word:
        taken, self._left_over = self._left_over, None
        return self._queue.get() if taken is None else taken


def _fits(batch: Batch, more: Batch) -> bool:
    orders = len(batch.accepts) + len(batch.changes) + len(more.accepts) + len(more.changes)
    return orders <= MAX_BATCH_EVENTS and batch.size_bytes + more.size_bytes <= MAX_BATCH_BYTES

"""The operator's changes while no agent runs: the same orders to the same writer, without a thread or a reactor.

    with HomeLock(...), OfflineSpool(folder, now_us=...) as spool:
        spool.replay(ids)

The caller holds the lock of the home: two writers would give the same places twice. Everything blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.errors import ExitStatus, OperatorError
from agent.spool import layout
from agent.spool.batch import Batch, Change
from agent.spool.faults import trouble
from agent.spool.mending import Edit, Mend, Mended, Purge, Replay
from agent.spool.writer import Writer

Progress = Callable[[int], None]


class OfflineSpool:
    """The spool of a home whose agent is down. A context manager; on leaving, one file is left that can be copied.

    Raises what `Writer.open` raises, `OperatorError` where there is no spool, and `MachineError` when the disk refuses.
    """

    def __init__(self, folder: Path, *, now_us: Callable[[], int], vfs: str | None = None) -> None:
        self._folder = folder
        self._writer = Writer(folder=folder, now_us=now_us, vfs=vfs)

    def __enter__(self) -> Self:
        path = self._folder / layout.FILE_NAME
        if not path.exists():
            raise OperatorError(
                "spool-missing",
                f"{path}: there is no spool here; it is made when the agent starts for the first time",
                exit_status=ExitStatus.NO_INPUT,
            )
        self._writer.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def replay(self, ids: Iterable[str], *, progress: Progress | None = None) -> int:
        """As `Orders.replay`. `progress` is called with the number of ids that have been looked at."""
        return self._mend_all(ids, lambda some: Replay(ids=some), progress)

    def purge(self, ids: Iterable[str], *, progress: Progress | None = None) -> int:
        """As `Orders.purge`."""
        return self._mend_all(ids, lambda some: Purge(ids=some), progress)

    def edit(self, letter_id: str, *, body: bytes) -> int:
        """As `Orders.edit`; raises `ValueError` for a body that cannot be read."""
        return self._mend(Edit(id=letter_id, body=body)).count

    def _mend_all(self, ids: Iterable[str], order: Callable[[tuple[str, ...]], Mend], progress: Progress | None) -> int:
        every = tuple(dict.fromkeys(ids))
        count, left = 0, every
        while left:
            mended = self._mend(order(left))
            count, left = count + mended.count, mended.left
            self._writer.checkpoint()
            if progress is not None:
                progress(len(every) - len(left))
        return count

    def _mend(self, what: Mend) -> Mended:
        change = Change(what=what)
        report = self._writer.commit(Batch(changes=[change]))
        for _change, error in report.failed:
            if isinstance(error, ValueError):
                raise error
            raise trouble(error, self._folder) from error
        assert change.result is not None
        return change.result

"""Keeps the settlements of events in order over a commit that failed.

While a commit is on its way, later settlements are handed in already. When the disk refuses the first and, a moment
later, takes the others, then what the later events have produced would be sent first. So a refusal takes everything
with it that was handed in before its news was out: those who settle repeat all of it, in their order.
"""

from __future__ import annotations

from agent.boundaries import EventSettlement
from agent.spool.batch import FAULTS_OF_ONE, Batch, Change, Report
from agent.spool.changes import ImpossibleChange


class InOrder:
    """In the writer's thread: `sift` before each commit, `watch` after it, `told` when the news of a refusal is out."""

    def __init__(self) -> None:
        self._untold = 0
        self._error: Exception | None = None

    def sift(self, batch: Batch) -> list[tuple[Change, Exception]]:
        """Take out of `batch` what must not overtake, with the reason."""
        if not self._untold or self._error is None:
            return []
        held = [(change, self._error) for change in batch.changes if isinstance(change.what, EventSettlement)]
        batch.changes = [change for change in batch.changes if not isinstance(change.what, EventSettlement)]
        return held

    def watch(self, report: Report) -> None:
        """Note a refusal; each one is followed by one call of `told`."""
        error = why_refused(report)
        if error is not None:
            self._error = error
            self._untold += 1

    def told(self) -> None:
        """What is handed in from now on knows of the refusal."""
        self._untold -= 1


def why_refused(report: Report) -> Exception | None:
    """Why the disk refused settlements of events; None where it did not. A fault of one settlement is none of these."""
    for change, error in report.failed:
        if isinstance(change.what, EventSettlement) and not isinstance(error, (ImpossibleChange, *FAULTS_OF_ONE)):
            return error
    return None

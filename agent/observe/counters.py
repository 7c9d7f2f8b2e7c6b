"""Counts what the edges report; read by `iadmin status` and, later, by metrics."""

from __future__ import annotations

from typing import Final

MAX_LABELS: Final = 200
"""Labels per counter. A site has tens of services and destinations; more means that something a sender chose has been
used as a label, which would grow without end (Prometheus' own advice is below 10, with a few exceptions at 100)."""

OTHER: Final = "other"
"""Where counts go whose label came after the limit."""


class CounterStore:
    """Implements `agent.boundaries.Counters`. To be called in the reactor thread only."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[str, int]] = {}

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """Add `by` to a counter, under `other` when it has too many labels already."""
        try:
            self._counts[name][label] += by
        except KeyError:
            self._begin(name, label, by)

    def _begin(self, name: str, label: str, by: int) -> None:
        labels = self._counts.setdefault(name, {})
        if label not in labels and len(labels) >= MAX_LABELS:
            label = OTHER
        labels[label] = labels.get(label, 0) + by

    def snapshot(self) -> dict[str, dict[str, int]]:
        """All counts as they are now, by name and label, both sorted; the caller may keep it."""
        return {name: dict(sorted(labels.items())) for name, labels in sorted(self._counts.items())}

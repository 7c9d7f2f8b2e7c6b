"""What the deduplication filters of one service have counted, in the agent: handed to each new worker, stored with
settlements, read back at the start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.boundaries import Remembered
from agent.config.model import DedupFilter
from agent.delivery.dedup import Memory
from agent.host.bootclock import BootClock


class Counted:
    """The memories of one service's filters."""

    def __init__(self, *, filters: Iterable[DedupFilter], clock: BootClock) -> None:
        self._clock = clock
        self._memories = {
            each.name: Memory(period_s=each.suppression_period_s, window_size=each.window_size) for each in filters
        }

    def restore(self, remembered: Iterable[Remembered]) -> None:
        """Take back what was stored, in that order; of filters that are no longer there nothing is kept."""
        found: dict[str, list[tuple[str, float]]] = {}
        for one in remembered:
            at_s = self._clock.when_s(boot_id=one.boot_id, at_us=one.at_us, wall_us=one.wall_us)
            found.setdefault(one.filter, []).append((one.key, at_s))
        for name, entries in found.items():
            if name in self._memories:
                self._memories[name].restore(entries)

    def count(self, counted: Iterable[tuple[str, str]]) -> tuple[Remembered, ...]:
        """Note what a worker has counted, and return what is to be stored about it."""
        now_s = self._clock.seconds()
        stored = []
        for name, key in counted:
            memory = self._memories.get(name)
            forgotten = None if memory is None else memory.count(key, now_s)
            if forgotten is not None:
                stored.append(
                    Remembered(
                        filter=name,
                        key=key,
                        boot_id=self._clock.id,
                        at_us=round(now_s * 1e6),
                        wall_us=self._clock.now_us(),
                        forgotten=tuple(forgotten),
                    )
                )
        return tuple(stored)

    def entries(self) -> Sequence[tuple[str, str, float]]:
        """Filter, key and time of all, for a new worker."""
        return [(name, key, at_s) for name, memory in self._memories.items() for key, at_s in memory.counted()]

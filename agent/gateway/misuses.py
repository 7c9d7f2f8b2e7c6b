"""The connections of one port that failed or were misused: counted for the status, and told to the desk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from twisted.logger import Logger

from agent.boundaries import Counters, Desk
from agent.recent import Daily
from agent.wire.misuse import Cause, Misuse

log = Logger(namespace="gateway")


class Misuses:
    """`clock` counts seconds, coarsely; `now_us` is the wall clock that days are told by."""

    def __init__(
        self, *, desk: Desk, counters: Counters, clock: Callable[[], float], now_us: Callable[[], int]
    ) -> None:
        self._desk = desk
        self._counters = counters
        self._clock = clock
        self._numbers: Final[Counter[Cause]] = Counter()
        self._today = Daily(today=lambda: datetime.fromtimestamp(now_us() / 1e6).astimezone().date())

    def note(self, *, peer: str, port: int, expects_tls: bool, cause: Cause, since: float, **facts: Any) -> None:
        """Count one and tell the desk; `facts` are further fields of `Misuse`. Does not raise."""
        self._numbers[cause] += 1
        self._today.add(cause.value)
        self._counters.count("gateway.misused", cause.value)
        try:
            self._desk(
                Misuse(
                    peer=peer,
                    port=port,
                    expects_tls=expects_tls,
                    cause=cause,
                    duration_s=max(0.0, self._clock() - since),
                    **facts,
                )
            )
        except Exception:
            log.failure("a misused connection of {peer} could not be noted", peer=peer)

    def describe(self) -> dict[str, object]:
        """For the status: since the start, and today."""
        return {
            "misuses": {cause.value: number for cause, number in sorted(self._numbers.items())},
            "misuses_today": self._today.counts(),
        }

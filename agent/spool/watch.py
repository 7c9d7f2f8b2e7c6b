"""What is looked at every few seconds: the space of the disk, and how long the oldest open events have waited.

Ages are counted by a clock that does not jump: a place in the line was not given before the last look that had not seen
it. Only what an earlier process left behind has the wall clock's time of storing for its age.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from typing import Final

import apsw
import attrs

from agent.spool import layout

PERIOD_S: Final = 5.0
"""Between two looks: soon enough after space has come back, and a `statvfs` costs nothing."""

MAX_LOOKS: Final = 2000
"""That are remembered; beyond it every second one is forgotten, and ages are told less finely."""

_OLDEST: Final = f"""
    SELECT service, seq, max(stored_us, replayed_us) FROM event
    WHERE seq IN (SELECT min(seq) FROM event INDEXED BY event_open WHERE {layout.OPEN_TERM} GROUP BY service)
"""


@attrs.frozen(kw_only=True)
class Oldest:
    """The oldest open event of a service: its place, and the wall clock's time from which it has waited."""

    seq: int
    since_us: int


def oldest_open(connection: apsw.Connection) -> dict[str, Oldest]:
    """The oldest open event of each service."""
    return {service: Oldest(seq=seq, since_us=since) for service, seq, since in connection.execute(_OLDEST)}


class Ages:
    """How long places have been taken, by a clock that does not jump."""

    def __init__(self, *, age_us: Callable[[], int], last_seq: int) -> None:
        """`last_seq` is the newest place that an earlier process gave."""
        self._age_us = age_us
        self._begun_us = age_us()
        self._seqs = [last_seq]
        self._times_us = [self._begun_us]
        self._apart_us = 0

    def look(self, newest_seq: int) -> None:
        """Remember which places have been given by now."""
        now_us = self._age_us()
        if newest_seq > self._seqs[-1] and now_us - self._times_us[-1] >= self._apart_us:
            self._seqs.append(newest_seq)
            self._times_us.append(now_us)
        if len(self._seqs) > MAX_LOOKS:
            # The first one is the start: what is older came from an earlier process.
            del self._seqs[1::2], self._times_us[1::2]
            self._apart_us = 2 * max(self._apart_us, round(PERIOD_S * 1e6))

    def age_s(self, oldest: Oldest) -> float:
        """How long the event has waited; a few seconds too little, after hours some more."""
        now_us = self._age_us()
        index = bisect.bisect_left(self._seqs, oldest.seq)
        if index == 0:
            # From before the start: what it had waited then, by the wall clock, and since then by ours.
            return (max(self._begun_us - oldest.since_us, 0) + now_us - self._begun_us) / 1e6
        if index == len(self._seqs):
            return 0.0
        return (now_us - self._times_us[index]) / 1e6

    def older_than(self, oldest: Mapping[str, Oldest], max_age_s: float) -> list[str]:
        """The services whose oldest open event has waited longer; none where there is no bound."""
        return [service for service, each in oldest.items() if max_age_s and self.age_s(each) > max_age_s]

"""The lines about refusals, few enough to be read: a sender that is wrong is mostly wrong a thousand times a minute.

For each peer and code the first refusal has its line at once, and what follows within `QUIET_S` one line together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.logger import Logger

log = Logger(namespace="gateway")

QUIET_S: Final = 10.0

MAX_REMEMBERED: Final = 500
"""Peers and codes kept in mind. Beyond, the others share one line for each code."""

OTHERS: Final = "others"


@attrs.define
class _Row:
    until: float
    status: int
    more: int = 0


class Refusals:
    """Writes the lines. `clock()` is in seconds; `tick` is to be called now and then."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, str], _Row] = {}

    def tell(self, *, peer: str, status: int, code: str, sentence: str, event_id: str) -> None:
        """Write the line of this refusal, or count it for a later one."""
        row = self._rows.get((peer, code))
        if row is None and len(self._rows) >= MAX_REMEMBERED:
            peer = OTHERS
            row = self._rows.get((peer, code))
        if row is not None:
            row.more += 1
            return
        self._rows[peer, code] = _Row(until=self._clock() + QUIET_S, status=status)
        write = log.warn if status >= 500 else log.info
        write(
            "refused {status} {code} to {peer}: {sentence}",
            event_id=event_id,
            status=status,
            code=code,
            peer=peer,
            sentence=sentence,
        )

    def tick(self) -> None:
        """Write the lines that are due, and forget who was quiet."""
        now = self._clock()
        for key in [key for key, row in self._rows.items() if row.until <= now]:
            row = self._rows[key]
            if not row.more:
                del self._rows[key]
                continue
            write = log.warn if row.status >= 500 else log.info
            write(
                "refused {status} {code} to {peer} {count} more times within {quiet_s:.0f} s",
                status=row.status,
                code=key[1],
                peer=key[0],
                count=row.more,
                quiet_s=QUIET_S,
            )
            row.until, row.more = now + QUIET_S, 0

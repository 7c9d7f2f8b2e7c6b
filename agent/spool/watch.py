"""How long the oldest open events have waited, looked at every few seconds. By the clock of ages, see `steady`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import apsw

from agent.spool import layout

PERIOD_S: Final = 5.0
"""Between two looks: soon enough after space has come back, and a `statvfs` costs nothing."""

_OLDEST: Final = f"""
    SELECT service, born_us FROM event
    WHERE seq IN (SELECT min(seq) FROM event INDEXED BY event_open WHERE {layout.OPEN_TERM} GROUP BY service)
"""


def oldest_open(connection: apsw.Connection) -> dict[str, int]:
    """Since when the oldest open event of each service has waited."""
    found: dict[str, int] = dict(connection.execute(_OLDEST))
    return found


def older_than(oldest: Mapping[str, int], *, max_age_s: float, age_us: int) -> list[str]:
    """The services whose oldest open event has waited for longer at the time `age_us`; none where there is no bound."""
    return [service for service, since_us in oldest.items() if max_age_s and age_us - since_us > max_age_s * 1e6]

"""When a certificate that runs out becomes worth a line: thirty, fourteen, seven days before, and on the last one."""

from __future__ import annotations

from typing import Final

STAGES: Final = (30, 14, 7, 1)
"""Days left: a month for certificate departments that need weeks, and ever more urgent."""
EXPIRED: Final = 0


def stage_of(days_left: int) -> int | None:
    """Which stage has been reached: 30, 14, 7, 1, `EXPIRED` (0), or None while there is time.

    `days_left` counts whole days, negative once the certificate has expired.
    """
    if days_left < 0:
        return EXPIRED
    reached = [stage for stage in STAGES if days_left <= stage]
    return min(reached, default=None)


def expiry_sentence(what: str, days_left: int, not_after: str) -> str:
    """`the certificate "web" presented on port 8081 expires in 5 days (2026-12-01): renew it ...`."""
    day = not_after[:10]
    if days_left < 0:
        return f"{what} has expired on {day}: it is refused; renew it now"
    when = "today" if days_left == 0 else "tomorrow" if days_left == 1 else f"in {days_left} days"
    return f"{what} expires {when} ({day}): renew it before that, and put the new one in place of the old one"

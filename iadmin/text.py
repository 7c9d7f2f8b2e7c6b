"""How single values look: text that came from outside, sizes, rates, times.

Whatever came from outside (event bodies, paths, reasons) passes through `safe` at the last moment, so that no event can
move the cursor, colour the screen or reorder a line of the operator's terminal.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from shlex import quote
from typing import Final

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not strftime's: the text must not depend on the operator's locale."""


def safe(text: str, *, keep: str = "") -> str:
    """Return `text` with everything unprintable as an escape, except the characters in `keep`.

    Unprintable are control and format characters, lone surrogates, and white space other than the blank
    (`str.isprintable`): ESC sequences, carriage returns, bidirectional overrides.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in text)


def for_home(text: str, home: str) -> str:
    """The commands that a sentence names, as they must be said for a home that was named with `--home`."""
    if not home:
        return text
    return re.sub(r'"iadmin (?=[a-z])(?!init )', lambda _: f'"iadmin --home {quote(home)} ', text)


def size(count: int) -> str:
    """`231 B`, `1.2 KiB`, `10 MiB`."""
    if count < 1024:
        return f"{count} B"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024 or unit == "GiB":
            break
    return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"


def number(count: int) -> str:
    """`99999`, `123k`, `9999k`, `12M`: five characters are enough for whatever can be counted."""
    limit, units = 100_000, iter("kMGTPEZY")
    unit = ""
    while count >= limit and (larger := next(units, "")):
        count, limit, unit = count // 1000, 10_000, larger
    return f"{count}{unit}"


def per_second(rate: object) -> str:
    """`0`, `0.25`, `9.8`, `1234`, `123k`; empty for what is no number."""
    if not isinstance(rate, int | float):
        return ""
    if rate >= 10 or not rate:
        return number(round(rate))
    return f"{rate:.1f}" if rate >= 1 else f"{max(rate, 0.01):.2f}"


def took(ms: object) -> str:
    """`0.4 ms`, `12 ms`, `4.2 s`, `17 s`, `2 min`; empty for what is no number."""
    if not isinstance(ms, int | float):
        return ""
    for most, per, form in ((10, 1, "{:.1f} ms"), (1000, 1, "{:.0f} ms"), (10_000, 1000, "{:.1f} s")):
        if ms < most:
            return form.format(ms / per)
    return f"{ms / 1000:.0f} s" if ms < 120_000 else f"{number(round(ms / 60_000))} min"


def duration(seconds: float) -> str:
    """`3 ms`, `4.2 s`, `2 min 5 s`, `2 h 13 min`, `3 d 4 h`: two units at most, the rest is noise."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for large, large_name, small, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def moment(text: object) -> datetime | None:
    """Read an ISO 8601 time with zone as the API gives it; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def clock(text: object, now: datetime) -> str:
    """A time for a table, in the zone of `now`: `10:22:31` today, `30 Jul 10:22` this year, else `2024-07-30`."""
    at = moment(text)
    if at is None:
        return safe(str(text or ""))
    at = at.astimezone(now.tzinfo)
    if at.date() == now.date():
        return at.strftime("%H:%M:%S")
    return f"{at.day:2} {MONTHS[at.month - 1]} {at:%H:%M}" if at.year == now.year else at.strftime("%Y-%m-%d")


def exact(text: object, zone: tzinfo | None) -> str:
    """A time to the millisecond, with its zone: `2025-07-30 10:22:31.123+02:00`."""
    at = moment(text)
    return safe(str(text or "")) if at is None else at.astimezone(zone).isoformat(sep=" ", timespec="milliseconds")

"""keytool's `-startdate` and `-validity`.

`-startdate` is a list of shifts from now (`+1y-2m+3d`: y, m, d, H, M, S) or a date, a time, or both
(`2026/11/20 10:00:00`); what is not given is that of now, in local time.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from keystoretools.keytool.failures import IO, KeytoolError
from keystoretools.keytool.layout import civil

_FIRST_ORDINAL: Final = date(1970, 1, 1).toordinal()
_SHIFTS: Final = re.compile(r"(?:[+-]\d{1,6}[ymdHMS])+\Z")
_SHIFT: Final = re.compile(r"([+-]\d+)([ymdHMS])")
_MOMENT: Final = re.compile(r"(?:(\d{4})/(\d\d)/(\d\d))?(?:(?:^| )(\d\d):(\d\d):(\d\d))?\Z")


def start_date(text: str | None, now: datetime, zone: tzinfo | None) -> datetime:
    """The beginning of a validity, to the second.  Raises KeytoolError."""
    moment = now.astimezone(zone).replace(microsecond=0)
    if text is None:
        return moment
    try:
        if _SHIFTS.match(text):
            for amount, unit in _SHIFT.findall(text):
                moment = _shifted(moment, int(amount), unit)
            return moment
        found = _MOMENT.match(text)
        if text and found is not None:
            return _set(moment, [None if part is None else int(part) for part in found.groups()])
    except (ValueError, OverflowError) as error:
        raise _illegal() from error
    raise _illegal()


def _set(moment: datetime, parts: list[int | None]) -> datetime:
    year, month, day, hour, minute, second = parts
    if year is not None and month is not None and day is not None:
        moment = moment.replace(year=year, month=month, day=day)
    if hour is not None and minute is not None and second is not None:
        moment = moment.replace(hour=hour, minute=minute, second=second)
    return moment


def _shifted(moment: datetime, amount: int, unit: str) -> datetime:
    """Months and years keep the day where the month has it, else take its last."""
    if unit in "ym":
        months = moment.year * 12 + moment.month - 1 + (amount * 12 if unit == "y" else amount)
        year, month = divmod(months, 12)
        day = moment.day
        while True:
            try:
                return moment.replace(year=year, month=month + 1, day=day)
            except ValueError:
                day -= 1
                if day < 28:
                    raise
    return (
        moment
        + amount
        * {
            "d": timedelta(days=1),
            "H": timedelta(hours=1),
            "M": timedelta(minutes=1),
            "S": timedelta(seconds=1),
        }[unit]
    )


def end_date(start: datetime, days: int) -> datetime:
    """`days` days of 24 hours after the start.  Raises KeytoolError beyond the year 9999."""
    try:
        return start + timedelta(days=days)
    except OverflowError as error:
        year, _, _ = civil(start.toordinal() + days - _FIRST_ORDINAL)
        raise KeytoolError(
            f"Validity period ends at calendar year {year} which is greater than 9999",
            java_class="java.security.cert.CertificateException",
        ) from error


def days(text: str | None) -> int:
    """-validity, 90 unless given.  Raises KeytoolError."""
    number = whole_number(text, 90, most_digits=18)
    if number <= 0:
        raise KeytoolError("Validity must be greater than zero")
    return number


def whole_number(text: str | None, default: int, *, most_digits: int = 9) -> int:
    """The number an option gives.  Raises KeytoolError as Java words it."""
    if text is None:
        return default
    if not re.match(rf"[+-]?\d{{1,{most_digits}}}\Z", text):
        raise KeytoolError(f'For input string: "{text}"', java_class="java.lang.NumberFormatException")
    return int(text)


def _illegal() -> KeytoolError:
    return KeytoolError(
        "Illegal startdate value",
        java_class=IO,
        hint="Write shifts from now (+1d, -1y+2H) or a date and time (2026/11/20 10:00:00).",
    )

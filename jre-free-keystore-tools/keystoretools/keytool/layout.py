"""The small pieces of keytool's layout: names, dates, fingerprints, dumps, PEM.

Everything foreign is escaped here: a line break or a terminal escape in a name or alias stays visible text.
"""

from __future__ import annotations

import base64
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from typing import Final

from keystoretools.names import Name
from keystoretools.publickey import PublicKey

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MS: Final = 86_400_000


def plain(text: str) -> str:
    """Foreign text for one line: control characters (line breaks too) as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\N{NO-BREAK SPACE}" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def name_text(name: Name) -> str:
    """A distinguished name, last part first; values quoted where keytool quotes."""
    return plain(name.text())


def date(moment_ms: int, zone: tzinfo | None) -> str:
    """A day as listings have it: `Nov 20, 2026`; `moment_ms` since 1970, any number that fits 64 bits."""
    try:
        moment = datetime.fromtimestamp(moment_ms / 1000, UTC).astimezone(zone)
        year, month, day = moment.year, moment.month, moment.day
    except (OverflowError, ValueError, OSError):
        year, month, day = civil(moment_ms // _DAY_MS)
    return f"{_MONTHS[month - 1]} {day}, {year if year > 0 else 1 - year}"


def civil(days: int) -> tuple[int, int, int]:
    """Year, month, day of a day number (0 is 1970-01-01) in the Gregorian calendar, however far away.

    Counts in eras of 400 years from 0000-03-01.
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def timestamp(moment: datetime | None, zone: tzinfo | None) -> str:
    """A moment as certificates have it: `Fri Oct 02 00:00:00 UTC 2026`, in local time."""
    if moment is None:
        return "unreadable"
    try:
        local = moment.astimezone(zone)
    except (OverflowError, ValueError):
        return _beyond(moment, zone)
    return _shown(local)


def _beyond(moment: datetime, zone: tzinfo | None) -> str:
    """99991231235959Z (RFC 5280 4.1.2.5: no end) east of Greenwich, where the year 10000 has begun."""
    if moment.year != MAXYEAR:
        return _shown(moment)
    before = (moment - timedelta(days=1)).astimezone(zone)
    clock = f"{before.hour:02}:{before.minute:02}:{before.second:02}"
    return f"{_DAYS[(before.weekday() + 1) % 7]} Jan 01 {clock} {before.tzname()} {MAXYEAR + 1}"


def _shown(local: datetime) -> str:
    clock = f"{local.hour:02}:{local.minute:02}:{local.second:02}"
    return (
        f"{_DAYS[local.weekday()]} {_MONTHS[local.month - 1]} {local.day:02} {clock} {local.tzname()} {local.year:04}"
    )


def fingerprint(octets: bytes) -> str:
    return octets.hex(":").upper()


def dump(octets: bytes) -> str:
    """A hex dump, 16 octets a line, each line with its end.  Java shows characters up to z only."""
    lines = []
    for at in range(0, len(octets), 16):
        row = octets[at : at + 16]
        cells = "".join(f"{octet:02X} " + ("  " if column == 7 else "") for column, octet in enumerate(row))
        shown = "".join(chr(octet) if 0x20 <= octet <= 0x7A else "." for octet in row)
        lines.append(f"{at:04X}: {cells:<50} {shown}\n")
    return "".join(lines)


def key_words(key: PublicKey) -> str:
    """`2048-bit RSA key`, `256-bit EC (secp256r1) key`."""
    name = key.algorithm + (f" ({key.curve})" if key.curve else "")
    return f"{key.bits}-bit {name} key" if key.bits else f"unknown size {name} key"


def pem(label: str, octets: bytes, *, last_end: str = "\n") -> str:
    """A PEM block as keytool writes it on every platform: CR LF inside the base64, LF around it."""
    text = base64.b64encode(octets).decode("ascii")
    body = "\r\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----{last_end}"

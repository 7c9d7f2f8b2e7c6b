"""A clock for ages, which nobody sets: it goes on while the agent runs and while it does not.

What is kept for seven days, a key that is remembered for a day and a pause of a minute must neither end nor last
because somebody set the wall clock. So nothing of that is counted by it. Stamps for people are the wall clock's; those
that decide are this one's, in columns of their own.

It begins with the wall clock's time when a spool is made, and from then on counts

* while the machine runs: by its clock since the start, sleep included, which all processes share;
* over a restart of the machine: by the wall clock, the only one that went on, but never backwards, and never more than
  `MAX_UNSEEN_S`. A machine that was off for a weekend makes nothing older by a weekend: things are kept for longer
  then, which harms nobody, while a clock that came up ten years ahead would throw everything away.

See docs/decisions/0020-a-clock-of-ages.rst.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import apsw
import attrs

MAX_UNSEEN_S: Final = 3600.0
"""What a restart of the machine counts for at most: longer than one takes, and little beside what is counted."""

NOTE_S: Final = 600.0
"""Between two notes. Only a restart of the machine needs a new one, and what it misses counts among the unseen."""

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMES: Final = ("clock_age_us", "clock_wall_us", "clock_up_us", "clock_boot_id")


@attrs.frozen(kw_only=True)
class Uptime:
    """The machine's own clock: `seconds` since its start, and the name of this run, empty where it has none."""

    seconds: Callable[[], float]
    boot_id: str = ""

    @classmethod
    def of_this_machine(cls) -> Self:
        """As the kernel tells it. Without a name of the run each start counts as one of the machine."""
        try:
            boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            boot_id = ""
        return cls(seconds=lambda: time.clock_gettime(_CLOCK), boot_id=boot_id)


@attrs.frozen(kw_only=True)
class Note:
    """What three clocks said at one moment: this one, the wall clock, and the machine's in the run `boot_id`."""

    age_us: int
    wall_us: int
    up_us: int = 0
    boot_id: str = ""


class SteadyClock:
    """Call it for microseconds, from any thread. `now_us` is the wall clock. Until `resume` it begins with that."""

    def __init__(self, *, now_us: Callable[[], int], uptime: Uptime) -> None:
        self._now_us = now_us
        self._uptime = uptime
        self._base_us = now_us() - self._up_us()
        self._noted_us: int | None = None

    def __call__(self) -> int:
        return self._base_us + self._up_us()

    def resume(self, note: Note) -> None:
        """Go on from where it stood at `note`, which another process may have made."""
        up_us = self._up_us()
        if note.boot_id and note.boot_id == self._uptime.boot_id and up_us >= note.up_us:
            passed_us = up_us - note.up_us
        else:
            passed_us = min(max(self._now_us() - note.wall_us, 0), round(MAX_UNSEEN_S * 1e6))
        self._base_us = note.age_us + passed_us - up_us

    def note(self) -> Note:
        """For another process to go on from."""
        return Note(age_us=self(), wall_us=self._now_us(), up_us=self._up_us(), boot_id=self._uptime.boot_id)

    def resume_from(self, connection: apsw.Connection) -> None:
        """Go on from the note that a spool holds; where it has lost it, from the newest stamp in it."""
        note = read_note(connection)
        if note is not None:
            self.resume(note)
            if note.boot_id and note.boot_id == self._uptime.boot_id:
                self._noted_us = note.age_us

    @property
    def boot_id(self) -> str:
        """The machine's name for its present run, empty where it has none."""
        return self._uptime.boot_id

    @property
    def is_noted(self) -> bool:
        """Whether the spool holds a note of this run of the machine, from which another process can go on."""
        return self._noted_us is not None

    def write_note(self, connection: apsw.Connection) -> None:
        """Leave a note in the spool, in the transaction that is open; not more often than is of use."""
        note = self.note()
        if self._noted_us is not None and 0 <= note.age_us - self._noted_us < NOTE_S * 1e6:
            return
        values = (note.age_us, note.wall_us, note.up_us, note.boot_id)
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(zip(_NAMES, values, strict=True)))
        self._noted_us = note.age_us

    def _up_us(self) -> int:
        return round(self._uptime.seconds() * 1e6)


def read_note(connection: apsw.Connection) -> Note | None:
    """The note of a spool; where there is none the newest stamp stands for it, None where there is nothing at all."""
    found = dict(connection.execute("SELECT name, value FROM meta WHERE name LIKE 'clock_%'"))
    if all(name in found for name in _NAMES):
        age_us, wall_us, up_us, boot_id = (found[name] for name in _NAMES)
        return Note(age_us=int(age_us), wall_us=int(wall_us), up_us=int(up_us), boot_id=str(boot_id))
    newest: int | None = connection.execute(
        "SELECT max((SELECT coalesce(max(max(born_us, ended_us)), 0) FROM event), "
        "(SELECT coalesce(max(born_us), 0) FROM request))"
    ).get
    return Note(age_us=newest, wall_us=newest) if newest else None

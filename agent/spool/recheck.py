"""The check of the pages that a start has put off: made behind it, by a reader, while events are taken in already.

Nothing is moved aside under a working agent. What is found is told (log, status, doctor), and a `doubt` is left: the
next start checks before anybody sends, moves the spool aside and saves what is readable. Until then what can be read is
worked off; what cannot fails as any unreadable page of a running agent does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.spool import doubt, layout
from agent.spool.rescue import Look, check, over_after, sound_so_far
from agent.spool.spool import SqliteSpool

log = Logger(namespace="spool")


class Recheck:
    """A Part. `in_thread` runs a function outside the reactor thread and gives a Deferred of what it returns.

    `time_s` bounds the check, as at a start: while it reads, the log cannot begin anew, and grows. `seconds` is called
    in that thread.
    """

    name: Final = "spool check"

    def __init__(
        self,
        *,
        spool: SqliteSpool,
        folder: Path,
        time_s: float,
        in_thread: Callable[[Callable[[], Look]], Deferred[Look]],
        seconds: Callable[[], float],
    ) -> None:
        self._spool = spool
        self._folder = folder
        self._path = folder / layout.FILE_NAME
        self._time_s = time_s
        self._in_thread = in_thread
        self._seconds = seconds
        self._is_stopping = False
        self._ended: Deferred[None] | None = None

    async def start(self) -> None:
        """Begin, and do not wait for the end."""
        if not self._spool.is_check_due:
            return
        ended = self._ended = Deferred()
        checking = self._in_thread(self._check)
        checking.addCallback(self._tell).addErrback(self._failed).addCallback(ended.callback)

    async def stop(self, patience_s: float) -> None:
        """Break it off, and wait until its reader is closed: the last to close takes the log files away."""
        self._is_stopping = True
        if self._ended is not None and not self._ended.called:
            await self._ended

    def _check(self) -> Look:
        is_over = over_after(self._time_s, self._seconds)
        connection = layout.open_for_reading(self._path)
        try:
            return check(connection, is_enough=lambda: self._is_stopping or is_over())
        finally:
            connection.close()

    def _tell(self, look: Look) -> None:
        if look.fault:
            doubt.leave(self._folder, look.fault)
            self._spool.note_finding(
                f"{self._folder}: the spool is damaged ({doubt.first_line(look.fault)}); the rest is worked off; "
                "restart the agent soon (iadmin restart): it then moves the spool aside and saves what is readable"
            )
        elif look.is_whole:
            log.debug("{path}: all pages are sound", path=str(self._path))
        elif not self._is_stopping:
            self._spool.note_finding(sound_so_far(self._path, self._time_s))

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, apsw.Error | OSError):
            self._spool.note_finding(f"{self._path}: it could not be checked ({failure.value}); look at the disk")
        else:
            log.failure("the spool could not be checked", failure)

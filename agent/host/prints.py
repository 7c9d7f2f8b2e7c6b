"""What a hook prints, with the id of its event. Runs in the worker process.

The agent reads stdout as a stream, in which lines of several threads stand one after the other, and which arrives apart
from the results: there, nobody can tell which event a line belongs to. Here, the thread knows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from agent.host.output import Allowance

PRINTED: Final = "print"
"""The level of such lines: INFO, with an allowance of their own."""

MAX_LINE_CHARS: Final = 2048
"""As of the stream; see `agent.host.output`."""


class Prints:
    """Stands in for `sys.stdout`: a line printed within a call goes to `say(level, text, event_id)`, all else to
    `stream`. `event_id()` is that of the call of this thread, empty outside of one."""

    def __init__(self, stream: Any, *, say: Callable[[str, str, str], None], event_id: Callable[[], str]) -> None:
        self._stream = stream
        self._say = say
        self._event_id = event_id
        self._begun = threading.local()
        self._allowance = Allowance()

    def write(self, text: str) -> int:
        """As a text stream's; a line is said when it is ended, or when the thread goes on to another event."""
        event_id = self._event_id()
        before: tuple[str, str] = getattr(self._begun, "line", ("", ""))
        if before[1] and before[0] != event_id:
            self._tell(*before)
            before = ("", "")
        if not event_id:
            self._begun.line = ("", "")
            return int(self._stream.write(text))
        *lines, rest = (before[1] + text).split("\n")
        for line in lines:
            self._tell(event_id, line)
        # What never ends its line must not be kept for ever; the rest of such a line is of no use to a reader.
        self._begun.line = (event_id, rest[: MAX_LINE_CHARS + 1])
        return len(text)

    def writelines(self, lines: Any) -> None:
        """As a text stream's."""
        for line in lines:
            self.write(line)

    def _tell(self, event_id: str, line: str) -> None:
        now_s = time.monotonic()
        dropped = self._allowance.report_dropped(now_s)
        if dropped:
            self._say("warn", f"[{dropped} lines dropped: the service writes more than the log takes]", "")
        if self._allowance.take(now_s):
            line = line.rstrip("\r")
            self._say(
                PRINTED, line if len(line) <= MAX_LINE_CHARS else line[:MAX_LINE_CHARS] + " [cut short]", event_id
            )

    def __getattr__(self, name: str) -> Any:
        # flush, fileno, encoding, buffer, isatty ...: the stream's own.
        return getattr(self._stream, name)

r"""One log event, one line: what a person reads, and what no sender can forge.

    2026-11-20T17:25:25.123+01:00 INFO  gateway  019aa2c1-... accepted 812 bytes for applications|sample-plan

Columns: local time with zone (ISO 8601, milliseconds), level, room, event id (`-` where there is none), text. Whatever
is not printable (line ends, escapes, direction overrides, lone surrogates) is shown as `\xNN` or `\uNNNN`, so that a
fact never becomes two lines nor moves a terminal's cursor.

Only a fault of ours carries a traceback: its lines follow, indented. An `AgentError` is its sentence.

What happens thousands of times a second is told in batches: an event with `log_lines`, one (event id, text) or more,
becomes a line for each; one with `log_entries`, one (room, event id, text) or more, too. Passing through Twisted's
logger costs 10 microseconds, which is then paid once for a batch; so are the time and the look for what is not
printable.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure

from agent.errors import AgentError
from agent.recent import Lines

MAX_TEXT_CHARS: Final = 8192
"""Longest line that is written whole: syslog daemons cut at 8 KiB (rsyslog) or less."""

MAX_ROOM_CHARS: Final = 40
"""The column of the room is as wide as the longest room or service that has spoken, up to this; never cut, because
people search by it. Python's libraries have long names and do not widen it."""

INDENT: Final = "    "

PRINTABLE_ASCII: Final = bytes(range(0x20, 0x7F))

WORDS: Final = {
    LogLevel.debug: "DEBUG",
    LogLevel.info: "INFO",
    LogLevel.warn: "WARN",
    LogLevel.error: "ERROR",
    LogLevel.critical: "ERROR",
}


class Liner:
    """Makes lines. Remembers the last second's text, because formatting it costs more than the rest of the line."""

    def __init__(self, *, tracebacks: bool = False, offset_s: Callable[[int], int] | None = None) -> None:
        """`tracebacks`: also for errors that are not ours. `offset_s`: seconds east of UTC at a time, for tests."""
        self.tracebacks = tracebacks
        self._offset_s = offset_s or _local_offset_s
        self._room_chars = 8
        self._second = -1
        self._head = ""
        self._tail = ""

    def stamp(self, now_s: float) -> str:
        """ISO 8601 local time with milliseconds and zone."""
        second, milliseconds = divmod(int(now_s * 1000), 1000)
        if second != self._second:
            offset_s = self._offset_s(second)
            sign = "-" if offset_s < 0 else "+"
            hours, minutes = divmod(abs(offset_s) // 60, 60)
            self._second = second
            self._head = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second + offset_s))
            self._tail = f"{sign}{hours:02}:{minutes:02}"
        return f"{self._head}.{milliseconds:03}{self._tail}"

    def lines(self, event: Mapping[str, Any]) -> Lines:
        """The lines of a batch, of which there is at least one."""
        before = f"{WORDS.get(event['log_level'], 'INFO'):5} {event.get('log_namespace') or '-':{self._room_chars}}"
        return self._together(
            event["log_time"],
            [f"{before} {event_id or '-'} {text[:MAX_TEXT_CHARS]}" for event_id, text in event["log_lines"]],
        )

    def entries(self, event: Mapping[str, Any]) -> Lines:
        """The same for a batch of several rooms."""
        word = WORDS.get(event["log_level"], "INFO")
        return self._together(
            event["log_time"],
            [
                self._facts(word, room, event_id or "-", text[:MAX_TEXT_CHARS])
                for room, event_id, text in event["log_entries"]
            ],
        )

    def line(self, event: Mapping[str, Any]) -> str:
        """The line of a log event, with its line end; several lines where a traceback belongs to it."""
        text = text_of(event)
        failure: Failure | None = event.get("log_failure")
        if failure is not None:
            text = f"{text.removesuffix(':')}: {sentence_of(failure)}" if text else sentence_of(failure)
        if len(text) > MAX_TEXT_CHARS:
            text = f"{text[:MAX_TEXT_CHARS]} ... ({len(text) - MAX_TEXT_CHARS} more characters)"
        word = WORDS.get(event["log_level"], "INFO")
        room = event.get("log_namespace") or "-"
        facts = self._facts(word, room, event.get("event_id") or "-", text)
        line = self._together(event["log_time"], [facts]).text
        if failure is not None and (self.tracebacks or not isinstance(failure.value, AgentError)):
            line += indented(failure.getTraceback())
        return line

    def _facts(self, word: str, room: str, event_id: str, text: str) -> str:
        if self._room_chars < len(room) <= MAX_ROOM_CHARS and "." not in room:
            self._room_chars = len(room)
        return f"{word:5} {room:{self._room_chars}} {event_id} {text}"

    def _together(self, now_s: float, facts: list[str]) -> Lines:
        """A line for each of these, all with this time."""
        if not is_plain("".join(facts)):
            facts = [one if one.isprintable() else escaped(one) for one in facts]
        head = f"{self.stamp(now_s)} "
        between = f"\n{head}"
        return Lines(f"{head}{between.join(facts)}\n", len(facts))


def text_of(event: Mapping[str, Any]) -> str:
    """The text of an event. `str.format_map` does nearly all of ours at a tenth of the cost of `formatEvent`."""
    template = event.get("log_format")
    if not template:
        return ""
    if isinstance(template, str) and "()" not in template:
        try:
            return template.format_map(event)
        except Exception:  # a wrong format must cost its line nothing but its beauty: formatEvent says what is wrong
            pass
    return formatEvent(dict(event))


def sentence_of(failure: Failure) -> str:
    """What a failure says in one sentence: ours as written, others with the name of their type."""
    if isinstance(failure.value, AgentError):
        return failure.value.sentence
    return f"{type(failure.value).__name__}: {failure.getErrorMessage()}"


def is_plain(text: str) -> bool:
    """Whether all of it is printable ASCII: found out at a sixth of the cost of `str.isprintable`."""
    return text.isascii() and not text.encode("ascii").translate(None, PRINTABLE_ASCII)


def escaped(text: str) -> str:
    """`text` with everything that is not printable shown as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def indented(text: str) -> str:
    """Each line of `text` escaped and moved in, so that it cannot be taken for a log line of its own."""
    return "".join(f"{INDENT}{escaped(line)}\n" for line in text.splitlines())


def _local_offset_s(second: int) -> int:
    return time.localtime(second).tm_gmtoff

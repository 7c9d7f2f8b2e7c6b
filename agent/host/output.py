"""What a service prints, made fit for a log: whole lines of bounded length, at a bounded rate, without control
characters. Pure; the clock is passed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

MAX_LINE_BYTES: Final = 2048
"""A line of a log is read by a person. Longer ones are data; 2 KiB still shows what kind."""

MAX_LINES: Final = 200
WINDOW_S: Final = 10.0
"""20 lines a second fill the log's 45 MB in about a day; a loop that prints would do it in seconds."""

_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def printable(text: str) -> str:
    """Return the text with control characters and line breaks written as `\\x1b`, so that it cannot forge log lines
    or speak to a terminal."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@attrs.define(kw_only=True)
class Allowance:
    """How many lines may still be written; stdout, stderr and `context.log` of a worker have one each."""

    max_lines: int = MAX_LINES
    window_s: float = WINDOW_S
    _window_end_s: float = attrs.field(default=float("-inf"), init=False)
    _left: int = attrs.field(default=0, init=False)
    dropped: int = attrs.field(default=0, init=False)

    def take(self, now_s: float) -> bool:
        """Whether one more line may be written now; if not, it counts as dropped."""
        if now_s >= self._window_end_s:
            self._window_end_s = now_s + self.window_s
            self._left = self.max_lines
        if self._left <= 0:
            self.dropped += 1
            return False
        self._left -= 1
        return True

    def is_spent(self, now_s: float) -> bool:
        """Whether `take` would say no."""
        return self._left <= 0 and now_s < self._window_end_s

    def report_dropped(self, now_s: float) -> int:
        """How many lines were dropped, to be told once when lines are written again; 0 while they are not."""
        if self.dropped and not self.is_spent(now_s):
            dropped, self.dropped = self.dropped, 0
            return dropped
        return 0


@attrs.define(kw_only=True)
class LineReader:
    """The bytes of one stream in, its lines out. Over the allowance bytes are counted and thrown away."""

    allowance: Allowance
    max_line_bytes: int = MAX_LINE_BYTES
    _rest: bytearray = attrs.field(factory=bytearray, init=False)
    _is_in_long_line: bool = attrs.field(default=False, init=False)

    def feed(self, data: bytes, now_s: float) -> Iterator[str]:
        """Yield the lines that `data` completes, without their ends, decoded as UTF-8 and printable.

        Of a longer line the beginning is given, once; the rest is skipped up to the next line break.
        """
        if self.allowance.is_spent(now_s):
            # A service that prints gigabytes must not cost the agent more than reading them.
            self.allowance.dropped += data.count(b"\n")
            last_break = data.rfind(b"\n")
            if last_break >= 0:
                self._is_in_long_line = last_break + 1 < len(data)
            else:
                self._is_in_long_line = True
            self._rest.clear()
            return
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        for line in lines:
            if self._is_in_long_line:
                self._is_in_long_line = False
            elif self.allowance.take(now_s):
                yield self._decode(line)
        if len(self._rest) > self.max_line_bytes:
            if not self._is_in_long_line and self.allowance.take(now_s):
                yield self._decode(self._rest)
            self._is_in_long_line = True
            self._rest.clear()

    def end(self, now_s: float) -> Iterator[str]:
        """Yield what stands behind the last line break when the stream has ended."""
        if self._rest and not self._is_in_long_line and self.allowance.take(now_s):
            yield self._decode(self._rest)
        self._rest.clear()

    def _decode(self, line: bytearray) -> str:
        text = printable(bytes(line[: self.max_line_bytes]).decode("utf-8", errors="replace").rstrip("\r"))
        return text if len(line) <= self.max_line_bytes else text + " [cut short]"

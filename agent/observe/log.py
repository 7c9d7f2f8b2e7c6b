"""Puts the agent's voice together: one observer for Twisted's logger, the standard library's logging and warnings.

Rooms of the agent log under their bare name (`gateway`, `spool`). A namespace with a dot, and everything that came
through an older interface, is a library talking: its INFO is our DEBUG ("Starting factory ..." is no fact for an
operator).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from twisted.logger import (
    ILogObserver,
    LogBeginner,
    LogEvent,
    LogLevel,
    LogPublisher,
    globalLogBeginner,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from agent.config.model import LogConfig
from agent.config.model import LogLevel as ConfiguredLevel
from agent.observe.line import Liner
from agent.observe.logfile import LogFile
from agent.observe.newest import Newest
from agent.observe.scribe import Scribe
from agent.recent import Lines

RANKS: Final = {
    LogLevel.debug: 10,
    LogLevel.info: 20,
    LogLevel.warn: 30,
    LogLevel.error: 40,
    LogLevel.critical: 50,
}
THRESHOLDS: Final = {
    ConfiguredLevel.DEBUG: 10,
    ConfiguredLevel.INFO: 20,
    ConfiguredLevel.WARN: 30,
    ConfiguredLevel.ERROR: 40,
}
URGENT_RANK: Final = 40
"""From here on a line is written at once: it may be the last thing the process says."""

LEGACY: Final = frozenset({"log_legacy", "-", ""})


class Hearer(Protocol):
    """Who takes lines, from any thread, and never blocks."""

    def put(self, lines: Lines, *, urgent: bool) -> None: ...


@implementer(ILogObserver)
class Voice:
    """Observes log events: drops what is below the level, makes a line of the rest, gives it to each hearer."""

    def __init__(self, *, threshold: int, liner: Liner, hearers: tuple[Hearer, ...]) -> None:
        self.threshold = threshold
        self._liner = liner
        self._hearers = hearers

    def __call__(self, event: LogEvent) -> None:
        rank = RANKS.get(event["log_level"], 20)
        if rank < self.threshold:
            return
        if rank == 20 and _is_foreign(event.get("log_namespace") or ""):
            if self.threshold > 10:
                return
            event = {**event, "log_level": LogLevel.debug}
        if "log_lines" in event:
            lines = self._liner.lines(event)
        elif "log_entries" in event:
            lines = self._liner.entries(event)
        else:
            lines = Lines(self._liner.line(event))
        for hearer in self._hearers:
            hearer.put(lines, urgent=rank >= URGENT_RANK)


class StandardLogging(logging.Handler):
    """Leads the standard library's logging into a `Voice`. Exceptions keep their traceback."""

    def __init__(self, voice: Callable[[LogEvent], None]) -> None:
        super().__init__()
        self._voice = voice

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: dict[str, Any] = {
                "log_level": _twisted_level(record.levelno),
                "log_namespace": f"python.{record.name}",
                "log_time": record.created,
                "log_format": "{text}",
                "text": record.getMessage(),
            }
            exc = record.exc_info[1] if record.exc_info else None
            if record.exc_info and exc is not None:
                event["log_failure"] = Failure(exc, exc_tb=record.exc_info[2])  # type: ignore[no-untyped-call]
            self._voice(event)
        except Exception:  # logging's own rule: whoever logs must not fail by it
            self.handleError(record)


class RunningLog:
    """The log, while it is written. Neither a full disk nor a closed console raises."""

    def __init__(
        self,
        *,
        voice: Voice,
        liner: Liner,
        file: LogFile | None,
        root: logging.Logger,
        newest: Newest,
    ) -> None:
        self.newest: Final = newest
        self._voice = voice
        self._liner = liner
        self._file = file
        self._root = root
        self._level = ConfiguredLevel.INFO

    @property
    def level(self) -> ConfiguredLevel:
        """The least important lines that are written."""
        return self._level

    def set_level(self, level: ConfiguredLevel) -> None:
        """Write more or less from now on. Tracebacks of what went wrong at DEBUG only."""
        self._level = level
        self._voice.threshold = THRESHOLDS[level]
        self._liner.tracebacks = level is ConfiguredLevel.DEBUG
        self._root.setLevel(logging.DEBUG if level is ConfiguredLevel.DEBUG else logging.WARNING)

    def change(self, config: LogConfig) -> None:
        """Write by another configuration: level, and when a file is full."""
        self.set_level(config.level)
        if self._file is not None:
            self._file.bound(max_bytes=config.max_file_bytes, max_old=config.max_files)


@contextmanager
def running_log(
    *,
    config: LogConfig,
    path: Path | None,
    console: TextIO | None,
    beginner: LogBeginner = globalLogBeginner,
    publisher: LogPublisher = globalLogPublisher,
    root: logging.Logger | None = None,
) -> Iterator[RunningLog]:
    """Write log lines to `path` and to `console` until the end, with the last lines.

    What was logged before is written first.
    """
    liner = Liner()
    scribes: list[Scribe] = []
    log_file: LogFile | None = None
    if path is not None:
        log_file = LogFile(path=path, max_bytes=config.max_file_bytes, max_old=config.max_files)
        scribes.append(Scribe(name="log-file", write=log_file.write, lost_line=_lost_line))
    if console is not None:
        scribes.append(Scribe(name="log-console", write=_Console(console).write, lost_line=_lost_line))
    newest = Newest(epoch=lambda: f"{time.time_ns():x}")
    voice = Voice(threshold=THRESHOLDS[config.level], liner=liner, hearers=(*scribes, newest))
    for scribe in scribes:
        scribe.start()
    beginner.beginLoggingTo([voice], redirectStandardIO=False)
    root = root or logging.getLogger()
    handler = StandardLogging(voice)
    root.addHandler(handler)
    old_level = root.level
    running = RunningLog(voice=voice, liner=liner, file=log_file, root=root, newest=newest)
    running.set_level(config.level)
    try:
        yield running
    finally:
        publisher.removeObserver(voice)
        root.removeHandler(handler)
        root.setLevel(old_level)
        for scribe in scribes:
            scribe.end()


class _Console:
    """A console that may close at any time, with the encoding it happens to have."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()


def _lost_line(count: int) -> str:
    return Liner().line(
        {
            "log_level": LogLevel.warn,
            "log_namespace": "observe",
            "log_time": time.time(),
            "log_format": "{count} log lines are missing here: they could not be written in time",
            "count": count,
        }
    )


def _is_foreign(namespace: str) -> bool:
    return "." in namespace or namespace in LEGACY


def _twisted_level(level: int) -> Any:
    for name, rank in ((LogLevel.critical, 50), (LogLevel.error, 40), (LogLevel.warn, 30), (LogLevel.info, 20)):
        if level >= rank:
            return name
    return LogLevel.debug

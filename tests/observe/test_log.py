"""What is heard, what is not, and where it goes."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace

import pytest
from twisted.logger import LogBeginner, Logger, LogPublisher

from agent.config.model import LogConfig, LogLevel
from agent.observe.log import running_log


@pytest.fixture
def hear(tmp_path):
    """Start logging at a level around what the test says; return the lines without their times."""

    def hear(level, say, *, changes=False, **more):
        publisher = LogPublisher()
        stdio = SimpleNamespace()
        beginner = LogBeginner(publisher, io.StringIO(), stdio, SimpleNamespace(showwarning=None))
        root = logging.Logger("root")
        path = tmp_path / "agent.log"
        config = LogConfig(level=level)
        facts = {"console": None, "path": path, "publisher": publisher, "beginner": beginner, "root": root, **more}
        with running_log(config=config, **facts) as running:
            say(publisher, root, *([running] if changes else []))
        return [line[30:] for line in path.read_text().splitlines()]

    return hear


def test_what_is_below_the_level_is_not_written(hear):
    """WARN drops INFO."""

    def say(publisher, root):
        log = Logger(namespace="spool", observer=publisher)
        log.info("no")
        log.warn("yes")

    assert ["WARN  spool    - yes"] == hear(LogLevel.WARN, say)


def test_a_library_speaks_at_info_only_to_those_who_debug(hear):
    """`Starting factory` is not a fact for an operator; a library's warning is."""

    def say(publisher, root):
        log = Logger(namespace="twisted.internet.protocol.Factory", observer=publisher)
        log.info("Starting factory")
        log.warn("odd")

    assert ["WARN  twisted.internet.protocol.Factory - odd"] == hear(LogLevel.INFO, say)
    debugged = hear(LogLevel.DEBUG, say)[1:]  # behind the line of the first time, in the same file
    assert "DEBUG twisted.internet.protocol.Factory - Starting factory" == debugged[0]
    assert 2 == len(debugged)


def test_the_standard_library_is_heard(hear):
    """Warnings with their arguments, exceptions with their traceback, INFO not."""

    def say(publisher, root):
        root.info("no")
        root.warning("disk %s", "sda\n")
        try:
            raise KeyError("k")
        except KeyError:
            root.exception("failed")

    lines = hear(LogLevel.INFO, say)
    assert [r"WARN  python.root - disk sda\n", "ERROR python.root - failed: KeyError: 'k'"] == lines[:2]
    assert any("in say" in line for line in lines[2:])


def test_the_console_gets_the_same_lines(hear):
    """In its own encoding."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    def say(publisher, root):
        Logger(namespace="spool", observer=publisher).info("Grüße")

    hear(LogLevel.INFO, say, console=stream)
    assert rb"INFO  spool    - Gr\xfc\xdfe" in stream.buffer.getvalue()


def test_a_closed_console_stops_nothing(hear):
    """The file still gets its lines."""
    stream = io.StringIO()
    stream.close()
    lines = hear(LogLevel.INFO, lambda p, r: Logger(namespace="spool", observer=p).info("on"), console=stream)
    assert ["INFO  spool    - on"] == lines


def test_after_the_end_nothing_is_written(hear, tmp_path):
    """The observer is gone, and so is the handler of the standard library."""
    kept = []

    def say(publisher, root):
        kept.extend((publisher, root))
        Logger(namespace="spool", observer=publisher).info("in time")

    hear(LogLevel.INFO, say)
    publisher, root = kept
    Logger(namespace="spool", observer=publisher).info("late")
    assert [] == root.handlers
    assert "late" not in (tmp_path / "agent.log").read_text()


def test_a_batch_is_written_whole_or_dropped_whole(hear):
    """The level counts for all lines of a batch."""

    def say(publisher, root):
        log = Logger(namespace="gateway", observer=publisher)
        log.info("{log_lines}", log_lines=[("1", "a"), ("2", "b")])
        log.debug("{log_lines}", log_lines=[("3", "c")])
        log.info("{log_entries}", log_entries=[("host", "4", "d")])
        log.debug("{log_entries}", log_entries=[("host", "5", "e")])

    assert ["INFO  gateway  1 a", "INFO  gateway  2 b", "INFO  host     4 d"] == hear(LogLevel.INFO, say)


def test_the_level_changes_while_it_runs(hear):
    """More is written from then on, and less again."""

    def say(publisher, root, running):
        log = Logger(namespace="spool", observer=publisher)
        log.debug("one")
        running.set_level(LogLevel.DEBUG)
        log.debug("two")
        running.change(LogConfig(level=LogLevel.ERROR))
        log.warn("three")

    assert ["DEBUG spool    - two"] == hear(LogLevel.INFO, say, changes=True)

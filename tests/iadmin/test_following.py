"""A log file that is read on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from iadmin.following import FollowedLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "agent.log"


@pytest.fixture
def followed(log: Path) -> Iterator[FollowedLog]:
    with closing(FollowedLog(log)) as followed:
        yield followed


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_what_is_there_comes_first_then_what_is_new(log: Path, followed: FollowedLog) -> None:
    """A line that is not at its end waits for it."""
    append(log, "one\ntwo\nthr")
    assert ["one", "two"] == followed.read()
    assert [] == followed.read()
    append(log, "ee\n\u00fc\n")
    assert ["three", "\u00fc"] == followed.read()


def test_a_traceback_stays_with_its_line(log: Path, followed: FollowedLog) -> None:
    """Its lines are indented."""
    append(log, "it failed\n    Traceback\n    ValueError\nnext\n")
    assert ["it failed\n    Traceback\n    ValueError", "next"] == followed.read()


def test_a_file_that_is_rotated_away_loses_nothing(log: Path, followed: FollowedLog) -> None:
    """What came to the old one is read before the new one is."""
    append(log, "one\n")
    followed.read()
    append(log, "two\n")
    log.rename(log.with_name("agent.log.1"))
    append(log, "three\n")
    assert ["two", "three"] == followed.read()


def test_a_file_that_is_cut_is_read_from_its_beginning(log: Path, followed: FollowedLog) -> None:
    """As somebody does who wants his disk back."""
    append(log, "one\ntwo\n")
    followed.read()
    log.write_text("new\n")
    assert ["new"] == followed.read()


def test_a_file_may_come_later(log: Path, followed: FollowedLog) -> None:
    """An agent that has never run has none."""
    assert [] == followed.read()
    append(log, "one\n")
    assert ["one"] == followed.read()

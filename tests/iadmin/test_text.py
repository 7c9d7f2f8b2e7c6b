"""How single values look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iadmin.text import clock, duration, exact, moment, safe, size

NOW = datetime(2025, 7, 30, 12, 0, 0, tzinfo=timezone(timedelta(hours=2)))


@given(st.text())
def test_nothing_unprintable_gets_through(text: str) -> None:
    """Whatever an event holds, a line stays a line and moves no cursor."""
    assert safe(text).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich 東京", "Zürich 東京"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x9b1m", "\\x9b1m"),
        ("user\u202egpj.exe", "user\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_unprintable_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Control characters of both sets, bidirectional overrides and lone surrogates."""
    assert shown == safe(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (10240, "10 KiB"), (10 << 20, "10 MiB"), (5 << 40, "5120 GiB")],
)
def test_sizes(count: int, text: str) -> None:
    """Two figures are enough."""
    assert text == size(count)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.0031, "3 ms"),
        (4.24, "4.2 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (7980, "2 h 13 min"),
        (3 * 86400 + 4 * 3600 + 59, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """Two units at most."""
    assert text == duration(seconds)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2025-07-30T10:22:31.123+02:00", "10:22:31"),
        ("2025-07-29T23:30:00+00:00", "01:30:00"),
        ("2025-03-05T08:00:00+02:00", " 5 Mar 08:00"),
        ("2024-07-30T10:22:31+02:00", "2024-07-30"),
        (None, ""),
        ("\x1b[m", "\\x1b[m"),
    ],
)
def test_a_time_in_a_table_says_no_more_than_needed(at: object, text: str) -> None:
    """In the reader's own zone."""
    assert text == clock(at, NOW)


def test_an_exact_time_has_milliseconds_and_zone() -> None:
    """One zone for all times of a page."""
    assert "2025-07-30 12:22:31.123+02:00" == exact("2025-07-30T10:22:31.123456+00:00", NOW.tzinfo)


def test_a_time_without_zone_is_no_time() -> None:
    """The API promises zones; guessing one would be worse than showing the text."""
    assert moment("2025-07-30T10:22:31") is None
    assert moment(17) is None
    assert datetime(2025, 7, 30, tzinfo=UTC) == moment("2025-07-30T00:00:00Z")

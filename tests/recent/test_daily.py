"""Counts of today."""

from __future__ import annotations

from agent.recent import Daily


def test_midnight_is_a_new_beginning() -> None:
    """Also for who only reads."""
    day = [1]
    daily = Daily(today=lambda: day[0])
    daily.add("plaintext")
    daily.add("old-tls")
    daily.add("plaintext")
    assert {"old-tls": 1, "plaintext": 2} == daily.counts()
    day[0] = 2
    assert {} == daily.counts()
    daily.add("old-tls")
    assert {"old-tls": 1} == daily.counts()

"""What the log says of strangers at the admin gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher

from agent.control.complaints import MOST, QUIET_S, Complaints


@pytest.fixture
def said() -> Iterator[list[str]]:
    lines: list[str] = []

    def listen(event: dict[str, Any]) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(listen)
    yield lines
    globalLogPublisher.removeObserver(listen)


def test_each_peer_and_cause_is_mentioned_once_in_a_while(said: list[str]) -> None:
    """All are counted."""
    clock = Clock()
    complaints = Complaints(seconds=clock.seconds)
    for _ in range(50):
        complaints.tell("10.0.0.1", "no-key", "it showed no certificate")
    complaints.tell("10.0.0.1", "plaintext", "it does not speak TLS")
    assert 2 == len(said)
    assert "10.0.0.1 was turned away: it showed no certificate" in said[0]
    clock.advance(QUIET_S)
    complaints.tell("10.0.0.1", "no-key", "it showed no certificate")
    assert 3 == len(said)
    assert {"no-key": 51, "plaintext": 1} == complaints.counts


def test_a_thousand_peers_cannot_fill_the_log(said: list[str]) -> None:
    """Nor the memory."""
    complaints = Complaints(seconds=Clock().seconds)
    for number in range(1000):
        complaints.tell(f"10.0.{number // 250}.{number % 250}", "no-key", "it showed no certificate")
    assert MOST == len(said)

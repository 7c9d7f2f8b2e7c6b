"""What the agent's own words mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iadmin.diagnosis import Severity
from iadmin.diagnosis.running import (
    look_at_destinations,
    look_at_services,
    look_at_state,
    look_at_strangers,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"state": "running", "version": "1.2"}, []),
        ({"state": "stopping", "version": "1.2"}, ["between"]),
        ({"state": "running", "version": "1.1"}, ["old-agent-runs"]),
    ],
)
def test_the_agent(status: dict[str, Any], expected: list[str]) -> None:
    """After an upgrade the old program goes on until it is started anew."""
    assert expected == [one.code for one in look_at_state(status, installed="1.2")]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"state": "failing", "runnable": False}, []),
        ({"state": "active"}, []),
        ({"state": "starting"}, []),
        ({"state": "starting", "restarts": 2}, ["crash-loop"]),
        ({"state": "crash-loop"}, ["crash-loop"]),
        ({"state": "failing"}, ["worker-ended"]),
        ({"state": "suspended"}, ["suspended"]),
    ],
)
def test_a_service(service: dict[str, Any], expected: list[str]) -> None:
    """A loop is one also in the moment between two ends."""
    assert expected == [one.code for one in look_at_services([{"service": "a|b"} | service])]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ({}, []),
        ({"last_error": "refused"}, []),
        ({"last_error": "refused", "backlog": 3}, ["destination-failing"]),
        ({"circuit": "open", "last_error": "refused", "backlog": 3}, ["circuit-open"]),
        ({"paused": True, "circuit": "open"}, ["destination-paused"]),
    ],
)
def test_a_destination(destination: dict[str, Any], expected: list[str]) -> None:
    """An old error with nothing left to send is history."""
    assert expected == [one.code for one in look_at_destinations([{"destination": "out"} | destination])]


def stranger(number: int, *, cause: str = "plaintext", ago: timedelta = timedelta(hours=1)) -> dict[str, Any]:
    last = (NOW - ago).isoformat()
    return {"peer": f"192.0.2.{number}", "cause": cause, "count": 3, "last": last, "sentence": "it sent POST"}


def test_strangers_of_today_are_told() -> None:
    """Those of last week and health checks are not."""
    book = [stranger(1), stranger(2, ago=timedelta(days=2)), stranger(3, cause="left")]
    assert ["stranger-plaintext"] == [one.code for one in look_at_strangers(book, NOW)]


def test_a_crowd_of_strangers_is_one_line_more() -> None:
    """Ten are told one by one."""
    found = list(look_at_strangers([stranger(number) for number in range(30)], NOW))
    assert (11, "20 more peers failed to connect within a day") == (len(found), found[-1].what)


def test_who_may_be_a_health_check_is_a_note() -> None:
    """One that knows TLS leaves after the handshake, every ten seconds."""
    found = list(look_at_strangers([stranger(1, cause="left-after-handshake")], NOW))
    assert [Severity.NOTE] == [one.severity for one in found]

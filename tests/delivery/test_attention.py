"""Warnings: what is found, where, since when, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.delivery.attention import (
    LOW_DISK_TIMES,
    MAX_NAMED,
    WAITING_LONG_S,
    backlog_warnings,
    dead_letters,
    disk_warnings,
    duration,
    gateway_warnings,
    letters_warning,
    paused_warnings,
    service_warnings,
    stranger_warnings,
    waiting_warnings,
)

LOOK = 'see "iadmin service list" and "iadmin event list --state waiting"'
NOW = datetime(2025, 7, 30, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def counts(**states: Any) -> dict[str, Any]:
    return {"services": {"a|x": states, "a|y": {"done": 7}}, "destinations": {}}


def test_no_dead_letters_no_warning() -> None:
    """An empty spool, and one in which all is well."""
    assert [] == letters_warning({}, None, NOW)
    assert [] == letters_warning(counts(done=3, waiting=1), None, NOW)


def test_dead_letters_are_counted_over_all_lines() -> None:
    """Events and requests by themselves, with their age and the command."""
    found = {
        "services": {"a|x": {"dead": 1200}, "a|y": {"dead": 34}},
        "destinations": {"out": {"dead": 1}, "other": {"done": 1}},
    }
    assert {"events": 1234, "requests": 1} == dead_letters(found)
    assert [
        '1,235 dead letters (1,234 events, 1 request), the oldest for 3 d: look at "iadmin deadletter list"'
    ] == letters_warning(found, ago(3.9 * 86400), NOW)
    assert ['1 dead letter (1 event): look at "iadmin deadletter list"'] == letters_warning(counts(dead=1), None, NOW)


def test_what_waits_for_long_is_named_longest_first() -> None:
    """Services and destinations in one order; what has come in just now is no news."""
    oldest = {
        "services": {"a|x": ago(WAITING_LONG_S), "a|y": ago(WAITING_LONG_S - 1)},
        "destinations": {"out": ago(7200)},
    }
    found = counts(received=2, claimed=1, waiting=1, dead=5) | {"destinations": {"out": {"waiting": 1}}}
    assert [
        'destination out: 1 request not sent, the first for 2 h: its last error stands below ("iadmin status")',
        f"a|x: 4 events not done, the first for 15 min: {LOOK}",
    ] == waiting_warnings(found, oldest, NOW)


def test_events_for_a_service_that_does_not_run_wait_for_ever() -> None:
    """Its name is no longer in the configuration, or it is not active."""
    oldest = {"services": {"a|x": ago(90000)}}
    [found] = waiting_warnings(counts(received=1), oldest, NOW, active=["a|y"])
    assert found.startswith("a|x: 1 event not done, the first for 1 d: there is no such active service in the config")


def test_requests_for_a_destination_that_is_gone_are_told_and_what_to_do() -> None:
    """At once, and once: that they wait for long is no second warning."""
    found = {"destinations": {"out": {"waiting": 1}, "old": {"received": 2, "done": 9}, "past": {"done": 1}}}
    [told] = stranger_warnings(found, ["out"])
    assert told.startswith("2 requests for the destination 'old', which iaconfig.xml does not have: nothing is lost")
    assert told.endswith('so add it and say "iadmin reload"')
    oldest = {"destinations": {"old": ago(90000)}}
    assert [] == waiting_warnings(found, oldest, NOW, destinations=["out"])


def test_a_service_that_does_not_stay_up_says_why() -> None:
    """With its last error and the last line that it wrote to stderr; a service that runs is not mentioned."""
    failing = {
        "service": "a|x",
        "state": "failing",
        "restarts": 7,
        "last_error": "its worker ended with status 3",
        "stderr_tail": ["Traceback", "KeyError: 'pump'", " "],
    }
    [found] = service_warnings([failing, {"service": "a|y", "state": "active", "last_error": "long ago"}])
    assert found.startswith("a|x does not stay up (started again 7 times), so its events wait: its worker ended with")
    assert found.endswith("status 3; its stderr ends with \"KeyError: 'pump'\"")
    assert ["a|x does not stay up (started again 1 time), so its events wait: no reason is known"] == service_warnings(
        [{"service": "a|x", "state": "failing", "restarts": 1}]
    )
    stuck = {"service": "a|x", "state": "failing", "runnable": False, "last_error": "it is JavaScript"}
    assert ["a|x cannot run, so its events wait: it is JavaScript"] == service_warnings([stuck])


@pytest.mark.parametrize(
    ("state", "restarts", "is_told"),
    [
        ("failing", 1, True),
        ("crash-loop", 9, True),
        ("starting", 2, True),
        ("starting", 0, False),
        ("active", 9, False),
        ("inactive", 0, False),
        ("stopping", 1, False),
    ],
)
def test_a_loop_is_told_all_the_time(state: str, restarts: int, is_told: bool) -> None:
    """Also in the moment between two ends; a first start is no trouble."""
    assert is_told == bool(service_warnings([{"service": "a|x", "state": state, "restarts": restarts}]))


def test_many_of_a_kind_are_cut() -> None:
    """One fault that stops forty services is not forty lines."""
    failing = [{"service": f"a|{number}", "state": "failing"} for number in range(MAX_NAMED + 3)]
    found = service_warnings(failing)
    assert (MAX_NAMED + 1, "3 more services do not stay up") == (len(found), found[-1])


def test_key_material_that_cannot_be_served_is_told() -> None:
    """By the port; gateways without TLS, and those that are well, say nothing."""
    gateways = [
        {"port": 8081},
        {"port": 8443, "tls": {"trouble": "", "doubts": ["no staple"]}},
        {"port": 9443, "tls": {"trouble": "no key"}},
    ]
    assert ["gateway on port 8443: no staple", "gateway on port 9443: no key"] == gateway_warnings(gateways)


def test_a_disk_that_is_nearly_full_is_told() -> None:
    """Before it refuses events."""
    least = 3 * 1024 * 1024
    assert [] == disk_warnings("/var/spool", LOW_DISK_TIMES * least, least)
    assert [] == disk_warnings("/var/spool", None, least)
    assert [] == disk_warnings("/var/spool", 0, 0)
    [found] = disk_warnings("/var/spool", LOW_DISK_TIMES * least - 1, least)
    assert found.startswith("/var/spool: only 11 MiB are free on this disk; below 3 MiB events are refused")


def test_a_spool_that_fills_is_told_before_it_is_full() -> None:
    """For each service by its own bound, and for all together; what is done does not count."""
    found = {"services": {"a|x": {"received": 5, "claimed": 1, "waiting": 2, "done": 900}, "a|y": {"received": 8}}}
    bounds = {"a|x": 10, "a|y": 11}
    assert [
        "all services together: 16 events wait; at 20 further ones are refused (503)",
        "a|x: 8 events wait; at 10 further ones are refused (503)",
    ] == backlog_warnings(found, max_events=20, max_of_service=bounds.__getitem__)
    assert [] == backlog_warnings(found, max_events=0, max_of_service=lambda name: 0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86399, "23 h"),
        (86400, "1 d"),
    ],
)
def test_durations_have_one_unit(seconds: float, said: str) -> None:
    """Rounded down; a clock that was set back makes no negative ages."""
    assert said == duration(seconds)


def test_a_paused_destination_is_named() -> None:
    """Whoever paused it may have forgotten."""
    found = paused_warnings([{"destination": "a", "paused": True}, {"destination": "b", "paused": False}])
    assert ['a is paused, what is for it waits on disk: "iadmin destination resume a" lets it go'] == found

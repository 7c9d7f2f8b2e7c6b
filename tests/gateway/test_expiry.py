"""The watch over the dates of certificates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from agent.gateway.expiry import AGAIN_S, LOOK_S, ExpiryWatch
from tests.support.gateway import FakeCounters
from tests.support.twisted_results import result_of


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    def observer(event: LogEvent) -> None:
        if event.get("log_namespace") == "gateway":
            found.append(formatEvent(event))

    globalLogPublisher.addObserver(observer)
    yield found
    globalLogPublisher.removeObserver(observer)


def shown(days_left: int | None, **changes: Any) -> dict[str, Any]:
    return {
        "port": 8081,
        "use": "presented",
        "alias": "web",
        "subject": "CN=h",
        "not_after": "2026-12-01T00:00:00+00:00",
        "days_left": days_left,
        "sha256": "ab",
    } | changes


def test_each_stage_is_told_once_and_what_has_expired_each_day(lines: list[str]) -> None:
    """Log and counter; a certificate that is good for long is not mentioned."""
    clock, counters, found = Clock(), FakeCounters(), [shown(200)]
    watch = ExpiryWatch(certificates=lambda: found, reactor=clock, counters=counters)
    result_of(Deferred.fromCoroutine(watch.start()))
    told = []
    for days_left in (31, 30, 29, 14, 7, 6, 1, 0, -1):
        found[0] = shown(days_left)
        clock.advance(LOOK_S)
        clock.advance(LOOK_S)
        told.append(len(lines))
    assert [0, 1, 1, 2, 3, 3, 4, 4, 5] == told
    clock.pump([LOOK_S] * int(AGAIN_S / LOOK_S))
    assert 6 == len(lines)
    result_of(Deferred.fromCoroutine(watch.stop(1)))
    assert [] == clock.getDelayedCalls()


def test_the_status_lists_what_is_due_the_first_to_run_out_first() -> None:
    """One line for one certificate, on however many ports; dates that cannot be read are not guessed."""
    found = [
        shown(20),
        shown(20, port=8082),
        shown(-3, sha256="cd", use="trusted for clients", subject="CN=CA"),
        shown(None, sha256="ef"),
        shown(3, sha256="gh", use="issuer"),
    ]
    watch = ExpiryWatch(certificates=lambda: found, reactor=Clock(), counters=FakeCounters())
    first, second, third = watch.warnings()
    assert "the authority CN=CA that port 8081 trusts for client certificates has expired" in first
    assert "issuer" in second
    assert "the certificate 'web' that port 8081 presents (CN=h) expires in 20 days" in third

"""The limits in time of the control link, with a clock in the test's hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from agent.control.api import ANSWER_PATIENCE_S, ControlApi
from agent.control.gateway import REQUEST_TIMEOUT_S, ControlSite
from tests.control.view import FakeView

REQUEST = b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def view() -> FakeView:
    return FakeView()


def connected(view: FakeView, clock: Clock) -> tuple[Any, StringTransport]:
    channel = ControlSite(ControlApi(view), reactor=clock).buildProtocol(None)
    assert channel is not None
    transport = StringTransport()
    channel.makeConnection(transport)
    return channel, transport


def test_a_drip_does_not_keep_a_connection(view: FakeView, clock: Clock) -> None:
    """A byte now and then does not move the end of the time for a whole request."""
    channel, transport = connected(view, clock)
    for byte in REQUEST[: int(REQUEST_TIMEOUT_S)]:
        assert not transport.disconnecting
        channel.dataReceived(bytes([byte]))
        clock.advance(1)
    assert transport.disconnecting


def test_a_connection_serves_request_after_request(view: FakeView, clock: Clock) -> None:
    """Each answer begins the time for the next request anew."""
    channel, transport = connected(view, clock)
    for _ in range(3):
        transport.clear()
        channel.dataReceived(REQUEST)
        assert transport.value().startswith(b"HTTP/1.1 200 ")
        clock.advance(REQUEST_TIMEOUT_S - 1)
    assert not transport.disconnecting


def test_a_view_that_hangs_is_503(view: FakeView, clock: Clock) -> None:
    """The client is told before its own patience ends, and what comes later is dropped."""
    view.events_answer = Deferred()
    channel, transport = connected(view, clock)
    channel.dataReceived(REQUEST)
    clock.advance(ANSWER_PATIENCE_S - 0.1)
    assert b"" == transport.value()
    clock.advance(0.2)
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert "too-slow" == json.loads(body)["code"]


def test_an_answer_for_a_client_that_left_is_dropped(view: FakeView, clock: Clock) -> None:
    """After an await the peer may be gone; that is no failure to log."""
    view.events_answer = Deferred()
    channel, transport = connected(view, clock)
    channel.dataReceived(REQUEST)
    channel.connectionLost(Failure(ConnectionDone()))
    with capturedLogs() as logged:
        view.events_answer.callback([])
    assert (b"", []) == (transport.value(), logged)
    assert [] == clock.getDelayedCalls()

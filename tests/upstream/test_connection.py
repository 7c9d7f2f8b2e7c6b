"""One connection of the way out, and the pool that keeps it: what is written, read, kept and closed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from agent.upstream.connection import Connection
from agent.upstream.exchange import Exchange, Phase
from agent.upstream.pool import FAREWELL_S, IDLE_S, Pool
from agent.wire.reply import ReplyError
from tests.support.far_end import FarEnd, Line, answer
from tests.support.twisted_results import failure_of, is_waiting, result_of

POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"


class Desk:
    def __init__(self, *, is_bare=True, max_idle=2):
        self.clock = Clock()
        self.pool = Pool(reactor=self.clock, max_idle=max_idle)
        self.far_end = FarEnd()
        self.is_bare = is_bare
        self.exchange = Exchange()

    def line(self, key="h") -> Line:
        factory = Factory.forProtocol(
            lambda: Connection(key=key, is_bare=self.is_bare, max_body_bytes=1000, keeper=self.pool)
        )
        line = Line(self.far_end, "h", 80, factory)
        self.far_end.lines.append(line)
        return line

    def ask(self, line, request=POST, *, is_head=False):
        return line.protocol.ask(request, is_head=is_head, exchange=self.exchange)


def test_a_request_leaves_at_once_and_the_connection_is_kept():
    """In one piece, past the transport's buffer."""
    desk = Desk()
    line = desk.line()
    asking = desk.ask(line)
    assert ([b"hi"], b"") == ([asked.body for asked in line.asked], line.wire.buffered)
    line.says(answer(202))
    assert 202 == result_of(asking).status
    assert desk.pool.take("h") is line.protocol
    assert desk.pool.take("h") is None


def test_inside_tls_everything_goes_through_the_transport():
    """What is written to the socket there would be read on the way."""
    line = (desk := Desk(is_bare=False)).line()
    desk.ask(line)
    assert (POST, []) == (line.wire.buffered, line.asked)


@pytest.mark.parametrize("window", [0, 10])
def test_what_the_socket_does_not_take_waits_in_order(window):
    """And the next request waits behind it, also where the socket would take it by then."""
    line = (desk := Desk()).line()
    line.wire.window = window
    first = desk.ask(line)
    line.wire.window = None
    line.says(answer(202))  # before it has read everything
    assert 202 == result_of(first).status
    assert desk.pool.take("h") is line.protocol
    desk.ask(line)
    assert POST[window:] + POST == line.wire.buffered
    line.wire.flush()
    assert 2 == len(line.asked)


def test_a_far_end_that_answers_without_reading_is_left():
    """It may never read the rest, and the next request would wait behind it."""
    line = (desk := Desk()).line()
    asking = desk.ask(line)
    line.protocol.pauseProducing()
    line.says(answer(413))
    assert (413, True) == (result_of(asking).status, line.wire.is_aborted)
    assert desk.pool.take("h") is None


def test_a_far_end_that_has_read_everything_is_kept():
    """Slowly is not never."""
    line = (desk := Desk()).line()
    asking = desk.ask(line)
    line.protocol.pauseProducing()
    line.protocol.resumeProducing()
    line.says(answer(202))
    result_of(asking)
    assert desk.pool.take("h") is line.protocol


def test_the_phase_follows_the_answer():
    """For the sentence about a time-out."""
    line = (desk := Desk()).line()
    desk.exchange.phase = Phase.WAITING
    desk.ask(line)
    line.says(b"HTTP/1.1 200 OK\r\n")
    assert Phase.WAITING is desk.exchange.phase
    line.says(b"Content-Length: 2\r\n\r\n")
    assert Phase.READING is desk.exchange.phase


@pytest.mark.parametrize(
    "said",
    [
        answer(200, Connection="close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        answer(200) + b"garbage",
        answer(200) + answer(200, b"of nobody"),
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    ],
    ids=["close", "http-1.0", "garbage", "pipelined", "sloppy"],
)
def test_a_connection_that_cannot_be_trusted_is_closed(said):
    """After its answer, which counts."""
    line = (desk := Desk()).line()
    asking = desk.ask(line)
    line.says(said)
    reply = result_of(asking)
    assert (200, b"", True) == (reply.status, reply.body, line.wire.disconnecting)
    assert desk.pool.take("h") is None


def test_what_is_said_unasked_is_not_the_next_answer():
    """A 408 for an idle connection, or worse: it is dropped, and nobody gets it."""
    line = (desk := Desk()).line()
    asking = desk.ask(line)
    line.says(answer(202))
    result_of(asking)
    line.says(answer(200, b"forged"))
    assert line.wire.is_aborted
    assert desk.pool.take("h") is None
    line.ends()


def test_what_is_no_answer_ends_the_connection():
    """At the first wrong byte."""
    line = (desk := Desk()).line()
    asking = desk.ask(line)
    line.says(b"SSH-2.0-x\r\n")
    assert isinstance(failure_of(asking), ReplyError)
    assert line.wire.is_aborted


def test_a_connection_that_ends_says_why():
    """Before the status is known; after that it is the end of the body, complete where no length was named."""
    desk = Desk()
    line = desk.line()
    asking = desk.ask(line)
    line.ends(ConnectionLost())
    assert isinstance(failure_of(asking), ConnectionLost)
    line = desk.line()
    asking = desk.ask(line)
    line.says(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    line.ends(ConnectionDone())
    reply = result_of(asking)
    assert (b"all of it", False) == (reply.body, reply.is_cut)


def test_nobody_waits_for_a_connection_that_is_gone():
    """It says so at once."""
    line = (desk := Desk()).line()
    line.ends(ConnectionDone())
    assert isinstance(failure_of(desk.ask(line)), ConnectionDone)


def test_cancelling_drops_the_connection():
    """What came of a body is kept where the status is known."""
    desk = Desk()
    line = desk.line()
    asking = desk.ask(line)
    asking.cancel()
    assert isinstance(failure_of(asking), CancelledError)
    assert line.wire.is_aborted
    line.ends()
    line = desk.line()
    asking = desk.ask(line)
    line.says(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    asking.cancel()
    reply = result_of(asking)
    assert (b"half", True, True) == (reply.body, reply.is_cut, line.wire.is_aborted)
    line.ends()


@given(st.data(), st.sampled_from([b"", b"x", b"\r\n", answer(200)]))
def test_any_split_gives_the_same_verdict(data, behind):
    """And the connection is kept only where nothing is behind the answer."""
    whole = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n0\r\n\r\n" + behind
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=9)))
    line = (desk := Desk()).line()
    asking = desk.ask(line)
    line.says(*(whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])))
    reply = result_of(asking)
    assert (503, b"busy", False) == (reply.status, reply.body, reply.is_cut)
    # A parser overlooks an empty line between two answers, and an idle connection is not to say even that.
    if behind != b"\r\n":
        assert (line.wire.disconnecting or line.wire.is_aborted) is bool(behind)


def test_an_idle_connection_is_closed_before_the_far_end_does():
    """After four seconds of rest, each by its own time; a goodbye that is not answered is cut short."""
    desk = Desk()
    lines = [desk.line(), desk.line()]
    askings = [desk.ask(line) for line in lines]
    for line, asking in zip(lines, askings, strict=True):
        line.says(answer(202))
        result_of(asking)
        desk.clock.advance(1)
    desk.clock.advance(IDLE_S - 2)
    assert [True, False] == [line.wire.disconnecting for line in lines]
    lines[0].ends()
    desk.clock.advance(1)
    assert (True, False) == (lines[1].wire.disconnecting, lines[1].wire.is_aborted)
    desk.clock.advance(FAREWELL_S)
    assert lines[1].wire.is_aborted
    lines[1].ends()
    assert [] == desk.clock.getDelayedCalls()


def test_no_more_connections_are_kept_than_are_used():
    """Of each origin."""
    desk = Desk(max_idle=1)
    lines = [desk.line(), desk.line(), desk.line("other")]
    for line in lines:
        asking = desk.ask(line)
        line.says(answer(202))
        result_of(asking)
    assert [False, True, False] == [line.wire.disconnecting for line in lines]


def test_closing_waits_for_the_goodbyes():
    """And what is in use then is closed with its answer."""
    desk = Desk()
    resting, busy = desk.line(), desk.line()
    asking = desk.ask(resting)
    resting.says(answer(202))
    result_of(asking)
    last = desk.ask(busy)
    closing = Deferred.fromCoroutine(desk.pool.close())
    assert (True, True) == (is_waiting(closing), resting.wire.disconnecting)
    resting.ends()
    result_of(closing)
    busy.says(answer(202))
    assert (202, True) == (result_of(last).status, busy.wire.disconnecting)
    busy.ends()
    assert [] == desk.clock.getDelayedCalls()


def test_a_pool_without_connections_is_closed_at_once():
    """Nobody is waited for."""
    desk = Desk()
    result_of(Deferred.fromCoroutine(desk.pool.close()))
    assert [] == desk.clock.getDelayedCalls()

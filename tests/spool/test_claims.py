"""Attempts that take longer are noted on disk, so that a kill does not make them forgotten; short ones cost nothing."""

import pytest
from twisted.internet.task import Clock

from agent.delivery import OutboundRequest, Outcome, State
from agent.spool import SqliteSpool
from agent.spool.batch import Batch, Change
from agent.spool.claims import PATIENCE_S, Claim, Claims
from agent.spool.writer import Writer
from tests.spool.support import START_US, HandReactor, Sender, Tally, event, sent, settlement

REQUEST = OutboundRequest(destination="out", body=b"{}")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def written():
    return []


@pytest.fixture
def claims(clock, written):
    return Claims(reactor=clock, write=written.append)


def test_what_is_settled_soon_is_never_written(clock, claims, written):
    """No write, and no timer that goes on."""
    claims.began("event", 1)
    claims.began("request", 1)
    clock.advance(PATIENCE_S / 2)
    claims.ended("event", 1)
    claims.ended("request", 1)
    clock.pump([PATIENCE_S] * 3)

    assert (written, clock.getDelayedCalls()) == ([], [])


def test_what_stands_is_written_once_with_others(clock, claims, written):
    """Between one and two of the patience after it was begun."""
    claims.began("event", 7)
    claims.began("event", 3)
    clock.advance(PATIENCE_S)
    claims.began("request", 5)
    assert written == []
    clock.advance(PATIENCE_S)
    assert written == [Claim(events=(3, 7))]
    clock.pump([PATIENCE_S] * 3)

    assert written == [Claim(events=(3, 7)), Claim(requests=(5,))]
    assert clock.getDelayedCalls() == []


def order(writer, what):
    report = writer.commit(Batch(changes=[Change(what=what)]))
    assert report.failed == []


def rows(writer, table="event"):
    return writer._connection.execute(f"SELECT state, attempt, due_us FROM {table} ORDER BY seq").fetchall()


def test_a_claim_counts_the_attempt(writer):
    """Once: neither a second claim nor the settlement counts it again."""
    writer.commit(Batch(accepts=[(event(1), None)]))
    order(writer, Claim(events=(1,)))
    assert rows(writer) == [(State.CLAIMED, 1, 0)]
    order(writer, Claim(events=(1,)))
    order(writer, settlement(1, Outcome.POSTPONE, due_us=7))
    assert rows(writer) == [(State.WAITING, 1, 7)]
    order(writer, Claim(events=(1,)))
    assert rows(writer) == [(State.CLAIMED, 2, 0)]
    order(writer, settlement(1))

    assert rows(writer) == [(State.DONE, 2, 0)]


def test_a_late_claim_changes_nothing(writer):
    """What was settled meanwhile is not begun again, and what is not there is no fault."""
    writer.commit(Batch(accepts=[(event(1), None)]))
    order(writer, settlement(1, requests=(REQUEST,)))
    order(writer, sent(1, Outcome.GIVE_UP))
    order(writer, Claim(events=(1, 99), requests=(1, 99)))

    assert (rows(writer), rows(writer, "request")) == ([(State.DONE, 1, 0)], [(State.DEAD, 1, 0)])


def test_after_a_kill_the_attempt_is_remembered(folder):
    """The event is offered again, and says that it was begun before; so does a request."""
    killed = Writer(folder=folder, now_us=lambda: START_US)
    killed.open()
    killed.commit(Batch(accepts=[(event(1), None), (event(2), None)]))
    order(killed, settlement(2, requests=(REQUEST,)))
    order(killed, Claim(events=(1,), requests=(1,)))
    killed._connection.close(force=True)
    again = Writer(folder=folder, now_us=lambda: START_US)
    again.open()

    assert rows(again)[0] == (State.RECEIVED, 1, 0)
    assert rows(again, "request") == [(State.RECEIVED, 1, 0)]
    again.close()


def test_the_spool_notes_what_was_begun(folder):
    """From `began_event` to the row, without anybody waiting; a settlement in time makes it unnecessary."""
    reactor = HandReactor()
    spool = SqliteSpool(folder=folder, reactor=reactor, now_us=lambda: START_US, counters=Tally())
    reactor.wait_for(spool.start())
    told = []
    for number in (1, 2):
        spool.offer(event(number), Sender(told))
    reactor.pump_until(lambda: len(told) == 2)
    spool.began_event(1)
    spool.began_event(2)
    reactor.wait_for(spool.settle_event(settlement(2)))
    reactor.pump([PATIENCE_S, PATIENCE_S])
    reactor.turn()
    reactor.pump_one()

    [stored] = reactor.wait_for(spool.open_events(event(1).service, after_seq=0, limit=9))
    assert (stored.seq, stored.state, stored.attempt) == (1, State.CLAIMED, 1)
    reactor.wait_for(spool.stop(9))

"""agent.spool.recall: what filters have counted is stored with the event's end, and comes back in order."""

from __future__ import annotations

import pytest

from agent.boundaries import Remembered
from agent.delivery import Outcome
from agent.spool import SqliteSpool
from tests.spool.support import SERVICE, START_US, HandReactor, Sender, Tally, event, settlement


@pytest.fixture
def start(folder):
    def _start():
        reactor = HandReactor()
        spool = SqliteSpool(folder=folder, reactor=reactor, now_us=lambda: START_US, counters=Tally())
        reactor.wait_for(spool.start())
        return reactor, spool

    return _start


def counted(key, at_us=1, forgotten=(), filter="pumps"):
    return Remembered(filter=filter, key=key, boot_id="b", at_us=at_us, wall_us=START_US, forgotten=forgotten)


def settle(reactor, spool, seq, *remembered, outcome=Outcome.SUCCEED):
    told = []
    spool.offer(event(seq), Sender(told))
    reactor.pump_until(lambda: told)
    reactor.wait_for(spool.settle_event(settlement(seq, outcome, remembered=remembered)))


def test_it_survives_a_restart_in_order(start):
    """The newest last, also where a combination is counted anew; what was forgotten is gone."""
    reactor, spool = start()
    settle(reactor, spool, 1, counted("a"), counted("x", filter="doors"))
    settle(reactor, spool, 2, counted("b"))
    settle(reactor, spool, 3, counted("c", forgotten=("b",)))
    settle(reactor, spool, 4, counted("a", at_us=9))
    reactor.wait_for(spool.stop(10.0))

    reactor, spool = start()
    found = reactor.wait_for(spool.remembered(SERVICE))
    assert [("doors", "x", 1), ("pumps", "c", 1), ("pumps", "a", 9)] == [
        (one.filter, one.key, one.at_us) for one in found
    ]
    assert [] == reactor.wait_for(spool.remembered("applications|other"))
    reactor.wait_for(spool.stop(10.0))


def test_a_settlement_that_is_not_stored_counts_nothing(start):
    """Event and memory are one transaction: an event that has its end already changes neither."""
    reactor, spool = start()
    settle(reactor, spool, 1)
    with pytest.raises(ValueError, match="cannot"):
        reactor.wait_for(spool.settle_event(settlement(1, remembered=(counted("a"),))))
    assert [] == reactor.wait_for(spool.remembered(SERVICE))
    reactor.wait_for(spool.stop(10.0))

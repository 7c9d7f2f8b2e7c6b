"""The writer's thread, stepped by hand."""

import pytest

from agent.spool.batch import Batch, Change
from agent.spool.thread import WriterLoop
from tests.spool.support import Sender, event, full, settlement


class Loop:
    """A loop over a real writer; `reports` are not passed on until the test does."""

    def __init__(self, writer):
        self.reports = []
        self.loop = WriterLoop(writer=writer, tell=self.reports.append, doubt=self.reports.append)

    def commit(self, **batch):
        self.loop.put(Batch(**batch))
        assert self.loop.step()
        return self.reports[-1]


@pytest.fixture
def loop(writer):
    made = Loop(writer)
    made.commit(accepts=[(event(number), Sender()) for number in (1, 2, 3)])
    return made


def changes(*seqs):
    return [Change(what=settlement(seq)) for seq in seqs]


def seqs_made(report):
    return [change.what.seq for change in report.changes]


def seqs_failed(report):
    return [change.what.seq for change, _ in report.failed]


def test_what_was_handed_in_before_a_refusal_was_told_does_not_overtake_what_was_refused(loop, disk):
    """The disk has room again at once; the later settlement fails all the same, and for the same reason."""
    disk.fail["write"] = full()
    first = loop.commit(changes=changes(1))
    disk.fail.clear()
    second = loop.commit(changes=changes(2))
    assert ([1], [2]) == (seqs_failed(first), seqs_failed(second))
    assert first.failed[0][1] is second.failed[0][1]


def test_what_is_handed_in_with_the_news_is_stored(loop, disk):
    """Both refusals have been told: now the order is that of those who hand in."""
    disk.fail["write"] = full()
    loop.commit(changes=changes(1))
    disk.fail.clear()
    loop.loop.put(Batch(changes=changes(2)))
    loop.loop.told()
    assert loop.loop.step()
    loop.loop.told()
    assert [1, 2] == seqs_made(loop.commit(changes=changes(1, 2)))


def test_events_are_stored_while_settlements_are_held_back(loop, disk):
    """Who sends waits for nobody's order."""
    disk.fail["write"] = full()
    loop.commit(changes=changes(1))
    disk.fail.clear()
    report = loop.commit(accepts=[(event(4), Sender())], changes=changes(2))
    assert (1, [2]) == (len(report.accepts), seqs_failed(report))


def test_a_settlement_that_is_at_fault_itself_holds_back_nobody(loop):
    """There is no such event; that is no refusal by the disk."""
    assert [99] == seqs_failed(loop.commit(changes=changes(99)))
    assert [1] == seqs_made(loop.commit(changes=changes(1)))


def test_it_ends_when_all_is_committed(loop):
    """What was put before the end is stored; then there is nothing more to do."""
    loop.loop.put(Batch(changes=changes(1)))
    loop.loop.told()
    loop.loop.put(Batch(changes=changes(2)))
    loop.loop.finish()
    assert [True, True, False] == [loop.loop.step() for _ in range(3)]
    assert [[1], [2]] == [seqs_made(report) for report in loop.reports[1:]]

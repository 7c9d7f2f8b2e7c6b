"""The spool in the reactor: turns, answers in batches, senders that left, refusals, reading back, start and stop."""

import threading

import apsw
import pytest
from twisted.logger import globalLogPublisher

from agent.boundaries import EventSink, Spool
from agent.delivery import OutboundRequest, Outcome, State
from agent.errors import ExitStatus, MachineError, OperatorError, SenderError
from agent.spool import SqliteSpool, layout
from agent.spool import intake as intake_module
from agent.spool import reader as reader_module
from agent.spool.thread import MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from agent.spool.watch import PERIOD_S
from tests.spool.support import (
    SERVICE,
    START_US,
    GoneSender,
    HandReactor,
    Sender,
    Tally,
    event,
    full,
    io_error,
    sent,
    settlement,
)

REQUEST = OutboundRequest(destination="out", body=b"{}")


class Agent:
    """A spool, its reactor, and what it logged."""

    def __init__(self, folder, disk=None):
        self.reactor = HandReactor()
        self.counters = Tally()
        self.spool = SqliteSpool(
            folder=folder,
            reactor=self.reactor,
            now_us=lambda: START_US + 50,
            counters=self.counters,
            vfs=None if disk is None else disk.name,
        )
        self.lines = []

    def start(self):
        self.reactor.wait_for(self.spool.start())
        return self

    def stop(self):
        self.reactor.wait_for(self.spool.stop(10.0))

    def wait_for(self, awaitable):
        return self.reactor.wait_for(awaitable)

    def offer(self, *numbers, told=None, **more):
        """Offer events in one turn; the list of what their senders were told."""
        told = [] if told is None else told
        for number in numbers:
            self.spool.offer(event(number, **more), Sender(told))
        return told

    def store(self, *numbers, **more):
        told = self.offer(*numbers, **more)
        self.reactor.pump_until(lambda: len(told) == len(numbers))
        assert told == ["stored"] * len(numbers)

    def look_again(self):
        """The next look at the disk, which lays the reserve by again."""
        self.reactor.advance(PERIOD_S)
        self.reactor.pump_one()

    def open_events(self, **choice):
        return self.wait_for(self.spool.open_events(SERVICE, **{"after_seq": 0, "limit": 100, **choice}))


@pytest.fixture
def agent(folder, disk):
    agent = Agent(folder, disk)
    globalLogPublisher.addObserver(agent.lines.append)
    agent.start()
    yield agent
    disk.fail.clear()
    disk.hold = None
    agent.stop()
    globalLogPublisher.removeObserver(agent.lines.append)


def test_it_is_what_the_others_were_promised(agent):
    """The spool satisfies both seams, by name and keyword."""
    sink: EventSink = agent.spool
    spool: Spool = agent.spool
    assert sink is spool


def test_nobody_is_told_before_the_log_is_synced(agent, disk):
    """The order of things: sync of the log, and only then `stored`."""
    disk.record.clear()
    told = agent.offer(1, 2, told=disk.record)
    agent.reactor.pump_until(lambda: len(told) == 3)

    assert told == ["sync", "stored", "stored"]


def test_no_answer_comes_before_the_offer_has_returned(agent, disk):
    """Neither a stored nor a refused event is answered inside `offer`: callers need not be re-entrant."""
    disk.hold = lambda: None
    told = agent.offer(1)
    assert told == []
    agent.reactor.pump_until(lambda: told)
    assert told == ["stored"]


def test_one_turn_is_one_commit(agent, disk):
    """All offers of a turn share one sync."""
    disk.record.clear()
    agent.store(*range(1, 65))

    assert disk.record == ["sync"]
    assert agent.counters.counts["spool.commits", ""] == 1
    assert agent.counters.counts["spool.stored", ""] == 64


def test_what_queues_up_behind_a_slow_sync_shares_the_next_one(agent, disk):
    """Turns that end while the disk is busy are committed together."""
    reached, go_on = threading.Event(), threading.Event()

    def hold():
        reached.set()
        assert go_on.wait(20)

    disk.record.clear()
    disk.hold = hold
    told = agent.offer(1)
    agent.reactor.turn()
    assert reached.wait(20)
    for number in range(2, 10):
        agent.offer(number, told=told)
        agent.reactor.turn()
    disk.hold = None
    go_on.set()
    agent.reactor.pump_until(lambda: len(told) == 9)

    assert disk.record == ["sync", "sync"]


def test_a_sender_that_left_does_not_take_the_answers_of_its_batch_with_it(agent):
    """An answer that raises is logged; the others are told all the same, and listeners hear of every event."""
    heard = []
    agent.spool.on_events(lambda events: heard.extend(stored.seq for stored in events))
    told = agent.offer(1)
    agent.spool.offer(event(2), GoneSender())
    agent.offer(3, told=told)
    agent.reactor.pump_until(lambda: len(told) == 2 and heard)

    assert told == ["stored", "stored"]
    assert heard == [1, 2, 3]


def test_a_listener_that_raises_does_not_disturb_the_next(agent):
    """One fault in the dispatch of events stays there."""
    heard = []
    agent.spool.on_events(lambda events: 1 / 0)
    agent.spool.on_events(heard.extend)
    agent.store(1)

    assert [(stored.seq, stored.event.id, stored.state) for stored in heard] == [(1, event(1).id, State.RECEIVED)]


def test_listeners_hear_of_events_and_requests_in_order(agent):
    """Announcements come after the commit, in order of seq, over several batches."""
    events, requests = [], []
    agent.spool.on_events(events.extend)
    agent.spool.on_requests(requests.extend)
    agent.store(1, 2)
    agent.store(3)
    agent.wait_for(agent.spool.settle_event(settlement(2, requests=(REQUEST, REQUEST))))
    agent.wait_for(agent.spool.settle_event(settlement(1, requests=(REQUEST,))))

    assert [stored.seq for stored in events] == [1, 2, 3]
    assert [(stored.seq, stored.event_seq) for stored in requests] == [(1, 2), (2, 2), (3, 1)]


def test_the_end_of_a_batch_is_told_once_after_its_answers(agent):
    """Whoever has something to do for each batch does it before the events are begun to be worked on."""
    heard = []
    agent.spool.on_told(lambda: heard.append("told"))
    agent.spool.on_events(lambda events: heard.append(len(events)))
    agent.offer(1, 2, told=heard)
    agent.reactor.pump_until(lambda: 2 in heard)

    assert heard == ["stored", "stored", "told", 2]


def test_a_failed_sync_refuses_the_whole_batch_with_503(agent, disk):
    """Nobody of the batch is told stored; all are told when to come back; one line in the log."""
    disk.fail["sync"] = io_error()
    told = agent.offer(1, 2)
    agent.reactor.pump_until(lambda: len(told) == 2)

    assert [(error.status, error.code, error.headers) for error in told] == [
        (503, "store-failed", (("Retry-After", "10"),))
    ] * 2
    assert agent.counters.counts["spool.refused", "store-failed"] == 2
    assert len([line for line in agent.lines if "the disk reported an error" in line.get("sentence", "")]) == 1


def test_a_full_disk_refuses_with_503_and_recovers_by_itself(agent, disk):
    """store-full while there is no space, stored when there is."""
    disk.fail["write"] = full()
    told = agent.offer(1)
    agent.reactor.pump_until(lambda: told)
    assert (told[0].status, told[0].code) == (503, "store-full")
    disk.fail.clear()
    agent.look_again()
    agent.store(2)

    assert [stored.event.id for stored in agent.open_events()] == [event(2).id]
    assert any("stores events again" in line["log_format"] for line in agent.lines)


def test_an_event_that_cannot_be_kept_is_refused_for_good(agent):
    """It is not the disk's fault: no 503, no Retry-After, and the others are stored."""
    told = agent.offer(1)
    agent.spool.offer(event(2, path="\ud800"), refused := Sender())
    agent.reactor.pump_until(lambda: told and refused.told)

    assert told == ["stored"]
    assert [(error.status, error.code) for error in refused.told] == [(500, "event-not-storable")]


def test_a_backlog_of_unflushed_offers_is_bounded(agent, disk, monkeypatch):
    """Beyond the bound offers are refused at the end of the turn; memory does not grow with the senders."""
    monkeypatch.setattr(intake_module, "MAX_UNFLUSHED_EVENTS", 3)
    told = agent.offer(*range(1, 6))
    agent.reactor.turn()
    assert [error.code for error in told] == ["store-busy", "store-busy"]
    agent.reactor.pump_until(lambda: len(told) == 5)
    assert told[2:] == ["stored"] * 3

    agent.store(6, 7, 8)


def test_unflushed_bytes_are_bounded_as_well(agent, monkeypatch):
    """A few large events reach the bound, too."""
    monkeypatch.setattr(intake_module, "MAX_UNFLUSHED_BYTES", 250)
    told = agent.offer(1, 2, 3, body=bytes(100))
    agent.reactor.pump_until(lambda: len(told) == 3)

    assert [getattr(each, "code", each) for each in told] == ["store-busy", "stored", "stored"]


def test_a_turn_beyond_the_bound_of_a_transaction_is_split(agent, disk):
    """A transaction stays bounded however many offers one turn collects."""
    disk.record.clear()
    agent.store(*range(1, 2 * MAX_BATCH_EVENTS + 2))

    assert disk.record == ["sync"] * 3


def test_large_settlements_do_not_share_a_transaction(agent):
    """The bodies of requests count towards the bound of a transaction, as those of events do."""
    agent.store(1, 2)
    large = OutboundRequest(destination="out", body=bytes(MAX_BATCH_BYTES))
    before = agent.counters.counts["spool.commits", ""]
    both = [agent.spool.settle_event(settlement(seq, requests=(large,))) for seq in (1, 2)]
    for each in both:
        agent.wait_for(each)

    assert agent.counters.counts["spool.commits", ""] == before + 2


def test_a_settlement_that_the_disk_refuses_changes_nothing(agent, disk):
    """It fails with the operator's sentence; the same settlement succeeds when the disk is well again."""
    agent.store(1)
    disk.fail["sync"] = io_error()
    with pytest.raises(MachineError, match="the disk reported an error"):
        agent.wait_for(agent.spool.settle_event(settlement(1, requests=(REQUEST,))))
    disk.fail.clear()
    assert [stored.seq for stored in agent.open_events()] == [1]
    agent.wait_for(agent.spool.settle_event(settlement(1, requests=(REQUEST,))))

    assert agent.open_events() == []


def test_an_impossible_settlement_fails_its_own_deferred(agent):
    """ValueError for who asked; the other settlement of the turn succeeds."""
    agent.store(1)
    impossible = agent.spool.settle_event(settlement(99))
    agent.wait_for(agent.spool.settle_event(settlement(1)))

    with pytest.raises(ValueError, match="event 99 is not in the spool"):
        agent.wait_for(impossible)


def test_an_answered_event_that_the_disk_refuses_tells_its_sender(agent, disk):
    """store_answered is not tried again: a sender waits for it."""
    disk.fail["sync"] = io_error()

    with pytest.raises(SenderError) as caught:
        agent.wait_for(agent.spool.store_answered(event(1), settlement(0)))
    assert caught.value.status == 503


def test_an_answered_event_announces_its_requests_only(agent):
    """The event is at its end: nobody shall work on it."""
    events, requests = [], []
    agent.spool.on_events(events.extend)
    agent.spool.on_requests(requests.extend)
    agent.wait_for(agent.spool.store_answered(event(1), settlement(0, requests=(REQUEST,))))

    assert events == []
    assert [stored.id for stored in requests] == [f"{event(1).id}/1"]


def test_a_request_is_open_until_it_is_settled(agent):
    """Postponed it stays open with its time and attempts; sent it is gone."""
    agent.store(1)
    agent.wait_for(agent.spool.settle_event(settlement(1, requests=(REQUEST,))))
    agent.wait_for(agent.spool.settle_request(sent(1, Outcome.POSTPONE, due_us=START_US + 9_000_400, reason="503")))
    [stored] = agent.wait_for(agent.spool.open_requests("out", after_seq=0, limit=10))
    assert agent.wait_for(agent.spool.open_destinations()) == {"out": 1}
    assert (stored.state, stored.attempt, stored.left_s, stored.service) == (State.WAITING, 1, 9, SERVICE)
    agent.wait_for(agent.spool.settle_request(sent(1)))

    assert agent.wait_for(agent.spool.open_requests("out", after_seq=0, limit=10)) == []
    assert agent.wait_for(agent.spool.open_destinations()) == {}


def test_a_replay_is_announced_and_counted(agent):
    """Events and requests reach their listeners like newcomers; long lists take several transactions."""
    events, requests = [], []
    agent.store(*range(1, 204))
    for seq in range(1, 203):
        agent.wait_for(agent.spool.settle_event(settlement(seq, Outcome.GIVE_UP)))
    agent.wait_for(agent.spool.settle_event(settlement(203, requests=(REQUEST,))))
    agent.wait_for(agent.spool.settle_request(sent(1, Outcome.GIVE_UP)))
    agent.spool.on_events(events.extend)
    agent.spool.on_requests(requests.extend)
    ids = [event(number).id for number in range(1, 203)]

    assert agent.wait_for(agent.spool.orders.replay([*ids, f"{event(203).id}/1", ids[0]])) == 203
    assert [stored.event.id for stored in events] == ids
    assert [stored.seq for stored in events] == list(range(204, 406))
    assert [stored.id for stored in requests] == [f"{event(203).id}/1"]
    assert [stored.seq for stored in agent.open_events(limit=1000)] == list(range(204, 406))


def test_purge_and_edit_are_answered(agent):
    """With the number of dead letters changed; a body that cannot be read is a ValueError."""
    agent.store(1)
    agent.wait_for(agent.spool.settle_event(settlement(1, Outcome.GIVE_UP)))

    assert agent.wait_for(agent.spool.orders.edit(event(1).id, body=b"<b/>")) == 1
    with pytest.raises(ValueError, match="cannot be read"):
        agent.wait_for(agent.spool.orders.edit(event(1).id, body=b"<b>"))
    assert agent.wait_for(agent.spool.orders.purge([event(1).id, event(2).id])) == 1
    assert agent.wait_for(agent.spool.orders.edit(event(1).id, body=b"<b/>")) == 0


def test_a_replay_that_the_disk_refuses_fails_with_its_sentence(agent, disk):
    """Nothing was changed, and the order can be given again."""
    agent.store(1)
    agent.wait_for(agent.spool.settle_event(settlement(1, Outcome.GIVE_UP)))
    disk.fail["sync"] = io_error()
    with pytest.raises(MachineError, match="the disk reported an error"):
        agent.wait_for(agent.spool.orders.replay([event(1).id]))
    disk.fail.clear()

    assert agent.wait_for(agent.spool.orders.replay([event(1).id])) == 1


def test_open_events_can_be_narrowed(agent):
    """By place, number, priority, group, and groups to leave out; always in order of seq."""
    for number, (group, priority) in enumerate([("a", 0), ("b", 0), ("a", 1), ("c", 0), ("a", 0)], start=1):
        agent.store(number, group=group, priority=priority)

    def seqs(**choice):
        return [stored.seq for stored in agent.open_events(**choice)]

    assert seqs() == [1, 2, 3, 4, 5]
    assert seqs(after_seq=2, limit=2) == [3, 4]
    assert seqs(priority=0) == [1, 2, 4, 5]
    assert seqs(priority=0, group="a", after_seq=1) == [5]
    assert seqs(priority=0, except_groups=("a", "c")) == [2]


def test_open_requests_can_be_narrowed(agent):
    """By the group of their event: a group that waits does not keep the others on disk."""
    for number, group in enumerate("aba", start=1):
        agent.store(number, group=group)
        agent.wait_for(agent.spool.settle_event(settlement(number, requests=(REQUEST,))))

    def seqs(**choice):
        choice = {"after_seq": 0, "limit": 10, **choice}
        return [stored.seq for stored in agent.wait_for(agent.spool.open_requests("out", **choice))]

    assert seqs() == [1, 2, 3]
    assert seqs(limit=2) == [1, 2]
    assert seqs(group="a", after_seq=1) == [3]
    assert seqs(except_groups=("a",)) == [2]


def test_the_bytes_of_one_read_are_bounded(agent, monkeypatch):
    """Large events come back a few at a time, at least one, and an empty answer is the end."""
    monkeypatch.setattr(reader_module, "MAX_READ_BYTES", 150)
    agent.store(1, 2, 3, body=bytes(100))

    assert [stored.seq for stored in agent.open_events()] == [1, 2]
    assert [stored.seq for stored in agent.open_events(after_seq=2)] == [3]
    assert agent.open_events(after_seq=3) == []


def test_a_restart_offers_what_was_acknowledged(folder):
    """What was stored is open after a stop and a new start, in order, under its ids."""
    first = Agent(folder).start()
    first.store(1, 2, 3)
    first.wait_for(first.spool.settle_event(settlement(2)))
    first.stop()
    second = Agent(folder).start()

    assert [(stored.seq, stored.event) for stored in second.open_events()] == [(1, event(1)), (3, event(3))]
    assert second.spool.last_event_id == event(3).id
    second.stop()


def test_stop_commits_what_was_offered_and_refuses_what_comes_later(folder):
    """The turn that is open when stop is called is stored; an offer after it is told to come back."""
    agent = Agent(folder).start()
    told = agent.offer(1)
    settled = []
    agent.spool.settle_event(settlement(1)).addBoth(settled.append)
    agent.stop()
    assert told == ["stored"]
    assert settled == [None]
    late = agent.offer(2)
    agent.reactor.turn()

    assert [(error.status, error.code) for error in late] == [(503, "store-closed")]
    assert sorted(path.name for path in folder.iterdir()) == ["newest", "reserve", "spool.db"]


def test_stop_ends_although_the_disk_does_not(folder, disk):
    """A sync that never returns does not keep the agent from stopping, and nobody is told stored."""
    agent = Agent(folder, disk).start()
    go_on = threading.Event()
    disk.hold = lambda: go_on.wait(20)
    told = agent.offer(1)
    agent.reactor.turn()
    stopped = []
    from twisted.internet.defer import Deferred

    Deferred.fromCoroutine(agent.spool.stop(5.0)).addBoth(stopped.append)
    agent.reactor.advance(5.0)

    assert (stopped, told) == ([None], [])
    disk.hold = None
    go_on.set()
    agent.reactor.pump_one()
    agent.reactor.pump_one()


def test_a_settlement_after_stop_fails(folder):
    """It is offered again after the restart; nobody waits for ever."""
    agent = Agent(folder).start()
    agent.stop()

    with pytest.raises(MachineError, match="not open"):
        agent.wait_for(agent.spool.settle_event(settlement(1)))


def test_a_newer_spool_is_refused_untouched(folder):
    """An older program says what to do and does not write a byte."""
    Agent(folder).start().stop()
    connection = apsw.Connection(str(folder / layout.FILE_NAME))
    connection.pragma("user_version", layout.FORMAT + 1)
    connection.close()
    before = (folder / layout.FILE_NAME).read_bytes()

    with pytest.raises(
        OperatorError, match=f"has format {layout.FORMAT + 1}, this version knows formats up to"
    ) as caught:
        Agent(folder).start()
    assert caught.value.exit_status == ExitStatus.CONFIG
    assert (folder / layout.FILE_NAME).read_bytes() == before


def test_a_foreign_database_is_refused(folder):
    """A database of another program in our place is not written to."""
    folder.mkdir()
    connection = apsw.Connection(str(folder / layout.FILE_NAME))
    connection.execute("CREATE TABLE other (x)")
    connection.close()

    with pytest.raises(OperatorError, match="database of another program"):
        Agent(folder).start()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    """The sentence names the place."""
    (tmp_path / "var").write_text("a file in the way")

    with pytest.raises(MachineError, match=r"var.*cannot be made") as caught:
        Agent(tmp_path / "var" / "spool").start()
    assert caught.value.exit_status == ExitStatus.CANNOT_CREATE

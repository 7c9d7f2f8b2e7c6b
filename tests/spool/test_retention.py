"""What is over goes after a while, in small steps; what is dead or still to be sent stays."""

import pytest

from agent.boundaries import EventSettlement, RequestSettlement
from agent.config.model import SpoolLimits
from agent.delivery import OutboundRequest, Outcome, State
from agent.spool import SqliteSpool, retention
from agent.spool.batch import Batch, Change
from agent.spool.ledger import BYTES_BESIDE_BODY
from agent.spool.retention import EVENTS_A_STEP, Retire, Retired
from agent.spool.sweep import PAUSE_S, ROUND_S, Sweep
from agent.spool.writer import Writer
from tests.spool.support import START_US, HandReactor, Sender, Tally, Time, event
from tests.spool.test_mending import books_balance, look

DAY_S = 24 * 3600
REQUEST = OutboundRequest(destination="out", body=b"{}")


class Home:
    """A spool whose clock the test sets."""

    def __init__(self, folder, **limits):
        self.time = Time()
        self.folder, self.limits = folder, SpoolLimits(**limits)
        self.open()

    def open(self):
        time = self.time
        self.writer = Writer(folder=self.folder, now_us=time.now_us, ages=time.clock(), limits=self.limits)
        self.writer.open()

    def restart(self):
        self.writer.close()
        self.open()

    def order(self, what):
        change = Change(what=what)
        assert self.writer.commit(Batch(changes=[change])).failed == []
        return change.retired

    def store(self, *numbers, **more):
        self.writer.commit(Batch(accepts=[(event(number, **more), None) for number in numbers]))

    def settle(self, seq, outcome=Outcome.SUCCEED, **more):
        times = {"begun_us": self.time.wall_us, "ended_us": self.time.wall_us}
        self.order(EventSettlement(seq=seq, outcome=outcome, **times, **more))

    def sent(self, seq, outcome=Outcome.SUCCEED):
        self.order(RequestSettlement(seq=seq, outcome=outcome, begun_us=self.time.wall_us, ended_us=self.time.wall_us))

    def seqs(self):
        return [seq for (seq,) in look(self.folder, "SELECT seq FROM event ORDER BY seq")]


@pytest.fixture
def begin(folder):
    homes = []

    def make(**limits):
        homes.append(Home(folder, **limits))
        return homes[-1]

    yield make
    for home in homes:
        home.writer.close()


def test_done_events_go_when_they_are_old_enough(begin):
    """With their steps, requests and bodies; the moment counts at which they ended."""
    home = begin(keep_done_s=7 * 86400)
    home.store(1, 2, body=bytes(5000))
    home.settle(1, requests=(REQUEST,))
    home.sent(1)
    home.time.go(DAY_S)
    home.settle(2, Outcome.SUPPRESS)
    home.time.go(6 * DAY_S)
    assert home.order(Retire()) == Retired(events=0, next_seq=0)
    home.time.go(0.001)
    assert home.order(Retire()) == Retired(events=1, next_seq=0)

    assert home.seqs() == [2]
    for table in ("step", "request", "event_body"):
        assert len(look(home.folder, f"SELECT 1 FROM {table}")) <= 1
    assert books_balance(home.folder)
    home.time.go(DAY_S)
    home.order(Retire())
    assert home.seqs() == []
    assert look(home.folder, "SELECT value FROM meta WHERE name = 'done_bytes'") == [(0,)]


def test_dead_open_and_unsent_stay_for_ever(begin):
    """Nothing that an operator or a destination may still ask for."""
    home = begin(keep_done_s=1, keep_done_bytes=1)
    home.store(1, 2, 3, 4, 5)
    home.settle(1, Outcome.GIVE_UP)
    home.settle(2, Outcome.POSTPONE)
    home.settle(3, requests=(REQUEST,))
    home.settle(4, requests=(REQUEST,))
    home.sent(2, Outcome.GIVE_UP)
    home.time.go(1000 * DAY_S)
    home.order(Retire())

    assert home.seqs() == [1, 2, 3, 4, 5]


def test_the_oldest_go_when_all_takes_too_much(begin):
    """Whatever their age; as many as are too many."""
    home = begin(keep_done_s=0, keep_done_bytes=3 * (100 + BYTES_BESIDE_BODY))
    home.store(*range(1, 7), body=bytes(100))
    for seq in (2, 1, 3, 4, 5):
        home.settle(seq)

    assert home.order(Retire()).events == 2
    assert home.seqs() == [3, 4, 5, 6]
    assert home.order(Retire()).events == 0


def test_without_bounds_nothing_goes(begin):
    """0 is no bound."""
    home = begin(keep_done_s=0, keep_done_bytes=0)
    home.store(1)
    home.settle(1)
    home.time.go(1000 * DAY_S)

    assert home.order(Retire()) == Retired()
    assert home.seqs() == [1]


def test_a_step_is_bounded_and_the_next_goes_on(begin, monkeypatch):
    """By places looked at, and by the bytes that are deleted."""
    home = begin(keep_done_s=1)
    home.store(*range(1, EVENTS_A_STEP + 51))
    for seq in range(1, EVENTS_A_STEP + 51):
        home.settle(seq, Outcome.GIVE_UP if seq == 1 else Outcome.SUCCEED)
    home.time.go(DAY_S)
    first = home.order(Retire())
    assert first == Retired(events=EVENTS_A_STEP - 1, next_seq=EVENTS_A_STEP)
    monkeypatch.setattr(retention, "BYTES_A_STEP", 20)
    second = home.order(Retire(after_seq=first.next_seq))
    assert second == Retired(events=5, next_seq=EVENTS_A_STEP + 5)
    monkeypatch.undo()

    assert home.order(Retire(after_seq=second.next_seq)) == Retired(events=45, next_seq=0)
    assert home.seqs() == [1]
    assert books_balance(home.folder)


def test_keys_are_forgotten_after_their_window(begin):
    """The table of keys does not grow for ever."""
    home = begin(idempotency_window_s=60)
    home.store(1, idempotency_key="old")
    home.time.go(60.001)
    home.store(2, idempotency_key="new")
    home.order(Retire())

    assert look(home.folder, "SELECT key FROM idempotency") == [("new",)]


def test_an_answered_event_goes_like_the_others(begin):
    """It counts as done from the start."""
    from agent.spool.changes import Answered

    home = begin(keep_done_s=1)
    times = {"begun_us": home.time.wall_us, "ended_us": home.time.wall_us}
    home.order(Answered(event=event(1), settlement=EventSettlement(seq=0, outcome=Outcome.SUCCEED, **times)))
    home.time.go(DAY_S)

    assert home.order(Retire()).events == 1
    assert look(home.folder, "SELECT value FROM meta WHERE name = 'done_bytes'") == [(0,)]


class Orders:
    """Answers the sweep as it is told."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.given = []

    async def __call__(self, what):
        self.given.append(what.after_seq)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_round_goes_on_after_pauses_and_begins_anew():
    """Until a step says that it is over; a failing disk ends the round and not the sweep."""
    reactor = HandReactor()
    orders = Orders(Retired(events=9, next_seq=7), Retired(), OSError("no"), Retired())
    sweep = Sweep(reactor=reactor, order=orders)
    sweep.start()
    assert orders.given == []
    reactor.advance(ROUND_S)
    reactor.advance(PAUSE_S)
    assert orders.given == [0, 7]
    reactor.advance(ROUND_S)
    reactor.advance(ROUND_S)
    assert orders.given == [0, 7, 0, 0]
    sweep.stop()

    assert reactor.getDelayedCalls() == []


def test_the_running_spool_sweeps(folder):
    """From the clock to the deletion, counted."""
    reactor, counters = HandReactor(), Tally()
    spool = SqliteSpool(
        folder=folder,
        reactor=reactor,
        now_us=lambda: START_US,
        counters=counters,
        limits=SpoolLimits(keep_done_s=30, reserve_bytes=0),
    )
    reactor.wait_for(spool.start())
    sender = Sender()
    spool.offer(event(1), sender)
    reactor.pump_until(lambda: sender.told)
    times = {"begun_us": START_US, "ended_us": START_US}
    reactor.wait_for(spool.settle_event(EventSettlement(seq=1, outcome=Outcome.SUCCEED, **times)))
    for _ in range(13):
        reactor.advance(5)
    reactor.pump_until(lambda: ("spool.retired", "") in counters.counts)

    assert counters.counts["spool.retired", ""] == 1
    assert look(folder, f"SELECT count(*) FROM event WHERE state = {State.DONE.value}") == [(0,)]
    reactor.wait_for(spool.stop(9))

"""Ages by a clock that does not jump, and what is looked at every few seconds."""

from agent.delivery import Outcome
from agent.spool import watch
from agent.spool.batch import Batch, Change
from agent.spool.watch import Ages, Oldest, oldest_open
from tests.spool.support import START_US, event, settlement


class Time:
    def __init__(self):
        self.us = START_US

    def __call__(self):
        return self.us

    def go(self, seconds):
        self.us += int(seconds * 1e6)


def test_an_event_is_as_old_as_the_look_that_first_saw_it():
    """Whatever the wall clock said when it was stored."""
    time = Time()
    ages = Ages(age_us=time, last_seq=0)
    time.go(5)
    ages.look(10)
    time.go(5)
    ages.look(20)
    time.go(100)

    for wall_clock in (0, START_US, 2 * START_US):
        assert [ages.age_s(Oldest(seq=seq, since_us=wall_clock)) for seq in (1, 10, 11, 20, 21)] == [
            105, 105, 100, 100, 0,
        ]  # fmt: skip


def test_what_an_earlier_process_left_has_the_wall_clocks_age():
    """And grows older by ours; a time in the future is young."""
    time = Time()
    ages = Ages(age_us=time, last_seq=7)
    time.go(10)

    assert ages.age_s(Oldest(seq=7, since_us=START_US - 3_000_000)) == 13
    assert ages.age_s(Oldest(seq=7, since_us=START_US + 3_000_000)) == 10


def test_memory_is_bounded(monkeypatch):
    """Looks are forgotten, ages are told less finely and never too old."""
    monkeypatch.setattr(watch, "MAX_LOOKS", 10)
    time = Time()
    ages = Ages(age_us=time, last_seq=0)
    for seq in range(1, 1001):
        time.go(watch.PERIOD_S)
        ages.look(seq)
        assert len(ages._seqs) <= 10

    for seq in (1, 500, 999):
        age_s = watch.PERIOD_S * (1000 - seq)
        assert age_s - 5000 / 4 <= ages.age_s(Oldest(seq=seq, since_us=0)) <= age_s


def test_services_whose_oldest_is_too_old():
    """None where there is no bound."""
    time = Time()
    ages = Ages(age_us=time, last_seq=2)
    time.go(60)
    oldest = {"a": Oldest(seq=1, since_us=START_US - 1), "b": Oldest(seq=3, since_us=START_US)}

    assert ages.older_than(oldest, 30) == ["a"]
    assert ages.older_than(oldest, 0) == []


def test_the_oldest_open_event_of_each_service(writer):
    """What is done does not count, and what was replayed has waited since then."""
    writer.commit(Batch(accepts=[(event(n, service=s), None) for n, s in enumerate("aabb")]))
    for what in (settlement(1), settlement(3, Outcome.POSTPONE)):
        writer.commit(Batch(changes=[Change(what=what)]))
    writer._connection.execute("UPDATE event SET replayed_us = ? WHERE seq = 3", (START_US + 999,))

    assert oldest_open(writer._connection) == {
        "a": Oldest(seq=2, since_us=START_US + 50),
        "b": Oldest(seq=3, since_us=START_US + 999),
    }

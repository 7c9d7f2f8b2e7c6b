"""A sender's own name for an event: the same key gives the same id again, and no second event."""

import pytest

from agent.config.model import SpoolLimits
from agent.spool import SqliteSpool
from agent.spool.batch import Batch
from agent.spool.writer import Writer
from tests.spool.support import START_US, HandReactor, Sender, Tally, Time, event, io_error

HOUR_S = 3600


class Home:
    """A spool whose clock the test sets; `open` begins anew as a restart does."""

    def __init__(self, folder, limits=None, vfs=None):
        self.folder, self.limits, self.vfs = folder, limits, vfs
        self.time = Time()
        self.open()

    def open(self):
        time = self.time
        self.writer = Writer(
            folder=self.folder, now_us=time.now_us, ages=time.clock(), limits=self.limits, vfs=self.vfs
        )
        self.writer.open()

    def store(self, *events):
        """The ids that the senders are told, None for a refusal."""
        report = self.writer.commit(Batch(accepts=[(each, None) for each in events]))
        told = {each.id: each.id for each, _ in report.accepts}
        told |= {each.id: earlier for each, _, earlier in report.repeats}
        return [told.get(each.id) for each in events]

    def count(self):
        return self.writer._connection.execute("SELECT count(*) FROM event").get


@pytest.fixture
def home(folder):
    home = Home(folder)
    yield home
    home.writer.close()


def keyed(number, key="k", **more):
    return event(number, idempotency_key=key, **more)


def test_a_repeat_gets_the_earlier_id(home):
    """Also across a restart, and also after a day less a moment; there is one event."""
    assert home.store(keyed(1)) == [event(1).id]
    home.writer.close()
    home.open()
    home.time.go(24 * HOUR_S - 0.001)

    assert home.store(event(2), keyed(3)) == [event(2).id, event(1).id]
    assert home.count() == 2


def test_two_of_one_batch_are_one_event(home):
    """The first of them is stored; places have no gaps."""
    assert home.store(keyed(1), keyed(2), event(3)) == [event(1).id, event(1).id, event(3).id]
    assert home.writer._connection.execute("SELECT seq, id FROM event").fetchall() == [
        (1, event(1).id),
        (2, event(3).id),
    ]


def test_keys_belong_to_their_service(home):
    """Two services may be told the same name; no key at all never repeats."""
    stored = home.store(keyed(1), keyed(2, service="x|y"), event(3), event(4), keyed(5, key="K"))

    assert stored == [event(number).id for number in range(1, 6)]


def test_a_key_is_forgotten_after_its_window(home):
    """From then on it names the newer event."""
    home.store(keyed(1))
    home.time.go(24 * HOUR_S)
    assert home.store(keyed(2)) == [event(2).id]
    home.time.go(HOUR_S)

    assert home.store(keyed(3)) == [event(2).id]


def test_keys_can_be_switched_off(folder):
    """A window of 0 stores every event."""
    home = Home(folder, SpoolLimits(idempotency_window_s=0))

    assert home.store(keyed(1), keyed(2)) == [event(1).id, event(2).id]
    home.writer.close()


def test_a_key_of_a_refused_event_is_not_remembered(folder, disk):
    """What was not stored cannot be repeated: the sender's second try is the event."""
    home = Home(folder, vfs=disk.name)
    disk.fail["sync"] = io_error()
    assert home.store(keyed(1)) == [None]
    disk.fail.clear()

    assert home.store(keyed(2)) == [event(2).id]
    home.writer.close()


def test_one_bad_event_does_not_take_the_keys_of_its_batch_with_it(home):
    """The batch is stored one by one, and repeats are still found."""
    assert home.store(keyed(1), keyed(2, path="\ud800", key="z"), keyed(3)) == [event(1).id, None, event(1).id]


def test_senders_are_told_the_earlier_id(folder):
    """Through the whole spool: one event announced, both senders answered, the repeat counted."""
    reactor, counters, announced = HandReactor(), Tally(), []
    spool = SqliteSpool(folder=folder, reactor=reactor, now_us=lambda: START_US, counters=counters)
    reactor.wait_for(spool.start())
    spool.on_events(announced.extend)
    first, second = Sender(), Sender()
    spool.offer(keyed(1), first)
    spool.offer(keyed(2), second)
    reactor.pump_until(lambda: second.told)

    assert (first.ids, second.ids) == ([event(1).id], [event(1).id])
    assert [stored.event.id for stored in announced] == [event(1).id]
    assert (counters.counts["spool.stored", ""], counters.counts["spool.repeated", ""]) == (1, 1)
    reactor.wait_for(spool.stop(10))

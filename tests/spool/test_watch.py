"""What is looked at every few seconds: since when the oldest open events wait."""

from agent.delivery import Outcome
from agent.spool.batch import Batch, Change
from agent.spool.mending import Replay
from agent.spool.watch import older_than, oldest_open
from agent.spool.writer import Writer
from tests.spool.support import Time, event, settlement


def test_services_whose_oldest_is_too_old():
    """None where there is no bound; what seems to be born later than now is young."""
    oldest = {"a": 29_999_999, "b": 30_000_000, "c": 99_000_000}

    assert older_than(oldest, max_age_s=30, age_us=60_000_000) == ["a"]
    assert older_than(oldest, max_age_s=0, age_us=60_000_000) == []


def test_the_oldest_open_event_of_each_service(folder):
    """What is done does not count, and what was replayed has waited since then; whatever the wall clock said."""
    time = Time()
    writer = Writer(folder=folder, now_us=time.now_us, ages=time.clock())
    writer.open()
    begun_us = time.clock()()
    writer.commit(Batch(accepts=[(event(n, service=s), None) for n, s in enumerate("aabb")]))
    time.jump(1e9)
    time.go(5)
    for what in (settlement(1), settlement(3, Outcome.POSTPONE), settlement(4, Outcome.GIVE_UP)):
        writer.commit(Batch(changes=[Change(what=what)]))
    assert oldest_open(writer._connection) == {"a": begun_us, "b": begun_us}

    writer.commit(Batch(changes=[Change(what=settlement(3)), Change(what=Replay(ids=(event(3).id,)))]))
    assert oldest_open(writer._connection) == {"a": begun_us, "b": begun_us + 5_000_000}
    writer.close()

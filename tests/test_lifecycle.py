"""The agent's parts come up in order and go down in reverse, whatever one of them does."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from agent.errors import MachineError
from agent.lifecycle import Lifecycle
from tests.support.twisted_results import failure_of, is_waiting, result_of


class FakePart:
    """A part whose start and stop take as long as the test likes; writes what happens into a shared diary."""

    def __init__(self, name, diary, *, fails=None, slow_start=False, slow_stop=False, fails_to_stop=None):
        self.name = name
        self.diary = diary
        self.fails = fails
        self.fails_to_stop = fails_to_stop
        self.started = Deferred() if slow_start else None
        self.stopped = Deferred() if slow_stop else None

    async def start(self):
        self.diary.append(f"start {self.name}")
        if self.started is not None:
            await self.started
        if self.fails is not None:
            raise self.fails

    async def stop(self, patience_s):
        self.diary.append(f"stop {self.name} {patience_s:g}")
        if self.stopped is not None:
            await self.stopped
        if self.fails_to_stop is not None:
            raise self.fails_to_stop
        self.diary.append(f"stopped {self.name}")


@pytest.fixture
def diary():
    return []


@pytest.fixture
def clock():
    return Clock()


def run(coroutine):
    return Deferred.fromCoroutine(coroutine)


def test_parts_start_in_order_and_stop_in_reverse(diary, clock):
    """The next part starts when the last is up; the last to start is the first to stop."""
    first = FakePart("first", diary, slow_start=True)
    life = Lifecycle(parts=[first, FakePart("second", diary)], clock=clock)
    starting = run(life.start_all())
    assert ["start first"] == diary
    first.started.callback(None)
    result_of(starting)
    diary.clear()
    result_of(run(life.stop_all(10)))
    assert ["stop second 5", "stopped second", "stop first 10", "stopped first"] == diary


def test_the_first_failure_is_reported_and_what_was_up_is_stopped(diary, clock):
    """A failing start leaves nothing running, does not stop the failing part, and its own error comes out."""
    fault = MachineError("port-in-use", "port 8081 is in use")
    parts = [
        FakePart("spool", diary, fails_to_stop=RuntimeError("while undoing")),
        FakePart("gateway", diary, fails=fault),
        FakePart("never", diary),
    ]
    error = failure_of(run(Lifecycle(parts=parts, clock=clock).start_all()))
    assert fault is error
    assert ["start spool", "start gateway", "stop spool 10"] == diary


def test_a_part_that_overruns_does_not_keep_the_others(diary, clock):
    """After its share of the patience the next part is stopped, with all that is left."""
    slow = FakePart("slow", diary, slow_stop=True)
    life = Lifecycle(parts=[FakePart("quick", diary), slow], clock=clock)
    result_of(run(life.start_all()))
    diary.clear()
    stopping = run(life.stop_all(8))
    clock.advance(3.9)
    assert is_waiting(stopping)
    clock.advance(0.1)
    result_of(stopping)
    assert ["stop slow 4", "stop quick 4", "stopped quick"] == diary


def test_a_part_that_fails_to_stop_does_not_keep_the_others(diary, clock):
    """Stopping never raises."""
    bad = FakePart("bad", diary, fails_to_stop=RuntimeError("no"))
    life = Lifecycle(parts=[FakePart("good", diary), bad], clock=clock)
    result_of(run(life.start_all()))
    result_of(run(life.stop_all(8)))
    assert "stopped good" == diary[-1]


def test_a_second_stop_hurries_the_first(diary, clock):
    """Both calls end when the shorter patience is over; parts are stopped once."""
    slow = FakePart("slow", diary, slow_stop=True)
    life = Lifecycle(parts=[slow], clock=clock)
    result_of(run(life.start_all()))
    first = run(life.stop_all(60))
    second = run(life.stop_all(1))
    third = run(life.stop_all(100))
    clock.advance(1)
    result_of(first), result_of(second), result_of(third)
    result_of(run(life.stop_all(1)))
    assert 1 == diary.count("stop slow 60")
    assert [] == clock.getDelayedCalls()


def test_stopping_while_starting_cancels_the_start(diary, clock):
    """The part that was coming up is cancelled, those that were up are stopped, and the start ends cancelled."""
    slow = FakePart("slow", diary, slow_start=True)
    life = Lifecycle(parts=[FakePart("up", diary), slow, FakePart("never", diary)], clock=clock)
    starting = run(life.start_all())
    result_of(run(life.stop_all(5)))
    assert isinstance(failure_of(starting), CancelledError)
    assert ["start up", "start slow", "stop up 5", "stopped up"] == diary


def test_stopping_what_never_started_is_nothing(diary, clock):
    """And it stays stopped: a start after that is refused."""
    life = Lifecycle(parts=[FakePart("part", diary)], clock=clock)
    result_of(run(life.stop_all(5)))
    assert isinstance(failure_of(run(life.start_all())), CancelledError)
    assert [] == diary


def test_what_comes_last_is_stopped_in_its_place(diary, clock):
    """A part that is started after the others stops where it stands among them, and one that fails stops them all."""
    parts = [FakePart(name, diary) for name in ("store", "worker", "gateway", "watch")]
    worker, watch = parts[1], parts[3]
    life = Lifecycle(parts=parts, last=[worker, watch], clock=clock)
    result_of(run(life.start_all()))
    assert ["start store", "start gateway", "start worker", "start watch"] == diary
    diary.clear()
    result_of(run(life.stop_all(4)))
    assert ["watch", "gateway", "worker", "store"] == [line.split()[1] for line in diary if line.startswith("stopped")]
    diary.clear()
    watch.fails = MachineError("no", "no")
    life = Lifecycle(parts=parts, last=[worker, watch], clock=clock)
    assert watch.fails is failure_of(run(life.start_all()))
    assert ["gateway", "worker", "store"] == [line.split()[1] for line in diary if line.startswith("stopped")]

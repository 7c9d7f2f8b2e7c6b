"""What work gets of the agent's time while events come in."""

from __future__ import annotations

import pytest

from agent.delivery.share import (
    LATELY_S,
    MAX_DEBT_S,
    MAX_FREE,
    MIN_FREE,
    RESERVE,
    SHARE,
    WINDOW_S,
    Meter,
    Share,
    Unshared,
)


class Thread:
    """The agent's thread: what it does takes time, and the meter sees it."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.meter = Meter(lambda: self.now_s)
        self.share = Share(self.meter)
        self.spent = {"work": 0.0, "accept": 0.0, "idle": 0.0}

    def work(self, seconds: float) -> None:
        with self.meter:
            self._spend("work", seconds)

    def accept(self, seconds: float) -> None:
        self._spend("accept", seconds)
        self.share.came()

    def idle(self, seconds: float) -> None:
        self._spend("idle", seconds)
        self.meter.idle_s += seconds

    def pass_by(self, senders: float) -> None:
        """Four milliseconds, of which senders take a part; the rest is work where the rule lets it begin."""
        self.accept(0.004 * senders)
        end_s = self.now_s + 0.004 * (1 - senders)
        while self.now_s < end_s:
            if self.share.may_begin():
                self.work(0.0004)
            else:
                self.idle(0.0004)

    def part(self, what: str) -> float:
        return self.spent[what] / sum(self.spent.values())

    def _spend(self, what: str, seconds: float) -> None:
        self.now_s += seconds
        self.spent[what] += seconds


@pytest.mark.parametrize("item_s", [0.0001, 0.0006, 0.004, 0.02])
def test_while_senders_keep_the_agent_busy_work_has_its_share(item_s: float) -> None:
    """No more and not much less, whatever one piece of it takes."""
    thread = Thread()
    while thread.now_s < 1005.0:
        thread.accept(0.002)
        while thread.share.may_begin() and thread.now_s < 1005.0:
            thread.work(item_s)
    assert SHARE == pytest.approx(thread.part("work"), abs=0.06)


def test_where_nobody_sends_work_never_waits() -> None:
    """Not even once the agent does nothing else."""
    thread = Thread()
    for _ in range(1000):
        assert thread.share.may_begin()
        thread.work(0.001)


@pytest.mark.parametrize("senders", [0.02, 0.1, 0.15])
def test_what_senders_do_not_need_is_worked_in(senders: float) -> None:
    """Little is left undone where they take little: a tenth, or three times their part."""
    thread = Thread()
    while thread.now_s < 1002.0:
        thread.pass_by(senders)
    assert thread.part("idle") < max(MIN_FREE, RESERVE * senders) + 0.1


def test_the_more_senders_take_the_more_is_kept_free_for_them() -> None:
    """At half load a half: who waits for an answer takes what is left, and must not be taken for modest."""
    thread = Thread()
    while thread.now_s < 1002.0:
        thread.pass_by(0.35)
    assert SHARE == pytest.approx(thread.part("work"), abs=0.06)
    assert thread.part("idle") < MAX_FREE


def test_work_that_took_long_is_begun_again_soon() -> None:
    """One event that takes a second, or a pause of the machine, does not stop work for three."""
    thread = Thread()
    for _ in range(10):
        thread.accept(0.002)
        thread.share.may_begin()
    thread.work(1.0)
    begun_s = thread.now_s
    while not thread.share.may_begin():
        thread.accept(0.002)
    assert thread.now_s - begun_s < MAX_DEBT_S / SHARE + 2 * WINDOW_S


def test_the_first_events_after_a_pause_do_not_find_work_in_debt() -> None:
    """What was worked while nobody sent was nobody's time."""
    thread = Thread()
    for _ in range(100):
        thread.share.may_begin()
        thread.work(0.004)
    thread.accept(LATELY_S)
    thread.share.may_begin()
    thread.accept(WINDOW_S)
    assert thread.share.may_begin()


def test_work_under_way_counts_at_once() -> None:
    """Whoever begins one after the other in one go is stopped in the middle."""
    thread = Thread()
    for _ in range(10):
        thread.accept(WINDOW_S)
        thread.share.may_begin()
    begun = 0
    with thread.meter:
        while thread.share.may_begin():
            begun += 1
            thread.now_s += 0.0001
    assert SHARE * WINDOW_S == pytest.approx(begun * 0.0001, abs=0.0002)


def test_a_meter_in_itself_counts_once() -> None:
    """A lane that is woken out of the reading of a connection."""
    thread = Thread()
    with thread.meter:
        thread.now_s += 1.0
        with thread.meter:
            thread.now_s += 1.0
    assert 2.0 == thread.meter.worked_s(thread.now_s)


def test_nobody_stands_back_where_nothing_is_shared() -> None:
    """The stand-in for tests and tools."""
    share = Unshared()
    with share.meter:
        assert share.may_begin()

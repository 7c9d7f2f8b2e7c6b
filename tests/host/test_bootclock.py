"""agent.host.bootclock and agent.host.counted: what was counted lasts as long as it should, whoever sets a clock."""

from __future__ import annotations

import attrs

from agent.boundaries import Remembered
from agent.config.model import DedupFilter
from agent.host.bootclock import BootClock, boot_id, since_boot_s
from agent.host.counted import Counted

PUMPS = DedupFilter(name="pumps", predicates=("pump",), suppression_period_s=300, window_size=2)
DAY_S = 24 * 3600


class Machine:
    """A machine that can be restarted, with a wall clock that can be set."""

    def __init__(self) -> None:
        self.boot = "boot-1"
        self.up_s = 1000.0
        self.wall_s = 1_700_000_000.0

    def pass_time(self, seconds: float) -> None:
        self.up_s += seconds
        self.wall_s += seconds

    def restart(self, off_s: float) -> None:
        self.boot, self.up_s = "boot-2", 5.0
        self.wall_s += off_s

    def counted(self, stored: list[Remembered]) -> Counted:
        """A new agent that reads what the last one stored."""
        clock = BootClock(now_us=lambda: round(self.wall_s * 1e6), seconds=lambda: self.up_s, id=self.boot)
        counted = Counted(filters=[PUMPS], clock=clock)
        counted.restore(stored)
        return counted

    def knows(self, stored: list[Remembered]) -> bool:
        """Whether the key `k`, counted before, is still a duplicate."""
        return not self.counted(stored).count([("pumps", "k")])


def test_within_one_run_of_the_machine_the_wall_clock_does_not_matter() -> None:
    """Set by days in either direction, the period is the period."""
    for jump_s in (0, 30 * DAY_S, -30 * DAY_S):
        machine = Machine()
        stored = list(machine.counted([]).count([("pumps", "k")]))
        machine.wall_s += jump_s
        machine.pass_time(299)
        early = machine.knows(stored)
        machine.pass_time(1)
        assert (True, False) == (early, machine.knows(stored))


def test_after_a_restart_of_the_machine_the_wall_clock_tells() -> None:
    """The time that it was off counts."""
    machine = Machine()
    stored = list(machine.counted([]).count([("pumps", "k")]))
    machine.restart(off_s=299)
    early = machine.knows(stored)
    machine.pass_time(1)
    assert (True, False) == (early, machine.knows(stored))


def test_a_clock_that_was_put_back_while_the_machine_was_off_lasts_one_period_at_most() -> None:
    """What seems to come from the future was counted just now."""
    machine = Machine()
    stored = list(machine.counted([]).count([("pumps", "k")]))
    machine.restart(off_s=-DAY_S)
    agent = machine.counted(stored)
    machine.pass_time(299)
    early = agent.count([("pumps", "k")])
    machine.pass_time(1)
    assert () == early
    assert ["k"] == [one.key for one in agent.count([("pumps", "k")])]


def test_what_is_forgotten_is_told_and_unknown_filters_are_nothing() -> None:
    """Beyond the window the oldest goes, also on disk; a filter that was taken out of the file keeps nothing."""
    counted = Machine().counted([])
    counted.count([("pumps", "a"), ("pumps", "b")])
    (third,) = counted.count([("pumps", "c"), ("gone", "x"), ("pumps", "b")])
    assert ("c", ("a",)) == (third.key, third.forgotten)
    assert ["b", "c"] == [key for _, key, _ in counted.entries()]
    counted.restore([attrs.evolve(third, filter="gone")])
    assert ["b", "c"] == [key for _, key, _ in counted.entries()]


def test_the_real_clock_runs() -> None:
    """Time since the start goes forward; the run of the machine has a name, the same each time."""
    first = since_boot_s()
    assert 0 < first <= since_boot_s()
    assert boot_id() == boot_id()

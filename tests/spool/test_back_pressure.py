"""A spool at its bounds: senders are told to come back, work goes on, and it recovers by itself."""

import pytest
from twisted.logger import globalLogPublisher

from agent.config.model import SpoolLimits
from agent.delivery import Outcome
from agent.spool import SqliteSpool
from agent.spool import writer as writer_module
from agent.spool.batch import Batch, Change
from agent.spool.reserve import Reserve
from agent.spool.retention import Retire
from agent.spool.watch import PERIOD_S
from agent.spool.writer import Writer
from tests.spool.support import SERVICE, START_US, HandReactor, Sender, Tally, event, full, settlement

MIB = 1 << 20


class Agent:
    """A spool whose disk has as much space as the test says."""

    def __init__(self, folder, disk=None, **limits):
        self.free = [10_000 * MIB]
        self.reactor = HandReactor()
        self.counters = Tally()
        self.lines = []
        self.spool = SqliteSpool(
            folder=folder,
            reactor=self.reactor,
            now_us=lambda: START_US + 50,
            counters=self.counters,
            limits=SpoolLimits(**{"reserve_bytes": MIB, **limits}),
            free_bytes=lambda _folder: self.free[0],
            vfs=None if disk is None else disk.name,
        )
        globalLogPublisher.addObserver(self.lines.append)
        self.reactor.wait_for(self.spool.start())

    def stop(self):
        self.reactor.wait_for(self.spool.stop(10.0))
        globalLogPublisher.removeObserver(self.lines.append)

    def offer(self, *numbers, **more):
        """What each sender was told: "stored", or the code of the refusal and when to come back."""
        senders = [Sender() for _ in numbers]
        for number, sender in zip(numbers, senders, strict=True):
            self.spool.offer(event(number, **more), sender)
        self.reactor.pump_until(lambda: all(sender.told for sender in senders))
        told = [sender.told[0] for sender in senders]
        assert all(each == "stored" or each.status == 503 for each in told)
        return [each if each == "stored" else (each.code, dict(each.headers)["Retry-After"]) for each in told]

    def settle(self, seq, outcome=Outcome.SUCCEED):
        self.reactor.wait_for(self.spool.settle_event(settlement(seq, outcome)))

    def look_again(self):
        self.reactor.advance(PERIOD_S)
        self.reactor.pump_one()

    def said(self):
        """What the log says of room, with the keywords filled in."""
        return [
            line["log_format"].format(**line)
            for line in self.lines
            if line.get("log_namespace") == "spool" and line["log_level"].name in ("warn", "info", "error")
        ]


@pytest.fixture
def begin(folder):
    agents = []

    def start(disk=None, **limits):
        agents.append(Agent(folder, disk, **limits))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


def test_a_full_service_is_refused_and_the_others_are_not(begin):
    """Until something of it has ended; counted by reason, said once."""
    agent = begin(max_service_events=2)
    assert agent.offer(1, 2, 3, 4) == ["stored", "stored", *[("service-backlog-events", "30")] * 2]
    assert agent.offer(5, service="x|y") == ["stored"]
    assert agent.counters.counts["spool.refused", "service-backlog-events"] == 2
    [line] = agent.said()
    assert line.startswith(f"{SERVICE}: events are refused (503), because too many events wait for this service")
    assert agent.spool.trouble == line
    agent.settle(1, Outcome.POSTPONE)
    assert agent.offer(6) == [("service-backlog-events", "30")]
    agent.settle(1)

    assert agent.offer(7) == ["stored"]
    agent.look_again()
    agent.look_again()
    assert "there is room again" in agent.said()[-1]
    assert agent.spool.trouble == ""


def test_the_backlog_counts_across_a_restart(begin):
    """What was open is open."""
    agent = begin(max_events=3)
    agent.offer(1, 2, 3)
    agent.settle(2)
    agent.stop()
    again = begin(max_events=3)

    assert again.offer(4, 5) == ["stored", ("backlog-events", "30")]


def test_repeats_and_refused_events_take_no_room(begin, disk):
    """Room is for what is stored."""
    agent = begin(disk, max_events=2)
    assert agent.offer(1, 2, idempotency_key="k") == ["stored", "stored"]
    disk.fail["write"] = full()
    agent.offer(3)
    disk.fail.clear()
    agent.look_again()

    assert agent.offer(4, 5) == ["stored", ("backlog-events", "30")]


def test_an_answered_event_and_a_dead_one_take_no_room_until_it_is_replayed(begin):
    """Only what is open counts."""
    agent = begin(max_events=1)
    agent.reactor.wait_for(agent.spool.store_answered(event(1), settlement(0)))
    agent.offer(2)
    agent.settle(2, Outcome.GIVE_UP)
    agent.reactor.wait_for(agent.spool.orders.replay([event(2).id]))

    assert agent.offer(3) == [("backlog-events", "30")]


def test_a_disk_that_is_nearly_full_refuses_from_the_start(begin, folder):
    """What is there is worked off; when there is space again, events are taken in again."""
    agent = begin(min_free_bytes=256 * MIB)
    agent.offer(1)
    agent.free[0] = 255 * MIB
    agent.look_again()
    assert agent.offer(2) == [("disk-low", "30")]
    assert "255 MiB are free" in agent.spool.trouble
    agent.settle(1)
    agent.look_again()
    assert agent.spool.trouble != "", "still low, though nobody asked"
    agent.free[0] = 300 * MIB
    agent.look_again()

    assert agent.spool.trouble == ""
    assert agent.offer(3) == ["stored"]


def test_a_service_that_stands_still_too_long_is_refused(begin):
    """By a clock that does not jump; off unless it is asked for."""
    agent = begin(max_age_s=60)
    agent.offer(1)
    agent.look_again()
    agent.reactor.advance(0)
    for _ in range(11):
        agent.look_again()
    assert agent.offer(2) == ["stored"]
    agent.look_again()
    assert agent.offer(3) == [("service-backlog-age", "30")]
    agent.settle(1)
    agent.look_again()

    assert agent.offer(4) == ["stored"]


def test_those_who_wait_while_the_disk_fills_are_stored_with_the_reserve(begin, disk, folder):
    """The batch that met the full disk is written again, in the space of the reserve; then nothing more is taken in."""
    agent = begin(disk)
    assert (folder / "reserve").stat().st_size == MIB

    class Space(dict):
        """The disk is full for as long as the reserve is there."""

        def __contains__(self, what):
            return what == "write" and (folder / "reserve").exists()

        def __getitem__(self, what):
            return full()

    disk.fail = Space()
    agent.free[0] = 0
    assert agent.offer(1) == ["stored"]
    assert agent.offer(2) == [("store-full", "30")]
    agent.settle(1)
    agent.look_again()
    assert agent.offer(3) == [("disk-low", "30")]
    disk.fail = {}
    agent.free[0] = 10_000 * MIB
    agent.look_again()

    assert (folder / "reserve").exists()
    assert agent.offer(4) == ["stored"]


def test_on_a_full_disk_settlements_do_not_fall_with_the_offers(begin, disk, folder):
    """The reserve is spent: an offer and a settlement of one turn part; the settlement is made."""
    agent = begin(disk)
    agent.offer(1, 2)
    disk.fail["write"] = full()
    assert agent.offer(3) == [("store-full", "30")]
    assert not (folder / "reserve").exists()
    disk.fail.clear()
    late = Sender()
    agent.spool.offer(event(4), late)
    agent.settle(1)

    assert [error.code for error in late.told] == ["store-full"]
    [left] = agent.reactor.wait_for(agent.spool.open_events(SERVICE, after_seq=0, limit=9))
    assert left.event.id == event(2).id


def test_work_that_goes_on_is_no_recovery_from_a_full_disk(begin, disk, folder):
    """Said once, and for as long as it lasts; settlements that use the reserve change nothing about it."""
    agent = begin(disk)
    agent.offer(1, 2, 3)
    disk.fail["write"] = full()
    agent.free[0] = 0
    assert agent.offer(4) == [("store-full", "30")]
    disk.fail.clear()
    for number in (1, 2):
        agent.settle(number)
        assert agent.offer(4 + number) == [("store-full", "30")]
    assert len([line for line in agent.said() if "the disk is full" in line]) == 1
    assert "the disk is full" in agent.spool.trouble
    agent.settle(3)
    agent.free[0] = 10_000 * MIB
    agent.look_again()
    assert "the disk is full" in agent.spool.trouble, "somebody was refused since the look before"
    agent.look_again()

    assert agent.spool.trouble == ""
    assert "stores events again" in agent.said()[-1]


class Small(dict):
    """A disk of `capacity` bytes, for `FaultyDisk.fail`."""

    def __init__(self, folder, capacity):
        self.folder, self.capacity = folder, capacity

    def __contains__(self, what):
        return what == "write" and sum(path.stat().st_size for path in self.folder.iterdir()) >= self.capacity

    def __getitem__(self, what):
        return full()


def test_a_spool_that_has_filled_its_disk_can_be_worked_off(folder, disk, monkeypatch):
    """Everything that was stored is settled and deleted in the space of the reserve, and then there is room again.

    The log is what fills the disk, and it is only free again when it has been copied into the database.
    """
    monkeypatch.setattr(writer_module, "CHECKPOINT_PAGES", 256)
    monkeypatch.setattr(writer_module, "SCARCE_PAGES", 64)
    reserve = Reserve(folder=folder, size_bytes=3 * MIB, keep_free_bytes=0)
    limits = SpoolLimits(keep_done_bytes=1)
    writer = Writer(folder=folder, now_us=lambda: START_US, reserve=reserve, limits=limits, vfs=disk.name)
    writer.open()
    disk.fail = Small(folder, 8 * MIB)
    while not writer.commit(Batch(accepts=[(event(writer.last_seq, body=bytes(2500)), None)])).refused:
        writer.checkpoint()
    assert (reserve.is_spent, writer.last_seq > 500) == (True, True)

    for what in [*(settlement(seq) for seq in range(1, writer.last_seq + 1)), *[Retire()] * 50]:
        assert writer.commit(Batch(changes=[Change(what=what)])).failed == []
        writer.checkpoint()
    assert writer._connection.execute("SELECT count(*) FROM event").get == 0
    disk.fail = Small(folder, 12 * MIB)
    assert reserve.lay_by()
    assert writer.commit(Batch(accepts=[(event(9_999), None)])).refused == []
    disk.fail = {}
    writer.close()


def test_a_folder_that_is_gone_is_told_of_once(begin, folder):
    """One ERROR line, and a trouble for the status; settlements go on and do not end it, the folder's return does."""
    agent = begin()
    assert ["stored"] == agent.offer(1)
    agent.lines.clear()
    folder.rename(folder.with_name("aside"))
    assert [("store-failed", "10")] * 2 == agent.offer(2, 3)
    agent.settle(1)
    assert [("store-failed", "10")] == agent.offer(4)
    told = [line["log_format"].format_map(line) for line in agent.lines if line["log_level"].name == "error"]
    assert 1 == len(told) and "deleted, moved or replaced" in told[0]
    assert "deleted, moved or replaced" in agent.spool.trouble
    folder.with_name("aside").rename(folder)
    assert ["stored"] == agent.offer(5)
    assert "" == agent.spool.trouble

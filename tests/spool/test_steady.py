"""The clock of ages: whoever sets the wall clock expires, replays and stalls nothing, also over restarts."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.boundaries import EventSettlement, RequestSettlement
from agent.config.model import SpoolLimits
from agent.delivery import OutboundRequest, Outcome, State
from agent.spool import layout
from agent.spool.batch import Batch, Change
from agent.spool.reader import OpenWork
from agent.spool.retention import Retire
from agent.spool.steady import MAX_UNSEEN_S, NOTE_S, Note, SteadyClock, Uptime
from agent.spool.writer import Writer
from tests.spool.support import SERVICE, START_US, Time, event, undo_format_8

TEN_YEARS_S = 10 * 365 * 86400
DAY_S = 86400
JUMPS = st.integers(-TEN_YEARS_S, TEN_YEARS_S)


def test_it_goes_on_with_the_machine_and_not_with_the_wall():
    """From where the wall clock was at the start."""
    time = Time()
    clock = time.clock()
    time.go(2.5)
    time.jump(TEN_YEARS_S)

    assert clock() == START_US + 2_500_000


@given(st.lists(st.tuples(st.integers(0, 10**6), JUMPS), max_size=8))
def test_over_starts_of_the_agent_it_counts_what_passed(turns):
    """However long nobody ran, and whatever was set meanwhile."""
    time = Time()
    clock, passed_s = time.clock(), 0
    for seconds, jump_s in turns:
        note = clock.note()
        time.go(seconds)
        time.jump(jump_s)
        passed_s += seconds
        clock = time.clock()
        clock.resume(note)

    assert clock() == START_US + passed_s * 1_000_000


@pytest.mark.parametrize(
    ("off_s", "jump_s", "counted_s"),
    [(60, 0, 60), (60, TEN_YEARS_S, MAX_UNSEEN_S), (60, -TEN_YEARS_S, 0), (3 * DAY_S, 0, MAX_UNSEEN_S)],
)
def test_over_a_start_of_the_machine_the_wall_clock_is_believed_a_little(off_s, jump_s, counted_s):
    """Never backwards, and an hour at most."""
    time = Time()
    note = time.clock().note()
    time.go(off_s)
    time.jump(jump_s)
    time.restart_machine()
    clock = time.clock()
    clock.resume(note)

    assert clock() == START_US + counted_s * 1_000_000


def test_a_machine_without_a_name_of_its_run_is_a_new_one_each_time():
    """Two empty names are not the same run."""
    clock = SteadyClock(now_us=lambda: START_US, uptime=Uptime(seconds=lambda: 900.0))
    clock.resume(Note(age_us=7_000_000, wall_us=START_US - 2_000_000, up_us=5_000_000))

    assert clock() == 9_000_000


class Home:
    """A spool and its clocks; `restart` is one of the agent."""

    def __init__(self, folder, **limits):
        self.time, self.folder = Time(), folder
        self.limits = SpoolLimits(keep_done_s=7 * DAY_S, **limits)
        self.open()

    def open(self):
        self.ages = self.time.clock()
        self.writer = Writer(folder=self.folder, now_us=self.time.now_us, ages=self.ages, limits=self.limits)
        self.writer.open()

    def restart(self):
        self.writer.close()
        self.open()

    def order(self, what):
        change = Change(what=what)
        assert self.writer.commit(Batch(changes=[change])).failed == []
        return change

    def store(self, *numbers, **more):
        return self.writer.commit(Batch(accepts=[(event(number, **more), None) for number in numbers]))

    def settle(self, seq, outcome, pause_s=0, **more):
        now_us = self.time.wall_us
        due_us = now_us + pause_s * 1_000_000 if pause_s else 0
        what = EventSettlement(seq=seq, outcome=outcome, begun_us=now_us, ended_us=now_us, due_us=due_us, **more)
        self.order(what)

    def open_events(self):
        work = OpenWork(folder=self.folder, age_us=self.ages)
        try:
            return work.events(SERVICE, after_seq=0, limit=9, priority=None, group=None, except_groups=())
        finally:
            work.close()

    def seqs(self):
        self.order(Retire())
        connection = layout.open_for_reading(self.folder / layout.FILE_NAME)
        try:
            return [seq for (seq,) in connection.execute("SELECT seq FROM event ORDER BY seq")]
        finally:
            connection.close()


@pytest.fixture
def home(folder):
    home = Home(folder)
    yield home
    home.writer.close()


@pytest.fixture(params=["running", "over a restart"])
def pass_by(request, home):
    """Time passes while the agent runs, or while it does not."""

    def go(seconds, jump_s):
        if request.param == "running":
            home.time.jump(jump_s)
            home.time.go(seconds)
        else:
            home.writer.close()
            home.time.jump(jump_s)
            home.time.go(seconds)
            home.open()

    return go


jumping = pytest.mark.parametrize("jump_s", [TEN_YEARS_S, -TEN_YEARS_S])


@jumping
def test_done_events_are_kept_for_their_time(home, pass_by, jump_s):
    """Seven days, and then they go: neither at once nor never. What was done after the jump, too."""
    home.store(1, 2)
    home.settle(1, Outcome.SUCCEED)
    pass_by(6 * DAY_S, jump_s)
    home.settle(2, Outcome.SUCCEED)
    assert home.seqs() == [1, 2]
    pass_by(2 * DAY_S, -jump_s)
    assert home.seqs() == [2]
    pass_by(6 * DAY_S, jump_s)

    assert home.seqs() == []


@jumping
def test_a_pause_lasts_as_long_as_it_was_meant(home, pass_by, jump_s):
    """What is left of it is what had not passed; of an event, and of a request."""
    home.store(1)
    home.settle(1, Outcome.POSTPONE, pause_s=300, requests=(OutboundRequest(destination="out"),))
    now_us = home.time.wall_us
    home.order(
        RequestSettlement(
            seq=1, outcome=Outcome.POSTPONE, begun_us=now_us, ended_us=now_us, due_us=now_us + 300_000_000
        )
    )
    pass_by(100, jump_s)
    [stored] = home.open_events()
    work = OpenWork(folder=home.folder, age_us=home.ages)
    [request] = work.requests("out", after_seq=0, limit=9, group=None, except_groups=())
    work.close()
    assert [(each.state, each.left_s, each.age_s) for each in (stored, request)] == [(State.WAITING, 200, 100)] * 2
    pass_by(201, jump_s)

    assert home.open_events()[0].left_s == 0


@jumping
def test_an_age_limit_counts_what_has_passed(home, pass_by, jump_s):
    """Nothing is too old all at once, and nothing stays young for ever."""
    home.store(1)
    pass_by(1000, jump_s)
    home.store(2)
    pass_by(500, jump_s)

    assert [each.age_s for each in home.open_events()] == [1500, 500]


@jumping
def test_a_key_is_remembered_for_its_window(home, pass_by, jump_s):
    """A sender that sends again gets the id of the first event, for a day and no longer."""
    first = event(1).id
    home.store(1, idempotency_key="k")
    pass_by(DAY_S - 10, jump_s)
    assert [earlier for _, _, earlier in home.store(2, idempotency_key="k").repeats] == [first]
    pass_by(20, jump_s)

    assert len(home.store(3, idempotency_key="k").accepts) == 1


@jumping
def test_after_a_power_cut_with_a_wrong_clock_nothing_is_over(home, jump_s):
    """The machine comes up years away, and the note was not the latest."""
    home.store(1, 2, idempotency_key="")
    home.settle(1, Outcome.SUCCEED)
    home.settle(2, Outcome.POSTPONE, pause_s=300)
    home.store(3, idempotency_key="k")
    home.time.go(NOTE_S / 2)
    home.writer.close()
    home.time.restart_machine()
    home.time.jump(jump_s)
    home.open()

    assert home.seqs() == [1, 2, 3]
    assert len(home.store(4, idempotency_key="k").repeats) == 1
    assert home.open_events()[0].left_s <= 300
    assert home.open_events()[0].age_s <= MAX_UNSEEN_S


def test_notes_are_seldom(home):
    """One for each run of the machine, and one each ten minutes with the retention; nobody is woken for it."""

    def noted_us():
        connection = apsw.Connection(str(home.folder / layout.FILE_NAME))
        return connection.execute("SELECT value FROM meta WHERE name = 'clock_age_us'").get

    assert noted_us() == START_US
    home.time.go(NOTE_S - 1)
    home.order(Retire())
    home.restart()
    assert noted_us() == START_US
    home.time.go(1)
    home.order(Retire())

    assert noted_us() == START_US + NOTE_S * 1_000_000


def test_a_spool_of_an_older_format_goes_on_with_its_stamps(folder):
    """Its wall-clock times become the first ages; where it is newer than the wall clock, that is what counts."""
    home = Home(folder)
    home.store(1, 2, 3)
    home.settle(1, Outcome.SUCCEED)
    home.settle(2, Outcome.POSTPONE, pause_s=60)
    home.writer.close()
    connection = apsw.Connection(str(folder / layout.FILE_NAME))
    undo_format_8(connection)
    for table, columns in (("event", ("born_us", "ripe_us", "ended_us")), ("request", ("born_us", "ripe_us"))):
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("DELETE FROM meta WHERE name LIKE 'clock_%'")
    connection.pragma("user_version", 6)
    connection.close()
    home.time.go(10)
    home.open()

    assert [(each.age_s, each.left_s) for each in home.open_events()] == [(10, 50), (10, 0)]
    home.time.go(7 * DAY_S)
    assert home.seqs() == [2, 3]
    home.writer.close()

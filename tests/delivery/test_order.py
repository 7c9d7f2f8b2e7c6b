"""The line-up: order, concurrency, and that nothing is lost between memory and disk."""

from __future__ import annotations

from collections import Counter

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.delivery.order import Lineup, Refill, Ticket

THREADS = {0: 2, 1: 1}


def ticket(seq, group="", priority=0, due_s=0.0, size_bytes=10):
    return Ticket(seq=seq, priority=priority, group=group, item=f"item {seq}", due_s=due_s, size_bytes=size_bytes)


def ready_lineup(**limits):
    """A line-up that has read an empty disk."""
    lineup = Lineup(threads=THREADS, **limits)
    while lineup.next_refill() is not None:
        lineup.refill([])
    return lineup


def begin_all(lineup, now_s=0.0):
    return [begun.seq for begun in iter(lambda: lineup.next(now_s), None)]


def test_events_of_one_group_run_one_at_a_time_in_order():
    """The second event of a group begins only when the first has settled."""
    lineup = ready_lineup()
    lineup.add(ticket(1, "pump"))
    lineup.add(ticket(2, "pump"))

    assert begin_all(lineup) == [1]
    lineup.settled(1)
    assert begin_all(lineup) == [2]


def test_groups_run_at_the_same_time_up_to_the_thread_count():
    """Two normal threads: two groups run, the third waits for a thread, the oldest first."""
    lineup = ready_lineup()
    for seq, group in enumerate("abcd", start=1):
        lineup.add(ticket(seq, group))

    assert begin_all(lineup) == [1, 2]
    lineup.settled(2)
    assert begin_all(lineup) == [3]


def test_priorities_do_not_wait_for_one_another():
    """High begins although all normal threads are busy, and the other way round."""
    lineup = ready_lineup()
    for seq in (1, 2, 3):
        lineup.add(ticket(seq, str(seq)))
    lineup.add(ticket(4, "1", priority=1))
    lineup.add(ticket(5, "2", priority=1))

    assert set(begin_all(lineup)) == {1, 2, 4}


def test_a_postponed_event_holds_back_its_own_group_only():
    """While an event waits, others of its group wait behind it and other groups go on; then it is first again."""
    lineup = ready_lineup()
    for seq, group in ((1, "pump"), (2, "pump"), (3, "valve")):
        lineup.add(ticket(seq, group))
    assert begin_all(lineup) == [1, 3]
    lineup.settled(3)
    lineup.postponed(1, due_s=5.0, item="second attempt")

    assert begin_all(lineup, now_s=4.9) == []
    assert lineup.next_due_s() == 5.0
    assert lineup.next(5.0).item == "second attempt"


def test_later_events_pass_a_postponed_one_where_the_service_says_so():
    """With later_pass the group goes on, still one at a time; the postponed one comes when it is due."""
    lineup = ready_lineup(later_pass=True)
    for seq in (1, 2, 3):
        lineup.add(ticket(seq, "pump"))
    assert begin_all(lineup) == [1]
    lineup.postponed(1, due_s=5.0)

    assert begin_all(lineup) == [2]
    lineup.settled(2)
    assert begin_all(lineup, now_s=5.0) == [1]


def test_a_new_lineup_begins_with_a_refill_for_each_priority():
    """Nothing that was open before the start is passed by a newcomer."""
    lineup = Lineup(threads=THREADS, max_tickets=8)
    lineup.add(ticket(7))

    assert begin_all(lineup) == []
    assert lineup.next_refill() == Refill(priority=1, after_seq=0, limit=8)
    lineup.refill([])
    assert lineup.next_refill() == Refill(priority=0, after_seq=0, limit=8)
    lineup.refill([ticket(3), ticket(7)])
    assert begin_all(lineup) == [3]


def test_a_waiting_event_that_is_read_back_keeps_its_time():
    """After a restart a postponed event is not begun early, and its group waits behind it."""
    lineup = Lineup(threads={0: 2})
    lineup.next_refill()
    lineup.refill([ticket(1, "pump", due_s=9.0), ticket(2, "pump"), ticket(3, "valve")])

    assert begin_all(lineup, now_s=8.9) == [3]
    assert begin_all(lineup, now_s=9.0) == [1]


def test_a_long_group_does_not_keep_other_groups_on_disk():
    """A group that is cut short is left out of the refills of its priority, and read by itself."""
    lineup = ready_lineup(max_tickets=8, max_per_group=2)
    for seq in range(1, 7):
        lineup.add(ticket(seq, "long"))
    lineup.add(ticket(7, "short"))

    assert len(lineup) == 3
    assert begin_all(lineup) == [1, 7]
    lineup.settled(1)
    assert begin_all(lineup) == [2]
    assert lineup.next_refill() == Refill(priority=0, after_seq=2, limit=2, group="long")


def test_a_newcomer_during_a_read_is_not_forgotten():
    """An empty answer that is older than a newcomer does not mean that the disk is empty."""
    lineup = Lineup(threads={0: 1})
    lineup.next_refill()
    lineup.add(ticket(1))
    lineup.refill([])

    assert lineup.next_refill() == Refill(priority=0, after_seq=0, limit=1000)


def test_a_newcomer_during_the_read_of_its_group_is_not_forgotten():
    """The same for the read of one group."""
    lineup = cut_short_lineup()
    lineup.next_refill()
    lineup.add(ticket(4, "long"))
    lineup.refill([])

    assert lineup.next_refill() == Refill(priority=0, after_seq=2, limit=2, group="long")


def test_an_event_that_was_read_before_it_is_announced_runs_once():
    """A read may overtake the announcement; the announcement is then ignored, even when the event has settled."""
    lineup = cut_short_lineup()
    lineup.next_refill()
    lineup.refill([ticket(3, "long"), ticket(4, "long")])
    for seq in (3, 4):
        assert begin_all(lineup) == [seq]
        lineup.settled(seq)
    lineup.next_refill()
    lineup.refill([])
    lineup.add(ticket(4, "long"))

    assert begin_all(lineup) == []


def cut_short_lineup():
    """Group "long" has run 1 and 2; 3 was announced and left on disk."""
    lineup = ready_lineup(max_tickets=8, max_per_group=2)
    for seq in (1, 2, 3):
        lineup.add(ticket(seq, "long"))
    for seq in (1, 2):
        assert begin_all(lineup) == [seq]
        lineup.settled(seq)
    return lineup


def test_a_group_on_disk_gets_its_turn_beside_a_full_line():
    """Others that fill the memory do not keep a cut group from running: it is read one by one."""
    lineup = cut_short_lineup()
    for seq, group in enumerate("abcdefgh", start=4):
        lineup.add(ticket(seq, group))
    assert len(lineup) == 8

    assert lineup.next_refill() == Refill(priority=0, after_seq=2, limit=1, group="long")


def test_a_failed_refill_is_asked_for_again():
    """A read that failed changes nothing."""
    lineup = Lineup(threads={0: 1})
    first = lineup.next_refill()
    assert lineup.next_refill() is None
    lineup.refill_failed()

    assert lineup.next_refill() == first


def test_bytes_are_bounded_as_well():
    """Large events leave the rest on disk before the count is reached."""
    lineup = ready_lineup(max_bytes=100)
    lineup.add(ticket(1, "a", size_bytes=100))
    lineup.add(ticket(2, "b"))

    assert len(lineup) == 1


def test_what_stays_on_disk_needs_no_ticket():
    """Once the line is full a newcomer is left by its name and place alone, and found by the next read."""
    lineup = ready_lineup(max_tickets=2)
    for seq in (1, 2, 3):
        assert not lineup.leaves(0, f"group {seq}", seq)
        lineup.add(ticket(seq, f"group {seq}"))

    assert lineup.leaves(0, "group 4", 4)
    assert not lineup.leaves(1, "group 5", 5)


def test_a_newcomer_of_a_group_that_is_cut_short_needs_no_ticket_either():
    """The usual case under load: all events name no group, and one group fills its share long before the line."""
    lineup = ready_lineup(max_per_group=2)
    for seq in (1, 2, 3):
        lineup.add(ticket(seq, "a"))

    assert lineup.leaves(0, "a", 4)
    assert not lineup.leaves(0, "b", 5)


def test_names_of_groups_are_forgotten():
    """Group names come from senders: an idle group leaves nothing behind."""
    lineup = ready_lineup()
    for seq in range(1, 100):
        lineup.add(ticket(seq, f"group {seq}"))
        lineup.settled(lineup.next(0.0).seq)

    assert [len(lane.groups) for lane in lineup._lanes.values()] == [0, 0]


@attrs.define
class Disk:
    """The model: every open event, in order. Reads are snapshots; what was stored is announced later."""

    open: dict[int, Ticket] = attrs.field(factory=dict)
    unannounced: list[Ticket] = attrs.field(factory=list)

    def store(self, stored):
        self.open[stored.seq] = stored
        self.unannounced.append(stored)

    def read(self, want, most):
        chosen = [
            each
            for seq, each in sorted(self.open.items())
            if seq > want.after_seq
            and each.priority == want.priority
            and want.group in (None, each.group)
            and each.group not in want.except_groups
        ]
        return chosen[: min(want.limit, most)]


class Play:
    """Drives one line-up at random against the model, and checks each step."""

    def __init__(self, data, later_pass):
        self.data = data
        self.later_pass = later_pass
        self.disk = Disk()
        self.now_s = 0.0
        self.done = []
        self.last_seq = 0
        self.restart()

    def restart(self):
        """A new process: memory is gone, what was in hand is open again, announcements are lost."""
        self.lineup = Lineup(
            threads=THREADS, later_pass=self.later_pass, max_tickets=6, max_per_group=3, max_bytes=1000
        )
        self.disk.unannounced.clear()
        self.in_hand = {}
        self.answer = None

    def draw(self, strategy):
        return self.data.draw(strategy)

    def store(self):
        self.last_seq += 1
        group, priority = self.draw(st.sampled_from("aaab")), self.draw(st.sampled_from([0, 0, 1]))
        self.disk.store(ticket(self.last_seq, group, priority))

    def announce(self):
        if self.disk.unannounced:
            newcomer = self.disk.unannounced.pop(0)
            if not self.lineup.leaves(newcomer.priority, newcomer.group, newcomer.seq):
                self.lineup.add(newcomer)

    def ask(self):
        want = None if self.answer is not None else self.lineup.next_refill()
        if want is not None:
            self.answer = self.disk.read(want, self.draw(st.integers(1, 5)))

    def answer_refill(self):
        if self.answer is not None:
            if self.draw(st.integers(0, 9)) == 0:
                self.lineup.refill_failed()
            else:
                self.lineup.refill(self.answer)
            self.answer = None

    def begin(self):
        begun = self.lineup.next(self.now_s)
        if begun is None:
            return
        assert begun.seq in self.disk.open, "settled events are not begun again"
        assert begun.seq not in self.in_hand
        assert begun.due_s <= self.now_s
        self.in_hand[begun.seq] = begun
        running = Counter(each.priority for each in self.in_hand.values())
        assert all(running[priority] <= THREADS[priority] for priority in running)
        alike = [
            each for each in self.disk.open.values() if (each.group, each.priority) == (begun.group, begun.priority)
        ]
        assert [each.seq for each in alike if each.seq in self.in_hand] == [begun.seq]
        if not self.later_pass:
            assert begun.seq == min(each.seq for each in alike), "within a group the oldest is first"

    def settle(self):
        if self.in_hand:
            seq = self.draw(st.sampled_from(sorted(self.in_hand)))
            del self.in_hand[seq], self.disk.open[seq]
            self.done.append(seq)
            self.lineup.settled(seq)

    def postpone(self):
        if self.in_hand:
            seq = self.draw(st.sampled_from(sorted(self.in_hand)))
            due_s = self.now_s + self.draw(st.integers(0, 3))
            self.disk.open[seq] = attrs.evolve(self.in_hand.pop(seq), due_s=due_s)
            self.lineup.postponed(seq, due_s=due_s)

    def pass_time(self):
        self.now_s += 1

    def work_off(self):
        """Everything stored comes to an end within a bounded number of steps."""
        for _ in range(20 * self.last_seq + 100):
            self.announce()
            want = self.lineup.next_refill() if self.answer is None else None
            if want is not None:
                self.answer = self.disk.read(want, 5)
            if self.answer is not None:
                self.lineup.refill(self.answer)
                self.answer = None
            self.begin()
            if self.in_hand:
                seq = min(self.in_hand)
                del self.in_hand[seq], self.disk.open[seq]
                self.done.append(seq)
                self.lineup.settled(seq)
            self.now_s += 1
        assert sorted(self.done) == list(range(1, self.last_seq + 1)), "each exactly once"
        assert len(self.lineup) == 0


@settings(max_examples=100, deadline=None)
@given(data=st.data(), later_pass=st.booleans())
def test_order_and_limits_hold_and_nothing_is_lost(data, later_pass):
    """Random arrivals, late announcements, partial reads, failures and restarts, against a list of what is open."""
    play = Play(data, later_pass)
    steps = [play.store] * 4 + [play.announce] * 3 + [play.begin] * 3 + [play.settle] * 2
    steps += [play.ask, play.ask, play.answer_refill, play.answer_refill, play.postpone, play.pass_time]
    for _ in range(data.draw(st.integers(0, 60))):
        data.draw(st.sampled_from(steps))()
        assert len(play.lineup) <= 2 * (6 + 2), "memory is bounded: six for each priority, one more for each cut group"
        if data.draw(st.integers(0, 60)) == 0:
            play.restart()
    play.work_off()

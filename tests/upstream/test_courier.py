"""The courier: what is stored leaves, in order, again where need be, and stops when told."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.config.model import HttpDestination, RetryPolicy
from agent.config.outbound import ClientTls
from agent.delivery import Answer, Outcome, State
from agent.errors import DestinationError, MachineError
from agent.observe.counters import CounterStore
from agent.upstream import Courier, Refusal
from agent.upstream.settling import MAX_AHEAD
from agent.upstream.trust import MACHINES_TRUST
from tests.support.fake_sender import FakeSender
from tests.support.fake_share import FakeShare
from tests.support.fake_spool import FakeSpool
from tests.support.twisted_results import is_waiting, result_of

START_US = 1_795_195_525_000_000
HALF = 0.5
POLICY = RetryPolicy(first_delay_s=2.0, factor=2.0, max_delay_s=60.0, max_age_s=3600.0)


class Desk:
    """A courier with one destination `out`, a clock, a spool and a sender that the test answers."""

    def __init__(
        self,
        *,
        policy=POLICY,
        tls=MACHINES_TRUST,
        circuit_failures=5,
        exchange_size=0,
        exchange_interval_s=5.0,
        paused=None,
        share=None,
        clock=None,
        **sender,
    ):
        self.clock = clock or Clock()
        self.jump_s = 0.0
        """How far the wall clock was set forward."""
        self.spool = FakeSpool()
        self.sender = FakeSender(**sender)
        self.counters = CounterStore()
        self.courier = Courier(
            destinations=[
                HttpDestination(
                    name="out",
                    url="http://receiver.example/",
                    retry=policy,
                    tls=tls,
                    circuit_failures=circuit_failures,
                    exchange_size=exchange_size,
                    exchange_interval_s=exchange_interval_s,
                )
            ],
            home=None,
            spool=self.spool,
            reactor=self.clock,
            now_us=self.now_us,
            jitter=lambda: HALF,
            counters=self.counters,
            senders=self.sender_for,
            paused=paused,
            share=share,
        )

    def sender_for(self, destination):
        return self.sender

    def now_us(self):
        return START_US + int((self.clock.seconds() + self.jump_s) * 1e6)

    def start(self):
        result_of(Deferred.fromCoroutine(self.courier.start()))
        return self

    def stop(self, patience_s=5.0):
        return Deferred.fromCoroutine(self.courier.stop(patience_s))


@pytest.fixture
def desk():
    return Desk().start()


def refused(error="refused", **more):
    return DestinationError(error, "nobody listens", **more)


def test_a_stored_request_is_sent_and_settled_with_its_answer(desk):
    """Once, with attempt 1; what the far end said is kept, with the times of the attempt."""
    request = desk.spool.store()
    desk.clock.advance(0.25)
    desk.sender.answer(request.seq, 202, b"thanks")
    assert [(1, 1)] == desk.sender.sent
    [settlement] = desk.spool.settlements
    assert Outcome.SUCCEED is settlement.outcome
    assert Answer(status=202, where=desk.sender.target, body=b"thanks") == settlement.answer
    assert (START_US, START_US + 250_000) == (settlement.begun_us, settlement.ended_us)
    assert {"upstream.sent": {"out": 1}} == desk.counters.snapshot()


def test_the_spool_is_told_what_was_begun(desk):
    """Each request when its sending begins, so that its attempts survive a kill of the agent."""
    desk.spool.store()

    assert [1] == desk.spool.began


class TickingClock(Clock):
    """Time goes on while it is looked at."""

    def seconds(self):
        self.rightNow += 1e-6
        return self.rightNow


def test_waiting_for_a_connection_takes_no_timer():
    """What may go at once is begun by the next one that ends: to be woken in a millionth of a second helps nobody."""
    desk = Desk(clock=TickingClock(), concurrency=1).start()
    for group in "abc":
        desk.spool.store(group=group)
    assert ([(1, 1)], []) == (desk.sender.sent, desk.clock.getDelayedCalls())


def test_what_an_earlier_run_left_is_sent_first():
    """At the start the spool is read, and nothing is sent twice when it is announced as well."""
    desk = Desk()
    old = desk.spool.put(group="a", attempt=3)
    desk.start()
    desk.spool.tell(old)
    desk.spool.store(group="a")
    assert [(1, 4)] == desk.sender.sent
    desk.sender.answer(1)
    assert [(1, 4), (2, 1)] == desk.sender.sent


def test_a_group_is_sent_one_after_the_other_and_groups_beside_one_another(desk):
    """Up to the concurrency of the destination."""
    for group in ("a", "a", "b", "c", "d", "e"):
        desk.spool.store(group=group)
    assert [1, 3, 4, 5] == desk.sender.in_hand
    desk.sender.answer(3)
    desk.sender.answer(1)
    assert [4, 5, 6, 2] == desk.sender.in_hand or {2, 4, 5, 6} == set(desk.sender.in_hand)


def test_the_next_of_a_group_does_not_wait_for_the_settlement_of_a_success(desk):
    """Nor does the spool get the settlements in another order than that of the answers."""
    desk.spool.held = []
    for _ in range(3):
        desk.spool.store()
    desk.sender.answer(1)
    desk.sender.answer(2)
    assert [(1, 1), (2, 1), (3, 1)] == desk.sender.sent
    assert [1, 2] == [settlement.seq for settlement in desk.spool.settlements]
    assert 1 == desk.courier.describe()[0]["in_hand"]


def test_the_next_of_a_group_waits_for_the_settlement_of_a_failure(desk):
    """Whether it is tried again or dead."""
    desk.spool.held = []
    for group in ("a", "a", "b", "b"):
        desk.spool.store(group=group)
    desk.sender.fail(1, refused())
    desk.sender.fail(3, refused(retryable=False))
    assert [] == desk.sender.in_hand
    for waiting in desk.spool.held:
        waiting.callback(None)
    assert [4] == desk.sender.in_hand


def test_no_more_than_a_bound_are_sent_ahead_of_their_settlements(desk):
    """The first one beyond it keeps its place until it is on disk: a kill repeats no more than these."""
    desk.spool.held = []
    for _ in range(MAX_AHEAD + 3):
        desk.spool.store()
    for seq in range(1, MAX_AHEAD + 2):
        desk.sender.answer(seq)
    assert [] == desk.sender.in_hand
    assert MAX_AHEAD + 1 == len(desk.sender.sent)
    for waiting in desk.spool.held[:]:
        waiting.callback(None)
    desk.sender.answer(MAX_AHEAD + 2)
    assert [MAX_AHEAD + 3] == desk.sender.in_hand


def test_while_a_settlement_is_repeated_nothing_is_sent_ahead_of_its_own(desk):
    """What was under way ends, and its group goes on when the store is back."""
    desk.spool.held = []
    for _ in range(3):
        desk.spool.store()
    desk.sender.answer(1)
    desk.spool.held[0].errback(MachineError("disk-full", "the disk is full"))
    desk.sender.answer(2)
    before = list(desk.sender.sent)
    desk.spool.held[1].callback(None)
    assert [(1, 1), (2, 1)] == before
    assert [(1, 1), (2, 1), (3, 1)] == desk.sender.sent


def test_after_a_kill_what_was_not_settled_is_sent_again_in_order():
    """Under the old ids, before what was not sent yet: the first deliveries keep their order."""
    killed = Desk().start()
    killed.spool.held = []
    stored = [killed.spool.store() for _ in range(4)]
    for seq in (1, 2, 3):
        killed.sender.answer(seq)
    again = Desk()
    for request in stored:
        # The commits of the spool are in order: the first settlement is on disk, the others are lost.
        again.spool.put(state=State.DONE if request.seq == 1 else State.RECEIVED)
    again.start()
    while again.sender.in_hand:
        again.sender.answer(again.sender.in_hand[0])
    assert [1, 2, 3, 4] == [seq for seq, _ in killed.sender.sent]
    assert [2, 3, 4] == [seq for seq, _ in again.sender.sent]
    assert [request.id for request in stored] == [request.id for request in again.spool.requests.values()]


def test_stop_waits_for_what_was_sent_ahead_of_its_settlement(desk):
    """What the far end took is on disk before the agent ends, so that an orderly stop doubles nothing."""
    desk.spool.held = []
    desk.spool.store()
    desk.sender.answer(1)
    stopping = desk.stop()
    was_waiting = is_waiting(stopping)
    desk.spool.held[0].callback(None)
    result_of(stopping)
    assert was_waiting


def test_a_stop_that_gives_up_on_a_settlement_says_nothing_else(desk, captured):
    """One warning with the number; the spool offers the request again."""
    desk.spool.held = []
    desk.spool.store()
    desk.sender.answer(1)
    stopping = desk.stop(2.0)
    desk.clock.advance(2)
    result_of(stopping)
    assert [] == [event for event in captured if "log_failure" in event]


def test_a_failure_is_tried_again_after_the_pause_of_the_policy(desk):
    """Full jitter: half of 2 s, then half of 4 s; the time is stored with the settlement."""
    desk.spool.store()
    desk.sender.fail(1, refused())
    assert State.WAITING is desk.spool.requests[1].state
    assert START_US + 1_000_000 == desk.spool.settlements[0].due_us
    assert "nobody listens" == desk.spool.settlements[0].reason
    desk.clock.advance(0.9)
    assert [(1, 1)] == desk.sender.sent
    desk.clock.advance(0.1)
    assert [(1, 1), (1, 2)] == desk.sender.sent
    desk.sender.fail(1, refused())
    assert START_US + 3_000_000 == desk.spool.settlements[1].due_us


def test_retry_after_is_honoured(desk):
    """It is the lower limit; the jitter comes on top."""
    desk.spool.store()
    desk.sender.fail(1, refused(after_s=30.0))
    desk.clock.advance(30.9)
    assert 1 == len(desk.sender.sent)
    desk.clock.advance(0.2)
    assert 2 == len(desk.sender.sent)


def test_a_retry_after_of_a_day_is_kept_for_an_hour(desk):
    """The far end's mistake must not keep an alarm back for longer than the operator would notice."""
    desk.spool.store()
    desk.sender.fail(1, refused(after_s=86_400.0))
    assert START_US + 3601 * 1_000_000 == desk.spool.settlements[0].due_us


def test_a_waiting_request_holds_back_its_own_group_only(desk):
    """The other group's request is sent at once, its own group's after it."""
    desk.spool.store(group="a")
    desk.sender.fail(1, refused())
    desk.spool.store(group="a")
    desk.spool.store(group="b")
    assert [(1, 1), (3, 1)] == desk.sender.sent
    desk.clock.advance(1)
    assert [(1, 1), (3, 1), (1, 2)] == desk.sender.sent
    desk.sender.answer(1)
    assert (2, 1) == desk.sender.sent[-1]


def test_a_final_refusal_is_dead_with_its_answer(desk):
    """The group goes on behind it."""
    answer = Answer(status=404, where="http://receiver.example/", body=b"no such thing")
    desk.spool.store()
    desk.spool.store()
    desk.sender.fail(1, Refusal("answered-final", "it answered 404", answer=answer, retryable=False))
    assert [State.DEAD, State.RECEIVED] == desk.spool.states()
    assert answer is desk.spool.settlements[0].answer
    assert [2] == desk.sender.in_hand


def test_a_retryable_refusal_keeps_its_answer_too(desk):
    """So that `event show` tells what the 503 said."""
    answer = Answer(status=503, where="http://receiver.example/")
    desk.spool.store()
    desk.sender.fail(1, Refusal("answered-retryable", "it answered 503", answer=answer))
    assert (Outcome.POSTPONE, answer) == (desk.spool.settlements[0].outcome, desk.spool.settlements[0].answer)


def test_age_ends_the_attempts():
    """Counted from storing, over restarts; the reason says both why it failed and why it ends."""
    desk = Desk()
    desk.spool.put(age_s=3600.0, attempt=9)
    desk.start()
    desk.sender.fail(1, refused())
    assert State.DEAD is desk.spool.requests[1].state
    assert desk.spool.settlements[0].reason.startswith("nobody listens; gave up after 3600 s")


@pytest.mark.parametrize("jump_s", [1e8, -1e8])
def test_a_wall_clock_that_jumps_ends_no_attempts_and_moves_no_pause(jump_s):
    """Three years forward or back: pauses last as long as before, and nothing is too old all at once."""
    desk = Desk(policy=attrs.evolve(POLICY, max_attempts=0, max_age_s=1000.0))
    desk.clock.advance(1)
    desk.start()
    desk.spool.store()
    desk.sender.fail(1, refused(after_s=60))
    desk.jump_s = jump_s
    desk.clock.advance(50)
    early = list(desk.sender.in_hand)
    desk.clock.advance(50)
    desk.sender.fail(1, refused(after_s=60))
    desk.clock.advance(899)
    desk.sender.fail(1, refused())
    assert [] == early
    assert [Outcome.POSTPONE, Outcome.POSTPONE, Outcome.POSTPONE] == [s.outcome for s in desk.spool.settlements]
    desk.clock.advance(200)
    desk.sender.fail(1, refused())
    assert desk.spool.settlements[-1].reason.startswith("nobody listens; gave up after 1")


def test_a_bug_in_a_sender_is_tried_again(desk):
    """Whatever is raised, the request is neither lost nor does it stop the lane."""
    desk.spool.store(group="a")
    desk.spool.store(group="b")
    desk.sender.fail(1, TypeError("oops"))
    desk.sender.answer(2)
    assert [State.WAITING, State.DONE] == desk.spool.states()


def test_a_settlement_that_cannot_be_stored_is_repeated_and_not_sent_again(desk):
    """A full disk must not make the far end hear it twice."""
    desk.spool.faults = [MachineError("disk-full", "the disk is full")] * 2
    desk.spool.store()
    desk.sender.answer(1)
    assert [] == desk.spool.settlements
    desk.clock.advance(1)
    desk.clock.advance(2)
    assert [(1, 1)] == desk.sender.sent
    assert [State.DONE] == desk.spool.states()


def test_a_settlement_that_breaks_does_not_stop_the_group(desk):
    """The request is offered again after a restart; the next of its group goes on now."""
    desk.spool.faults = [ValueError("a fault of the spool")]
    desk.spool.store()
    desk.spool.store()
    desk.sender.answer(1)
    assert [2] == desk.sender.in_hand


def test_a_pause_from_before_a_restart_is_kept():
    """Seconds that are left are waited for, not the whole pause again."""
    desk = Desk()
    desk.spool.put(state=State.WAITING, attempt=2, left_s=5.0)
    desk.start()
    desk.clock.advance(4.9)
    assert [] == desk.sender.sent
    desk.clock.advance(0.2)
    assert [(1, 3)] == desk.sender.sent


def test_more_than_memory_holds_is_read_back_in_order():
    """Three thousand requests of one group are sent in order, with some hundreds in memory at a time."""
    desk = Desk()
    for _ in range(3000):
        desk.spool.put()
    desk.start()
    largest = 0
    for seq in range(1, 3001):
        largest = max(largest, desk.courier.describe()[0]["backlog"])
        desk.sender.answer(seq)
    assert [(seq, 1) for seq in range(1, 3001)] == desk.sender.sent
    assert largest <= 1000


def test_a_stuck_group_does_not_hide_others_behind_it():
    """A thousand requests of a group that waits cost another group's nothing."""
    desk = Desk()
    for _ in range(1500):
        desk.spool.put(group="stuck")
    desk.spool.put(group="free")
    desk.start()
    desk.sender.fail(1, refused())
    assert [1501] == desk.sender.in_hand


def test_every_request_of_many_groups_is_sent_in_the_order_of_its_group():
    """Far more than memory holds, groups of all sizes, one of them stuck for a while: none is lost or sent twice."""
    desk = Desk(concurrency=3)
    for number in range(4000):
        desk.spool.put(group="stuck" if number % 3 else f"g{number % 7}")
    desk.start()
    desk.sender.fail(2, refused())
    while desk.sender.in_hand:
        desk.sender.answer(desk.sender.in_hand[0])
    desk.clock.advance(1)
    while desk.sender.in_hand:
        desk.sender.answer(desk.sender.in_hand[-1])
    assert {State.DONE} == set(desk.spool.states())
    assert 4001 == len(desk.sender.sent)
    by_group = {}
    for seq, _ in desk.sender.sent:
        by_group.setdefault(desk.spool.requests[seq].group, []).append(seq)
    assert all(seqs == sorted(seqs) for seqs in by_group.values())


def test_a_sender_that_keeps_order_gets_many_and_pauses_as_a_whole():
    """What failed together comes back together and in order, before what came later."""
    desk = Desk(keeps_order=True, concurrency=256).start()
    for _ in range(3):
        desk.spool.store()
    assert [1, 2, 3] == desk.sender.in_hand
    for seq in (1, 2, 3):
        desk.sender.fail(seq, refused())
    desk.spool.store()
    assert [] == desk.sender.in_hand
    desk.clock.advance(1)
    assert [(1, 2), (2, 2), (3, 2), (4, 1)] == desk.sender.sent[3:]


def test_nothing_passes_what_is_still_being_put_back():
    """While the settlement of a failed request is stuck, a sender that keeps order is given nothing new."""
    desk = Desk(keeps_order=True, concurrency=256).start()
    desk.spool.store()
    desk.spool.faults = [MachineError("disk-full", "the disk is full")] * 3
    desk.sender.fail(1, refused())
    desk.spool.store()
    desk.clock.pump([1, 1, 1])
    assert [(1, 1)] == desk.sender.sent
    desk.clock.advance(4)
    assert [(1, 1), (1, 2), (2, 1)] == desk.sender.sent


def test_stop_waits_for_what_is_in_hand_and_begins_nothing(desk):
    """The sender is closed at the end."""
    desk.spool.store()
    desk.spool.store()
    stopping = desk.stop()
    assert is_waiting(stopping)
    desk.sender.answer(1)
    result_of(stopping)
    assert [State.DONE, State.RECEIVED] == desk.spool.states()
    assert [(1, 1)] == desk.sender.sent
    assert desk.sender.is_closed
    assert [] == desk.clock.getDelayedCalls()


def test_stop_gives_up_when_patience_ends(desk):
    """What did not end is not settled: the spool offers it again at the next start."""
    desk.spool.store()
    stopping = desk.stop(5.0)
    desk.clock.advance(5.0)
    result_of(stopping)
    assert [] == desk.spool.settlements
    assert [State.RECEIVED] == desk.spool.states()


def test_a_settlement_that_is_being_repeated_does_not_keep_the_stop(desk):
    """With a disk that stays full the agent must still end."""
    desk.spool.faults = [MachineError("disk-full", "the disk is full")] * 100
    desk.spool.store()
    desk.sender.answer(1)
    stopping = desk.stop(2.0)
    desk.clock.pump([1, 1])
    result_of(stopping)
    assert [] == desk.clock.getDelayedCalls()


def test_what_is_stored_after_the_stop_is_left_alone(desk):
    """The spool still tells its listeners."""
    result_of(desk.stop())
    desk.spool.store()
    assert [] == desk.sender.sent


def test_an_unknown_destination_does_not_disturb_the_known_one(desk):
    """A batch may hold both."""
    desk.spool.tell(desk.spool.put("gone"), desk.spool.put("out"))
    assert [2] == desk.sender.in_hand


def test_describe_tells_how_it_goes(desk):
    """Backlog, in hand, last success and last error, ready for JSON."""
    for _ in range(3):
        desk.spool.store()
    desk.sender.answer(1)
    desk.sender.fail(2, refused())
    [told] = desk.courier.describe()
    assert told.pop("last_success").startswith("2026-11-2")
    assert {
        "destination": "out",
        "kind": "http",
        "target": "http://receiver.example/",
        "paused": False,
        "backlog": 2,
        "in_hand": 0,
        "last_error": "nobody listens",
        "circuit": "closed",
        "warnings": [],
        "last_minute": {"came_per_s": 3.0, "done_per_s": 1.0, "failed": 1, "mean_ms": 0.0, "slowest_ms": 0.0},
    } == told


def test_ignored_tls_errors_are_told_again_and_again(captured):
    """At the start, once a day, and in the status as long as the agent runs."""
    desk = Desk(tls=ClientTls(ignore_errors=True)).start()
    desk.clock.pump([86_400] * 2)
    told = [event["warning"] for event in captured if "warning" in event]
    assert 3 == len(told)
    assert [told[0]] == desk.courier.describe()[0]["warnings"]
    assert "pin the certificate with SSL/fingerprint" in told[0]
    result_of(desk.stop())
    assert [] == desk.clock.getDelayedCalls()


def test_requests_stand_back_until_they_may_begin():
    """In their order, as many as may be begun, and not after a stop."""
    share = FakeShare()
    desk = Desk(share=share).start()
    for group in ("a", "a", "b", "c"):
        desk.spool.store(group=group)
    assert [] == desk.sender.sent
    share.give(2)
    assert [1, 3] == desk.sender.in_hand
    share.give(1)
    desk.sender.answer(1)
    assert [3, 4] == desk.sender.in_hand
    desk.stop()
    share.give(9)
    assert [3, 4] == desk.sender.in_hand


def test_a_store_that_refuses_many_settlements_is_told_once(desk, captured):
    """One line for the destination when it begins and one when it is over, however many requests have been answered."""
    for group in ("a", "b", "c"):
        desk.spool.store(group=group)
    desk.spool.faults = [MachineError("store-full", "the disk is full")] * 5
    for seq in (1, 2, 3):
        desk.sender.answer(seq)
    desk.clock.pump([1.0] * 10)
    told = [event for event in captured if "cannot be stored" in event["log_format"]]
    assert [("out", "the disk is full")] == [(event["name"], event["reason"]) for event in told]
    assert 1 == len([event for event in captured if "is stored again" in event["log_format"]])
    assert [State.DONE] * 3 == desk.spool.states()

"""Another set of destinations: taken over while the agent runs, without losing, doubling or reordering anything."""

from __future__ import annotations

import pytest
from twisted.internet.defer import fail

from agent.config.model import HttpDestination
from agent.config.outbound import BasicCredentials, ClientTls
from agent.delivery import OutboundRequest, State
from agent.errors import DestinationError
from agent.secret import Secret
from agent.upstream import PausedBook
from tests.support.fake_sender import FakeSender
from tests.support.twisted_results import is_waiting, result_of
from tests.upstream.test_courier import POLICY, Desk


class ChangingDesk(Desk):
    """Each way gets a sender of its own; `senders` has them in the order of their making."""

    def __init__(self, **more):
        self.senders = []
        super().__init__(**more)

    def sender_for(self, destination):
        self.senders.append(FakeSender())
        return self.senders[-1]


def out(name="out", **more):
    return HttpDestination(name=name, **{"url": "http://receiver.example/", "retry": POLICY, **more})


NEW = out(url="http://other.example/")


@pytest.fixture
def desk():
    return ChangingDesk().start()


def test_what_is_the_same_is_left_alone():
    """Its sender, with its connections, stays; passwords are compared by what they hold."""

    def with_password(word):
        return out(credentials=BasicCredentials(user="u", password=Secret(word)))

    desk = ChangingDesk().start()
    assert ("destination out",) == desk.courier.change([with_password("p")])
    assert () == desk.courier.change([with_password("p")])
    assert 2 == len(desk.senders)
    assert ("destination out",) == desk.courier.change([with_password("q")])


def test_the_new_settings_begin_when_the_old_ones_have_ended(desk):
    """What is in hand ends at the old sender; only then its group goes on, in order, at the new one."""
    old = desk.senders[0]
    for _ in range(3):
        desk.spool.store(group="a")
    assert ("destination out",) == desk.courier.change([NEW])
    new = desk.senders[1]
    desk.spool.store(group="a")
    assert ([1], False, []) == (old.in_hand, old.is_closed, new.sent)
    old.answer(1)
    assert old.is_closed
    for seq in (2, 3, 4):
        assert [seq] == new.in_hand
        new.answer(seq)
    assert [State.DONE] * 4 == desk.spool.states()


def test_what_waits_is_due_at_once_and_sent_step_by_step(desk):
    """The settings may have been what was wrong; a far end that is still in trouble is met by one request only."""
    for group in "abc":
        desk.spool.store(group=group)
    for seq in (1, 2, 3):
        desk.senders[0].fail(seq, DestinationError("refused", "nobody listens", after_s=60.0))
    desk.courier.change([NEW])
    assert [(1, 2)] == desk.senders[1].sent
    desk.senders[1].answer(1)
    assert [(1, 2), (2, 2), (3, 2)] == desk.senders[1].sent


def test_what_is_postponed_afterwards_keeps_its_pause(desk):
    """Only what was put off by the old settings is hurried."""
    desk.courier.change([NEW])
    desk.spool.store()
    desk.senders[1].fail(1, DestinationError("refused", "nobody listens"))
    desk.clock.advance(0.9)
    assert [(1, 1)] == desk.senders[1].sent


def test_a_destination_that_is_gone_keeps_its_requests_for_its_return(desk):
    """What is in hand ends; the rest waits in the spool, and is sent when the name is there again."""
    for _ in range(3):
        desk.spool.store(group="a")
    assert ("destination out (gone)",) == desk.courier.change([])
    desk.spool.store(group="a")
    desk.senders[0].answer(1)
    assert (True, []) == (desk.senders[0].is_closed, desk.courier.describe())
    with pytest.raises(DestinationError, match="there is no destination 'out'"):
        result_of(desk.courier.ask(OutboundRequest(destination="out"), event_id="", timeout_s=1.0))
    assert ("destination out (new)",) == desk.courier.change([out()])
    assert [2] == desk.senders[1].in_hand


def test_gone_and_back_before_the_first_has_ended(desk):
    """Three changes in a row: the last one begins when the first has let go, and the one between never does."""
    desk.spool.store()
    desk.spool.store()
    desk.courier.change([NEW])
    desk.courier.change([])
    desk.courier.change([out()])
    assert [[1], [], []] == [sender.in_hand for sender in desk.senders]
    desk.senders[0].answer(1)
    assert [[], [], [2]] == [sender.in_hand for sender in desk.senders]


def test_what_hangs_is_broken_off_in_a_minute_and_sent_anew(desk):
    """The old settings may be what it hangs on."""
    desk.spool.store()
    desk.courier.change([NEW])
    desk.clock.advance(59)
    assert [] == desk.senders[1].sent
    desk.clock.advance(1)
    assert [(1, 1)] == desk.senders[1].sent


def test_a_pause_outlives_the_change(tmp_path):
    """With and without a book that keeps it."""
    for paused in (None, PausedBook(tmp_path / "paused.json")):
        desk = ChangingDesk(paused=paused).start()
        desk.courier.pause("out", is_paused=True)
        desk.courier.change([NEW])
        desk.spool.store()
        assert ([], True) == (desk.senders[1].sent, desk.courier.describe()[0]["paused"])
        desk.courier.pause("out", is_paused=False)
        assert [1] == desk.senders[-1].in_hand


def test_resume_does_not_wait_for_the_next_try(desk):
    """The operator has mended the far end: what waits is due at once, and the first answer closes the circuit."""
    for group in "abcdef":
        desk.spool.store(group=group)
    for sender in [desk.senders[0]] * 6:
        sender.fail(sender.in_hand[0], DestinationError("refused", "nobody listens", after_s=600.0))
    assert ("open", "nobody listens") == tuple(desk.courier.describe()[0][name] for name in ("circuit", "last_error"))
    desk.courier.pause("out", is_paused=False)
    assert [(1, 2)] == desk.senders[1].sent
    desk.senders[1].answer(1)
    assert [(1, 2), (2, 2), (3, 2)] == desk.senders[1].sent
    assert "" == desk.courier.describe()[0]["last_error"]


def test_the_stop_waits_for_retiring_ones_as_well(desk):
    """And begins nothing at the new ones."""
    desk.spool.store()
    desk.spool.store()
    desk.courier.change([NEW])
    stopping = desk.stop()
    assert is_waiting(stopping)
    desk.senders[0].answer(1)
    result_of(stopping)
    assert ([], True) == (desk.senders[1].sent, desk.senders[1].is_closed)
    assert [] == desk.clock.getDelayedCalls()


def test_the_last_success_is_still_known_and_new_warnings_are_given(desk):
    """The status goes on telling of the destination of that name."""
    desk.spool.store()
    desk.senders[0].answer(1)
    desk.courier.change([out(tls=ClientTls(ignore_errors=True))])
    [told] = desk.courier.describe()
    assert told["last_success"]
    assert "ignoreSSLErrors" in told["warnings"][0]
    desk.courier.change([NEW])
    assert [] == desk.courier.describe()[0]["warnings"]
    assert [] == desk.clock.getDelayedCalls()


def test_requests_for_nobody_are_told_at_the_start_and_after_a_change(captured):
    """Once each, with what to do; not for every single one."""
    desk = ChangingDesk()
    desk.spool.put("old")
    desk.spool.put("old")
    desk.start()
    desk.spool.store("old")
    desk.courier.change([out("another")])
    told = [event["sentence"] for event in captured if "sentence" in event]
    assert ["2 requests for the destination 'old'", "3 requests for the destination 'old'"] == [
        sentence.partition(",")[0] for sentence in told
    ]


def test_a_fault_in_telling_of_them_is_logged(desk, captured):
    """At once, and not when the garbage collector finds it; the change itself counts."""
    desk.spool.open_destinations = lambda: fail(ValueError("a fault of ours"))
    assert ("destination out",) == desk.courier.change([NEW])
    assert ["what waits for no destination could not be told"] == [
        event["log_format"] for event in captured if "log_failure" in event
    ]

"""What the turns of the reactor bring, and when it goes to the writer."""

import pytest

from agent.config.model import SpoolLimits
from agent.spool.intake import Intake
from agent.spool.room import Room
from tests.spool.support import Tally, event


class Turns:
    """A reactor whose turns the test takes one by one: what is called in one is not called in the same again."""

    def __init__(self):
        self.later = []

    def callLater(self, seconds, call):
        assert seconds == 0
        self.later.append(call)

    def turn(self):
        due, self.later = self.later, []
        for call in due:
            call()


@pytest.fixture
def turns():
    return Turns()


@pytest.fixture
def put():
    return []


@pytest.fixture
def intake(turns, put):
    made = Intake(
        reactor=turns,
        put=lambda batch: put.append([accept.id for accept, _ in batch.accepts]),
        counters=Tally(),
        room=Room(SpoolLimits()),
        refused=lambda why_not, service: None,
    )
    made.is_open = True
    return made


def offer(intake, *numbers):
    for number in numbers:
        intake.offer(event(number), None)
    return [event(number).id for number in numbers]


def test_one_event_is_handed_over_with_its_turn(intake, turns, put):
    """Who sends alone waits for nobody."""
    one = offer(intake, 1)
    turns.turn()
    assert [one] == put


def test_several_wait_one_turn_for_the_others(intake, turns, put):
    """Senders that were answered together send together, and one commit takes them all."""
    first = offer(intake, 1, 2)
    turns.turn()
    assert [] == put
    second = offer(intake, 3)
    turns.turn()
    assert [first + second] == put


def test_nobody_waits_longer_than_one_turn_however_many_come(intake, turns, put):
    """A stream of events that never ends is handed over with every second turn."""
    for turn in range(10):
        offer(intake, 2 * turn, 2 * turn + 1)
        turns.turn()
    assert [4] * 5 == [len(batch) for batch in put]

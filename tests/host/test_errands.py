"""Questions of a worker, on the agent's side: bounded, over with their call, never a fault of the reactor."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.host.errands import MAX_OPEN, Errands
from agent.host.messages import Ask, Told

REQUEST = OutboundRequest(destination="t")


class Far:
    """Implements `agent.boundaries.Asking`; the test answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []
        self.answers: list[Deferred[Answer]] = []

    def ask(self, request: OutboundRequest, *, event_id: str, timeout_s: float) -> Deferred[Answer]:
        self.asked.append((event_id, timeout_s))
        self.answers.append(Deferred())
        return self.answers[-1]


def bench() -> tuple[Far, Errands, list[Told]]:
    far = Far()
    return far, Errands(asking=far), []


def test_a_question_ends_before_its_hook() -> None:
    """What the hook has left, less a margin; or less, where it said so."""
    far, errands, told = bench()
    errands.ask(Ask(number=1, call=7, request=REQUEST), event_id="e", left_s=10.0, reply=told.append)
    errands.ask(Ask(number=2, call=7, request=REQUEST, timeout_s=2.0), event_id="e", left_s=10.0, reply=told.append)
    assert [("e", 9.5), ("e", 2.0)] == far.asked
    far.answers[1].callback(Answer(status=503, where="w", body=b"x", is_cut=True, after_s=9.0))
    far.answers[0].errback(DestinationError("refused", "nobody", retryable=False, after_s=7.0))
    assert [
        Told(number=2, status=503, where="w", body=b"x", is_cut=True, after_s=9.0),
        Told(number=1, trouble="nobody", may_pass=False, after_s=7.0),
    ] == told


def test_what_a_call_asked_ends_with_it() -> None:
    """The exchange is broken off, and nothing is told to a worker that does not wait; the others go on."""
    far, errands, told = bench()
    for call in (7, 8, 9):
        errands.ask(Ask(number=call, call=call, request=REQUEST), event_id="e", left_s=10.0, reply=told.append)
    errands.ended(7)
    assert [True, False, False] == [answer.called for answer in far.answers]
    far.answers[1].callback(Answer(status=204, where=""))
    errands.drop_all()
    assert [Told(number=8, status=204)] == told
    assert far.answers[2].called


def test_a_worker_has_so_many_questions_and_no_more() -> None:
    """The next one is refused at once; a fault of ours is told as one."""
    far, errands, told = bench()
    for number in range(MAX_OPEN + 1):
        errands.ask(Ask(number=number, call=1, request=REQUEST), event_id="e", left_s=9.0, reply=told.append)
    assert [MAX_OPEN] == [one.number for one in told]
    far.answers[0].errback(KeyError("x"))
    assert "a fault of the agent: KeyError, see its log" == told[1].trouble

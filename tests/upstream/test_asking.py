"""Questions: asked at once, answered whatever the status, never stored, over at their deadline."""

from __future__ import annotations

import attrs
import pytest
from twisted.logger import capturedLogs, formatEvent

from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.upstream import PausedBook, Refusal
from tests.support.twisted_results import is_waiting, result_of
from tests.upstream.test_courier import Desk

QUESTION = OutboundRequest(destination="out", body=b"<ask/>")


@pytest.fixture
def desk():
    return Desk(concurrency=1).start()


def ask(desk, request=QUESTION, *, timeout_s=5.0, **more):
    return desk.courier.ask(request, event_id="e-1", timeout_s=timeout_s, **more)


def test_a_question_does_not_wait_for_the_queue(desk):
    """A stored request is in hand, and the question is sent beside it; nothing of it reaches the spool."""
    desk.spool.store()
    answer = ask(desk)
    assert [(1, 1), (0, 2)] == desk.sender.sent
    desk.sender.answer(0, 200, b"yes")
    assert Answer(status=200, where=desk.sender.target, body=b"yes") == result_of(answer)
    assert [] == desk.spool.settlements


def test_no_question_is_tried_twice(desk):
    """A second attempt is what senders take it for: only first ones are followed by tries at once."""
    ask(desk)
    assert [(0, 2)] == desk.sender.sent


def test_an_open_circuit_refuses_questions_at_once_and_the_probe_may_be_one():
    """With the reason and the time that is left; then one question asks, others beside it are refused."""
    desk = Desk(concurrency=4, circuit_failures=2).start()
    for _ in range(2):
        asked = ask(desk)
        desk.sender.fail(0, DestinationError("refused", "nobody listens"))
        with pytest.raises(DestinationError, match="nobody listens"):
            result_of(asked)
    with pytest.raises(DestinationError, match="out does not work and is left alone for 1 s more: nobody listens"):
        result_of(ask(desk))
    assert is_waiting(ask(desk, even_paused=True))
    desk.sender.answer(0)
    desk.clock.advance(1)
    probe = ask(desk)
    with pytest.raises(DestinationError, match="until the request that just asks it is answered: nobody listens"):
        result_of(ask(desk))
    desk.sender.answer(0)
    assert 202 == result_of(probe).status
    assert "closed" == desk.courier.describe()[0]["circuit"]


def test_the_failures_of_questions_hold_back_the_queue():
    """One breaker for both: what a question found out need not be found out again by what is stored."""
    desk = Desk(circuit_failures=1).start()
    asked = ask(desk)
    desk.sender.fail(0, DestinationError("refused", "nobody listens"))
    with pytest.raises(DestinationError):
        result_of(asked)
    desk.spool.store()
    assert [(0, 2)] == desk.sender.sent
    desk.clock.advance(1)
    assert [(0, 2), (1, 1)] == desk.sender.sent


def test_the_rate_counts_questions_and_refuses_them():
    """At most two in five seconds, of queue and questions together; it is not waited for."""
    desk = Desk(exchange_size=2, exchange_interval_s=5.0).start()
    desk.spool.store()
    ask(desk)
    with pytest.raises(DestinationError, match=r"out takes no more for 5\.0 s: its apxml-exchange allows 2 in 5 s"):
        result_of(ask(desk))
    desk.clock.advance(5)
    assert is_waiting(ask(desk))


def test_an_answer_that_refuses_is_an_answer(desk):
    """A look-up may well ask for what is not there."""
    asked = ask(desk)
    found = Answer(status=404, where=desk.sender.target)
    desk.sender.fail(0, Refusal("answered-final", "not found", answer=found, retryable=False))
    assert found == result_of(asked)


@pytest.mark.parametrize(("code", "after_s"), [("answered-retryable", 90.0), ("access-refused", None)])
def test_an_answer_tells_what_patience_it_asks_for(desk, code, after_s):
    """As `Retry-After` says; our own pause after a refused login is no such wish."""
    asked = ask(desk)
    refusal = Answer(status=503, where=desk.sender.target)
    desk.sender.fail(0, Refusal(code, "not now", answer=refusal, after_s=90.0))
    assert attrs.evolve(refusal, after_s=after_s) == result_of(asked)


def test_the_deadline_ends_it_also_in_line(desk):
    """One is in hand and one in line: both end, and the line is free again."""
    first, second = ask(desk), ask(desk)
    assert 1 == len(desk.sender.sent)
    desk.clock.advance(5.0)
    for asked in (first, second):
        with pytest.raises(DestinationError, match=r"out has given no answer within 5\.0 s"):
            result_of(asked)
    third = ask(desk)
    desk.sender.answer(0)
    assert 202 == result_of(third).status


@pytest.mark.parametrize(("kind", "name", "code"), [("outbox", "out", "not-askable"), ("http", "x", "no-destination")])
def test_what_can_never_be_asked_says_so(kind, name, code):
    """A file has no answer, and another name nobody."""
    desk = Desk()
    desk.sender.kind = kind
    with pytest.raises(DestinationError) as caught:
        result_of(ask(desk, OutboundRequest(destination=name)))
    assert (code, False) == (caught.value.code, caught.value.retryable)


def test_a_paused_destination_holds_its_queue_and_refuses_questions(desk):
    """What is stored waits and goes when it is resumed; the operator's own question is let through."""
    assert desk.courier.pause("out", is_paused=True)
    assert not desk.courier.pause("x", is_paused=True)
    desk.spool.store()
    with pytest.raises(DestinationError, match="out is paused by the operator"):
        result_of(ask(desk))
    assert [] == desk.sender.sent
    assert is_waiting(ask(desk, even_paused=True))
    assert desk.courier.describe()[0]["paused"]
    desk.courier.pause("out", is_paused=False)
    assert [(0, 2), (1, 1)] == desk.sender.sent


def test_pauses_survive_a_restart(tmp_path):
    """They stand in a file of the home; one that is damaged pauses nothing."""
    path = tmp_path / "paused.json"
    PausedBook(path).write(frozenset({"b", "a"}))
    assert frozenset({"a", "b"}) == PausedBook(path).names
    assert 0o600 == path.stat().st_mode & 0o777
    for damaged in ("[", '"out"', '{"out": true}', '["out", 1]', "[" * 100_000, "null", "\xff"):
        path.write_text(damaged, encoding="latin-1")
        with capturedLogs() as logs:
            assert frozenset() == PausedBook(path).names
        [told] = [formatEvent(one) for one in logs]
        assert told.startswith(f"{path} is not ")
        assert "so no destination is paused; " in told
        assert told.endswith('"iadmin destination pause" writes it anew')

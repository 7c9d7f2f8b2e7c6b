"""Questions to a destination: sent at once, answered to the one who waits, never stored.

A question takes no place in the queue of its destination, so no backlog delays it, and nothing repeats it: whoever asks
has a deadline, and knows what to do without an answer. Every answer is an answer here, also 404 and 500.

Questions count for the circuit breaker and the rate of their destination. Where those let nothing through they fail at
once, with the reason: to wait would use up the deadline, and a far end that is down is not helped by being asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.boundaries import Counters, StoredRequest
from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.upstream.gate import Gate
from agent.upstream.sender import Refusal, Sender

log = Logger(namespace="upstream")

SHORTEST_S: Final = 0.001
"""A deadline that has passed already still gets its sentence."""

QUESTIONS_ATTEMPT: Final = 2
"""Only the first attempt of a request is followed by tries at once (`agent.upstream.tries`); a question has none."""


class Asker:
    """Asks through one destination's own sender; at most as many questions at a time as its concurrency.

    The queue's requests are not counted there: a destination may have twice its concurrency for as long as both last.
    `in_queue` says how many of them are in hand. `questions` numbers them over all askers of this agent's life.
    """

    def __init__(
        self,
        *,
        name: str,
        sender: Sender,
        gate: Gate,
        in_queue: Callable[[], int],
        questions: Callable[[], str],
        reactor: IReactorTime,
        now_us: Callable[[], int],
        counters: Counters,
    ) -> None:
        self._name: Final = name
        self._sender = sender
        self._gate = gate
        self._in_queue = in_queue
        self._questions = questions
        self._reactor = reactor
        self._now_us = now_us
        self._counters = counters
        self._line = DeferredSemaphore(sender.concurrency)
        self._in_hand = 0

    def ask(
        self, request: OutboundRequest, *, event_id: str, timeout_s: float, is_operators: bool = False
    ) -> Deferred[Answer]:
        """See `agent.boundaries.Asking`. Cancelling it breaks the exchange off. The operator's passes the gate."""
        name = self._name

        def late(outcome: Answer | Failure, _: float) -> Answer | Failure:
            sentence = f"{name} has given no answer within {timeout_s:.1f} s"
            if isinstance(outcome, Failure) and isinstance(outcome.value, CancelledError):
                return Failure(DestinationError("timed-out", sentence))  # type: ignore[no-untyped-call]
            return outcome

        asking = Deferred.fromCoroutine(self._ask(request, event_id, is_operators))
        return asking.addTimeout(max(timeout_s, SHORTEST_S), self._reactor, onTimeoutCancel=late)

    async def _ask(self, request: OutboundRequest, event_id: str, is_operators: bool) -> Answer:
        name = self._name
        if self._sender.kind == "outbox":
            raise DestinationError("not-askable", f"{name} is a file, and answers nothing", retryable=False)
        await self._line.acquire()
        began_us = self._now_us()
        try:
            refusal = None if is_operators else self._gate.refusal(self._in_queue() + self._in_hand)
            if refusal is not None:
                raise refusal
            answer = await self._answer(request, event_id)
        except DestinationError as error:
            self._counters.count("upstream.unanswered", name)
            log.warn("{name} was asked: {reason}", name=name, reason=error.sentence, event_id=event_id)
            raise
        finally:
            self._line.release()
        self._counters.count("upstream.asked", name)
        log.info(
            "{name} was asked: answered {status}, {took_ms} ms",
            name=name,
            status=answer.status,
            took_ms=(self._now_us() - began_us) // 1000,
            event_id=event_id,
        )
        return answer

    async def _answer(self, request: OutboundRequest, event_id: str) -> Answer:
        question = StoredRequest(
            seq=0,
            id=f"{event_id or 'operator'}/ask-{self._questions()}",
            event_seq=0,
            service="",
            group="",
            request=request,
        )
        self._gate.began()
        self._in_hand += 1
        try:
            answer = await self._sender.send(question, QUESTIONS_ATTEMPT)
        except DestinationError as error:
            self._gate.judge(error)
            if isinstance(error, Refusal):
                asked_s = error.after_s if error.code == "answered-retryable" else None
                return attrs.evolve(error.answer, after_s=asked_s)
            raise
        finally:
            self._in_hand -= 1
        self._gate.judge(None)
        return answer


def numbered(now_us: int) -> Callable[[], str]:
    """Ids for questions, each its own: a repeated event asks again, and must not be told an old answer."""
    numbers = itertools.count(1)
    return lambda: f"{now_us}-{next(numbers)}"

"""Questions to destinations: sent at once, answered to the one who waits, never stored.

A question takes no place in the queue of its destination, so no backlog delays it, and nothing repeats it: whoever asks
has a deadline, and knows what to do without an answer. Every answer is an answer here, also 404 and 500.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.boundaries import Counters, StoredRequest
from agent.delivery import Answer, OutboundRequest
from agent.errors import DestinationError
from agent.upstream.sender import Refusal, Sender

log = Logger(namespace="upstream")

SHORTEST_S: Final = 0.001
"""A deadline that has passed already still gets its sentence."""


class Asker:
    """Asks through the destinations' own senders; at most as many questions at a time as a destination's concurrency.

    The queue's requests are not counted there: a destination may have twice its concurrency for as long as both last.
    """

    def __init__(
        self,
        *,
        senders: Mapping[str, Sender],
        reactor: IReactorTime,
        now_us: Callable[[], int],
        counters: Counters,
    ) -> None:
        self._senders = senders
        self._reactor = reactor
        self._now_us = now_us
        self._counters = counters
        # An id of its own for each question: a repeated event asks again, and must not be told an old answer.
        self._born_us: Final = now_us()
        self._numbers = itertools.count(1)
        self._lines = {name: DeferredSemaphore(sender.concurrency) for name, sender in senders.items()}

    def ask(self, request: OutboundRequest, *, event_id: str, timeout_s: float) -> Deferred[Answer]:
        """See `agent.boundaries.Asking`. Cancelling it breaks the exchange off."""
        name = request.destination

        def late(outcome: Answer | Failure, _: float) -> Answer | Failure:
            sentence = f"{name} has given no answer within {timeout_s:.1f} s"
            if isinstance(outcome, Failure) and isinstance(outcome.value, CancelledError):
                return Failure(DestinationError("timed-out", sentence))  # type: ignore[no-untyped-call]
            return outcome

        asking = Deferred.fromCoroutine(self._ask(request, event_id))
        return asking.addTimeout(max(timeout_s, SHORTEST_S), self._reactor, onTimeoutCancel=late)

    async def _ask(self, request: OutboundRequest, event_id: str) -> Answer:
        name = request.destination
        sender = self._senders.get(name)
        if sender is None:
            raise DestinationError("no-destination", f"there is no destination {name!r}", retryable=False)
        if sender.kind == "outbox":
            raise DestinationError("not-askable", f"{name} is a file, and answers nothing", retryable=False)
        line = self._lines[name]
        await line.acquire()
        began_us = self._now_us()
        try:
            answer = await self._answer(sender, request, event_id)
        except DestinationError as error:
            self._counters.count("upstream.unanswered", name)
            log.warn("{name} was asked: {reason}", name=name, reason=error.sentence, event_id=event_id)
            raise
        finally:
            line.release()
        self._counters.count("upstream.asked", name)
        log.info(
            "{name} was asked: answered {status}, {took_ms} ms",
            name=name,
            status=answer.status,
            took_ms=(self._now_us() - began_us) // 1000,
            event_id=event_id,
        )
        return answer

    async def _answer(self, sender: Sender, request: OutboundRequest, event_id: str) -> Answer:
        question = StoredRequest(
            seq=0,
            id=f"{event_id or 'operator'}/ask-{self._born_us}-{next(self._numbers)}",
            event_seq=0,
            service="",
            group="",
            request=request,
        )
        try:
            return await sender.send(question, 1)
        except Refusal as refusal:
            return refusal.answer

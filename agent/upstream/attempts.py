"""One attempt at a request: what came of it, and whether and when there is another."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from agent.boundaries import StoredRequest
from agent.config.model import RetryPolicy
from agent.delivery import Outcome
from agent.delivery.retry import MAX_RETRY_AFTER_S, delay_s, why_give_up
from agent.errors import DestinationError
from agent.upstream.gate import Gate
from agent.upstream.health import Verdict, event_id_of
from agent.upstream.sender import Refusal, Sender

log = Logger(namespace="upstream")


class Attempts:
    """Of one destination. `gate` hears what came of each."""

    def __init__(
        self, *, sender: Sender, policy: RetryPolicy, gate: Gate, reactor: IReactorTime, jitter: Callable[[], float]
    ) -> None:
        self._sender = sender
        self._policy = policy
        self._gate = gate
        self._reactor = reactor
        self._jitter = jitter

    async def make(self, request: StoredRequest, number: int, *, born_s: float) -> Verdict:
        """Send once, and say what follows. Raises only `CancelledError`.

        `number` counts attempts from 1; `born_s` is when the request's age was nothing, on the reactor's clock.
        """
        try:
            answer = await self._sender.send(request, number)
            self._gate.judge(None)
            return Verdict(outcome=Outcome.SUCCEED, answer=answer)
        except DestinationError as error:
            self._gate.judge(error)
            return self._verdict_of(error, number, born_s=born_s)
        except CancelledError:
            raise  # Twisted's is an ordinary Exception
        except Exception as error:
            log.failure("a fault of the agent while sending {id}", id=request.id, event_id=event_id_of(request))
            fault = DestinationError("internal", f"a fault of the agent: {type(error).__name__}, see its log")
            return self._verdict_of(fault, number, born_s=born_s)

    def _verdict_of(self, error: DestinationError, number: int, *, born_s: float) -> Verdict:
        answer = error.answer if isinstance(error, Refusal) else None
        if not error.retryable:
            return Verdict(outcome=Outcome.GIVE_UP, answer=answer, reason=error.sentence)
        enough = why_give_up(self._policy, attempt=number, age_s=self._reactor.seconds() - born_s)
        if enough is not None:
            return Verdict(outcome=Outcome.GIVE_UP, answer=answer, reason=f"{error.sentence}; {enough}")
        pause_s = delay_s(
            self._policy,
            attempt=number,
            jitter=self._jitter(),
            asked_s=error.after_s,
            max_asked_s=max(self._policy.max_delay_s, MAX_RETRY_AFTER_S),
        )
        return Verdict(outcome=Outcome.POSTPONE, answer=answer, reason=error.sentence, pause_s=pause_s)

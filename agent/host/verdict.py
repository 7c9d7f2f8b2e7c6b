"""What becomes of an event after one attempt, and whom to blame for the end of a worker. The clock is passed in.

| the hook ...                              | then                                             |
|-------------------------------------------|--------------------------------------------------|
| returned                                  | done, and what it sent is stored with it         |
| was not called: the filter suppresses it  | suppressed, with the original's sentence         |
| raised `RetryableError`                   | again later, until the event is too old          |
| raised `RejectEvent`                      | dead at once                                     |
| raised anything else, or overran its time | again later, until attempts or age are used up   |
| took its worker down                      | the same                                         |
| was interrupted by another one's fault    | again at once; does not count (not decided here) |
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from agent.boundaries import EventSettlement, StoredEvent
from agent.config.model import RetryPolicy
from agent.delivery import Outcome
from agent.delivery.retry import delay_s, why_give_up
from agent.host.messages import Call, Result, Verdict
from agent.host.process import Gone


def settlement(
    stored: StoredEvent,
    result: Result,
    *,
    policy: RetryPolicy,
    begun_us: int,
    ended_us: int,
    age_s: float,
    jitter: Callable[[], float],
) -> EventSettlement:
    """Return what is to be stored about this attempt; `due_us` says when the next one may begin.

    `age_s` counts from the event's coming in, or from its last replay, on a clock that does not jump.
    """
    if result.verdict is Verdict.DONE or result.verdict is Verdict.SUPPRESS:
        return EventSettlement(
            seq=stored.seq,
            outcome=Outcome.SUCCEED if result.verdict is Verdict.DONE else Outcome.SUPPRESS,
            begun_us=begun_us,
            ended_us=ended_us,
            requests=result.requests,
            reason=result.reason,
        )
    failed = EventSettlement(
        seq=stored.seq,
        outcome=Outcome.GIVE_UP,
        begun_us=begun_us,
        ended_us=ended_us,
        reason=result.reason,
        detail=result.detail,
    )
    if result.verdict is Verdict.REJECT:
        return failed
    if result.verdict is Verdict.RETRY:
        # The service knows what it waits for; only the age of the event ends that.
        policy = attrs.evolve(policy, max_attempts=0)
    attempt = stored.attempt + 1
    why = why_give_up(policy, attempt=attempt, age_s=age_s)
    if why is not None:
        return attrs.evolve(failed, reason=f"{result.reason}; {why}")
    pause_s = delay_s(policy, attempt=attempt, jitter=jitter(), asked_s=result.after_s)
    return attrs.evolve(failed, outcome=Outcome.POSTPONE, due_us=ended_us + round(pause_s * 1e6))


def culprit_of(gone: Gone, *, is_stopping: bool) -> Call | None:
    """Whom to blame for the end of a worker: the call that overran its time, or the only one that was in hand.

    None where several were, which nobody can tell apart, and where the agent itself ended the worker.
    """
    if gone.overran is not None:
        return gone.overran
    return gone.in_hand[0] if len(gone.in_hand) == 1 and not is_stopping else None

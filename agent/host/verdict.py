"""What becomes of an event after one attempt. Pure: the clock and the jitter are passed in.

| the hook ...                              | then                                             |
|-------------------------------------------|--------------------------------------------------|
| returned                                  | done, and what it sent is stored with it         |
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
from agent.host.messages import Result, Verdict


def settlement(
    stored: StoredEvent,
    result: Result,
    *,
    policy: RetryPolicy,
    begun_us: int,
    ended_us: int,
    jitter: Callable[[], float],
) -> EventSettlement:
    """Return what is to be stored about this attempt; `due_us` says when the next one may begin."""
    if result.verdict is Verdict.DONE:
        return EventSettlement(
            seq=stored.seq,
            outcome=Outcome.SUCCEED,
            begun_us=begun_us,
            ended_us=ended_us,
            requests=result.requests,
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
    why = why_give_up(policy, attempt=attempt, age_s=(ended_us - max(stored.event.received_us, stored.replayed_us)) / 1e6)
    if why is not None:
        return attrs.evolve(failed, reason=f"{result.reason}; {why}")
    pause_s = delay_s(policy, attempt=attempt, jitter=jitter(), asked_s=result.after_s)
    return attrs.evolve(failed, outcome=Outcome.POSTPONE, due_us=ended_us + round(pause_s * 1e6))

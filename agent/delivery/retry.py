"""When to try again, and when to give up: exponential backoff with full jitter. Pure; time and jitter are passed in.

Full jitter takes a delay evenly between nothing and the bound of the attempt. It spreads the load of many senders that
failed together better than any narrower band (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
Only the lowest part is cut off: a pause of nothing is no pause, and a crashing worker or a peer that is just coming up
would be met again at once.
"""

from __future__ import annotations

from typing import Final, Protocol

LEAST_PART: Final = 0.2
"""Of the policy's first delay: no pause is shorter. A fifth of a second by default, which is what a refused connection
or the start of a worker takes at least."""

MAX_PAUSE_S: Final = 24 * 3600.0
"""Longest pause that a service may ask for: its author knows what it waits for, and a year is a mistake."""

MAX_RETRY_AFTER_S: Final = 3600.0
"""Longest pause that the far end of a destination may ask for, or the policy's `max_delay_s` where that is longer. Rate
limits say seconds to minutes, maintenance an hour; beyond it is another's mistake that would keep alarms back, and to
ask once an hour harms nobody."""


class Policy(Protocol):
    """What is needed of a retry policy; `agent.config.model.RetryPolicy` is one."""

    @property
    def first_delay_s(self) -> float: ...
    @property
    def factor(self) -> float: ...
    @property
    def max_delay_s(self) -> float: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def max_age_s(self) -> float: ...


def bound_s(policy: Policy, *, attempt: int) -> float:
    """The longest delay after attempt number `attempt` (1: the first one) failed, in seconds."""
    try:
        grown = policy.first_delay_s * policy.factor ** (max(attempt, 1) - 1)
    except OverflowError:
        return policy.max_delay_s
    return min(grown, policy.max_delay_s)


def delay_s(
    policy: Policy, *, attempt: int, jitter: float, asked_s: float | None = None, max_asked_s: float = MAX_PAUSE_S
) -> float:
    """The pause before the next attempt, in seconds. `jitter` is evenly spread over [0, 1).

    `asked_s` is what the other side asked for (Retry-After, `RetryableError(after=...)`): it is a lower limit, up to
    `max_asked_s`, and the jitter comes on top of it, because all its other clients were told the same.
    """
    bound = bound_s(policy, attempt=attempt)
    jittered = max(bound * jitter, min(LEAST_PART * policy.first_delay_s, bound))
    if asked_s is None:
        return jittered
    return min(max(asked_s, 0.0), max_asked_s) + jittered


def why_give_up(policy: Policy, *, attempt: int, age_s: float) -> str | None:
    """The sentence for the operator when there shall be no further attempt; None when there shall be one.

    `attempt` counts the attempts made, `age_s` the seconds since the event came in (a wall clock that went back gives
    a negative age, which is young). A limit of 0 is no limit.
    """
    if policy.max_attempts and attempt >= policy.max_attempts:
        return f"gave up after {attempt} attempts (the policy allows {policy.max_attempts})"
    if policy.max_age_s and age_s >= policy.max_age_s:
        return f"gave up after {age_s:.0f} s (the policy allows {policy.max_age_s:.0f} s) and {attempt} attempts"
    return None


def remaining_s(*, due_us: int, now_us: int, max_s: float = MAX_PAUSE_S) -> float:
    """What is left of a pause that was stored, in seconds; both times are of one clock.

    Never more than `max_s`: whatever is on disk, no pause is longer.
    """
    return min(max((due_us - now_us) / 1e6, 0.0), max_s)

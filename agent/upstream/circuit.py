"""When a destination is asked at all: the circuit breaker, and the rate. Pure; time and jitter are passed in.

| state | what is begun | what ends it |
|---|---|---|
| closed | as many as `width` | so many failures in a row: open |
| open | nothing | its pause is over: half-open |
| half-open | one request | it fails: open, for longer; it does not: closed |

After an outage the width begins at one and grows by one with each success, which doubles it in each round: a far end
that has just come up is not met by everything that has waited.

A failure is: no answer, a gateway that has none (502, 503, 504), "too many" (429), and a login that is refused (401,
407), because it will be for every request and wrong passwords lock accounts. Any other answer shows that it lives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from agent.config.model import RetryPolicy
from agent.delivery.retry import MAX_RETRY_AFTER_S, delay_s
from agent.errors import DestinationError
from agent.upstream.sender import Refusal

FAILURES: Final = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class CircuitState(StrEnum):
    """As the status shows it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Circuit:
    """Of one destination. `failures` in a row open it, 0: never; its pauses are those of `policy`.

    `is_careful`: begin with a width of one, as after an outage.
    """

    def __init__(
        self,
        *,
        failures: int,
        concurrency: int,
        policy: RetryPolicy,
        jitter: Callable[[], float],
        is_careful: bool = False,
    ) -> None:
        self._limit: Final = failures
        self._concurrency: Final = concurrency
        self._policy = policy
        self._jitter = jitter
        self._failed = 0
        self._openings = 0
        self._width = 1 if is_careful else concurrency
        self.state = CircuitState.CLOSED
        self.until_s = 0.0
        """When it was opened: the end of the pause."""

    def may_begin(self, now_s: float, in_hand: int) -> bool:
        """Whether one more request may be begun beside those in hand."""
        if self.state is CircuitState.OPEN and now_s >= self.until_s:
            self.state, self._width = CircuitState.HALF_OPEN, 1
        return self.state is not CircuitState.OPEN and in_hand < self._width

    def may_ask(self, now_s: float, in_hand: int) -> bool:
        """Whether a question may be asked beside what is in hand: while it is closed, however narrow, or to probe."""
        return self.state is CircuitState.CLOSED or self.may_begin(now_s, in_hand)

    def answered(self) -> None:
        """The far end lives."""
        self._failed = 0
        if self.state is CircuitState.OPEN:
            return  # a latecomer of before; the probe decides
        if self.state is CircuitState.HALF_OPEN:
            self.state, self._openings = CircuitState.CLOSED, 0
        self._width = min(self._width + 1, self._concurrency)

    def failed(self, error: DestinationError, now_s: float) -> None:
        """A request has failed; not every failure is one of the far end."""
        if isinstance(error, Refusal):
            if error.answer.status not in FAILURES:
                self.answered()
                return
        elif not error.retryable:
            return  # it was never sent
        self._failed += 1
        if self.state is CircuitState.OPEN or not self._limit:
            return
        if self.state is CircuitState.HALF_OPEN or self._failed >= self._limit:
            self._openings += 1
            # Retry-After is said of the server and not of one request; and probes lock an account like any others.
            pause_s = delay_s(
                self._policy,
                attempt=self._openings,
                jitter=self._jitter(),
                asked_s=error.after_s,
                max_asked_s=max(self._policy.max_delay_s, MAX_RETRY_AFTER_S),
            )
            self.state, self.until_s = CircuitState.OPEN, now_s + pause_s


class Rate:
    """At most `size` requests begun in any `interval_s`, 0: no limit. That is what `<apxml-exchange>` means."""

    def __init__(self, *, size: int, interval_s: float) -> None:
        self._interval_s = interval_s
        self._begun: deque[float] = deque(maxlen=size)
        self.shown: Final = f"{size} in {interval_s:g} s"

    def next_s(self, now_s: float) -> float:
        """When the next one may be begun; `now_s` or earlier: at once."""
        if not self._begun or len(self._begun) < (self._begun.maxlen or 0):
            return now_s
        return self._begun[0] + self._interval_s

    def began(self, now_s: float) -> None:
        """One was begun."""
        self._begun.append(now_s)

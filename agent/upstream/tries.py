"""The tries that follow a failed one at once: `RetryPolicy` of the Integration Runtime. Pure; one object per request.

| what came back | tried again at once |
|---|---|
| no connection, connection cut | `MaximumRetries` times |
| 408, 429, 502, 503, 504 | the same, unless a `Retry-After` asks for more than the delay: then the queue waits |
| 401 | `UnauthorizedRetries` times, each with the credentials read again |
| anything else | never: the time-out has taken its time, and other answers do not change in seconds |

Only the first attempt of a request has such tries. Once it waits in the durable queue each attempt is one try, so that
a far end that comes up again is not met by three requests for each one.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from agent.config.outbound import TriesPolicy
from agent.errors import DestinationError
from agent.upstream.sender import Refusal

PASSING: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)

UNREACHED: Final = frozenset(
    {"connection-lost", "name-not-found", "no-route", "not-connected", "proxy-unreached", "refused"}
)
"""Codes of `agent.upstream.faults` for a far end that could not be asked."""


class Tries:
    """Counts the tries of one attempt."""

    def __init__(self, policy: TriesPolicy, *, attempt: int) -> None:
        self._policy: Final = policy
        self._is_first = attempt <= 1
        self._failures = 0
        self._refusals = 0

    def pause_after(self, error: DestinationError) -> float | None:
        """The pause before the next try in seconds; None where this attempt has failed."""
        if not self._is_first or not error.retryable:
            return None
        if is_unauthorized(error):
            self._refusals += 1
            return self._policy.retry_delay_s if self._refusals <= self._policy.unauthorized_retries else None
        if not is_passing(error):
            return None
        self._failures += 1
        if self._failures > self._policy.maximum_retries:
            return None
        pause_s = self._policy.retry_delay_s * self._policy.backoff_multiplier ** (self._failures - 1)
        return pause_s if (error.after_s or 0.0) <= pause_s else None


def is_unauthorized(error: DestinationError) -> bool:
    """Whether the far end did not take the credentials."""
    return isinstance(error, Refusal) and error.answer.status == HTTPStatus.UNAUTHORIZED


def is_passing(error: DestinationError) -> bool:
    """Whether the far end is not there for the moment; the request itself may be right."""
    if isinstance(error, Refusal):
        return error.retryable and error.answer.status in PASSING
    return error.code in UNREACHED

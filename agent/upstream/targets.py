"""Which of a destination's URLs is used: fail-over to the next one, fail-back to the first. Pure; time is passed in.

The URL in use stays in use until it is not there; then the others are asked in their order, within the same attempt.
While it is not the first one, one request in every `failback_s` asks the first one again.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from agent.errors import DestinationError
from agent.upstream.sender import Refusal

GONE: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


class Targets:
    """Knows the URL in use."""

    def __init__(self, urls: Sequence[str], *, failback_s: float) -> None:
        self.urls: Final = tuple(urls)
        self._failback_s = failback_s
        self._current = 0
        self._since_s = 0.0

    @property
    def current(self) -> str:
        return self.urls[self._current]

    def order(self, now_s: float) -> list[int]:
        """The numbers of the URLs in the order in which this try asks them."""
        others = [number for number in range(len(self.urls)) if number != self._current]
        if self._current and now_s - self._since_s >= self._failback_s:
            self._since_s = now_s
            return [0, self._current, *(number for number in others if number)]
        return [self._current, *others]

    def answered(self, number: int, now_s: float) -> bool:
        """This URL is there; say whether that is a change."""
        if number == self._current:
            return False
        self._current, self._since_s = number, now_s
        return True


def is_gone(error: DestinationError) -> bool:
    """Whether another URL may do better: there was no answer, or a gateway's that it has none."""
    if isinstance(error, Refusal):
        return error.retryable and error.answer.status in GONE
    return error.retryable

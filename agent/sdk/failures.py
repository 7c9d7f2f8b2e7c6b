"""How a hook says what is to become of its event when it cannot finish it.

Raise one of these. Any other exception is taken for a bug in the service: the event is tried again with growing pauses
and, after the attempts its descriptor allows, becomes a dead letter with the traceback.
"""

from __future__ import annotations

from typing import Final

MAX_AFTER_S: Final = 24 * 3600.0
"""Longer pauses are cut to a day: a Retry-After of a year is a mistake, not a wish."""


class RetryableError(Exception):
    """Not now: something the service needs is away. The event is tried again, until it is too old.

    `after_s` is the least pause in seconds; without it the pauses grow from attempt to attempt. What the hook sent so
    far is dropped: the next attempt sends it again. Example:

        if answer.status == 503:
            raise RetryableError("the ticket system is down for maintenance", after_s=60)
    """

    def __init__(self, reason: str = "the service asked to try again", *, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason: Final = str(reason)
        self.after_s: Final = None if after_s is None else max(0.0, min(float(after_s), MAX_AFTER_S))


class RejectEvent(Exception):
    """Never: this event cannot be processed, now or later. It becomes a dead letter at once, with this reason.

    The reason is read by the operator, who has the event before them. Say what was found and what was expected:

        raise RejectEvent(f"<severity> is {severity!r}, expected one of low, medium, high")
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = str(reason)


class WrongReturn(TypeError):
    """A hook returned what it may not; the sentence names the hook, what it returned and what is expected.

    Raised by those who call hooks, not by services.
    """

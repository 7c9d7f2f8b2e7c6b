"""How far a connection has come on the way to its end.

    taking requests --stop--> stopping --last answer--> finishing --> closed
    taking requests --error--> deaf --its answer--> finishing --lingering--> closed

Deaf: an error is answered after which nothing can be understood any more; what still comes is read and dropped for a
moment, so that the sender sees the answer and not a reset. The sender may end its side at any time.
"""

from __future__ import annotations

from typing import Final

LINGER_S: Final = 5.0
LINGER_BYTES: Final = 16 * 1024 * 1024
"""How long and how much is still read after an early error answer (nginx: lingering_timeout 5 s, lingering_time
30 s)."""

STOP_PATIENCE_S: Final = 2.0
"""For requests that are in the middle of coming when the gateway stops: an event takes milliseconds; whoever is not
through by then is told to come back."""

STOP_LINGER_S: Final = 1.0
"""Instead of `LINGER_S` then."""


class Ending:
    """The steps of one connection; none is taken back. `has_begun`: one of those that end it without an error."""

    __slots__ = ("_dropped_bytes", "has_begun", "has_peer_ended", "is_deaf", "is_finishing", "is_gone", "is_stopping")

    def __init__(self) -> None:
        self.has_begun = False
        self.has_peer_ended = False
        """The sender has ended its side; what it asked before is still answered."""
        self.is_stopping = False
        """No new request is taken; those in hand are answered."""
        self.is_deaf = False
        self.is_finishing = False
        """All answers are known."""
        self.is_gone = False
        self._dropped_bytes = 0

    def peer_ended(self) -> None:
        self.has_begun = self.has_peer_ended = True

    def stop(self) -> None:
        self.has_begun = self.is_stopping = True

    def finish(self) -> None:
        self.has_begun = self.is_finishing = True

    def drop(self, size: int) -> bool:
        """Count what comes to deaf ears; return whether it is more than is borne with."""
        self._dropped_bytes += size
        return self._dropped_bytes > LINGER_BYTES

    @property
    def lingers(self) -> bool:
        """Whether the sender may still be sending, so that closing at once would reset it."""
        return self.is_deaf and not self.has_peer_ended

    @property
    def linger_s(self) -> float:
        return STOP_LINGER_S if self.is_stopping else LINGER_S

"""Until when a connection waits, and for what: a head, a body, the next request, a sender that reads its answers.

Each wait has its deadline, checked by the gateway's sweep and not by a timer of its own: `idle_timeout_s`,
`header_timeout_s` for the whole head, and for the body the longest silence or the minimum rate, whichever ends first.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.config.model import GatewayLimits
from agent.gateway.reading import IDLE, Stage
from agent.gateway.slot import NEVER


class Patience:
    """The deadlines of one connection, in seconds of the gateway's coarse `clock`.

    `since` is when the first request began, as far as it can be known.
    """

    __slots__ = ("_begun", "_clock", "_limits", "_stage", "begun_s", "read_until", "sent_until", "stopped_at")

    def __init__(self, limits: GatewayLimits, clock: Callable[[], float], since: float) -> None:
        self._limits = limits
        self._clock = clock
        self._begun = since
        """When the first request began; NEVER once its head is waited for."""
        self._stage: Stage | None = None
        """The stage that `read_until` was set for; None: it has to be set anew."""
        self.read_until = NEVER
        """What is being read must have come."""
        self.sent_until = NEVER
        """The sender must have read on in what waits for it."""
        self.stopped_at = NEVER
        """The gateway stops: until then what has begun to come may come to its end."""
        self.begun_s = 0.0
        """When the last head was whole; 0 before the first."""

    def for_first_head(self) -> None:
        """A whole head is what a new connection owes; silence and leading empty lines count against it."""
        self._stage = IDLE
        self.read_until = self._begun + self._limits.header_timeout_s

    def for_head(self) -> None:
        """The rest of a head that has begun to come."""
        if self._stage is not Stage.HEAD:
            self._stage = Stage.HEAD
            begun, self._begun = min(self._begun, self._clock()), NEVER
            self.read_until = min(begun + self._limits.header_timeout_s, self.stopped_at)

    def for_body(self, body_bytes: int) -> None:
        """The next piece of a body, of which so much is here."""
        limits = self._limits
        slowest = self.begun_s + limits.body_timeout_s + body_bytes / limits.min_body_rate_bytes_s
        self.read_until = min(self._clock() + limits.body_timeout_s, slowest, self.stopped_at)

    def for_next(self) -> None:
        """The next request, when all before are answered."""
        if self._stage is not IDLE:
            self._stage = IDLE
            self.read_until = self._clock() + self._limits.idle_timeout_s

    def for_us(self) -> None:
        """Nothing: it is our turn."""
        self._stage = None
        self.read_until = NEVER

    def for_sender(self) -> None:
        """The sender waits for us before it goes on with its body."""
        self.read_until = self.stopped_at

    def for_end(self, linger_s: float) -> None:
        """What is only read and dropped."""
        self.read_until = self._clock() + linger_s

    def for_reader(self) -> None:
        """The sender reads something of what waits for it."""
        self.sent_until = self._clock() + self._limits.answer_timeout_s

    def forget_stage(self) -> None:
        """Another request: the deadline is set anew with the next look."""
        self._stage = None

    def begin(self) -> None:
        """A head is whole; its body is counted from now."""
        self._stage = None
        self.begun_s = self._clock()

    def stop_within(self, patience_s: float) -> None:
        """The gateway stops; what is in the middle of coming has so long."""
        self.stopped_at = self._clock() + patience_s
        self.read_until = min(self.read_until, self.stopped_at)

    def hurry(self, linger_s: float) -> None:
        """The gateway stops, and nothing is waited for but the end."""
        self.read_until = min(self.read_until, self._clock() + linger_s)

    def end(self) -> None:
        """The connection is gone."""
        self.read_until = self.sent_until = NEVER

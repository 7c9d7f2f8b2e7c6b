"""The seam between the queue of a destination and the way its requests leave."""

from __future__ import annotations

from typing import Final, Protocol

from agent.boundaries import StoredRequest
from agent.delivery import Answer
from agent.errors import DestinationError


class Refusal(DestinationError):
    """The far end answered, and not with success. The answer is kept for the operator."""

    def __init__(
        self, code: str, sentence: str, *, answer: Answer, retryable: bool = True, after_s: float | None = None
    ) -> None:
        super().__init__(code, sentence, retryable=retryable, after_s=after_s)
        self.answer: Final = answer


class Sender(Protocol):
    """One way out. Everything is called in the reactor thread."""

    @property
    def kind(self) -> str:
        """`http`, `https` or `outbox`."""

    @property
    def target(self) -> str:
        """Where to, for a person; without credentials."""

    @property
    def concurrency(self) -> int:
        """How many requests may be in hand at a time."""

    @property
    def keeps_order(self) -> bool:
        """Whether requests arrive in the order of the calls to `send`, and a failure takes all later ones with it.

        Such a sender is given many requests of one process group at a time, others one after the other.
        """

    async def send(self, request: StoredRequest, attempt: int) -> Answer:
        """Deliver `request`; `attempt` counts from 1. Returning means success.

        Raises `Refusal` when the far end said no, another `DestinationError` when there was no answer. May be
        cancelled; the request may have arrived all the same.
        """

    async def close(self) -> None:
        """Let go of everything. Nothing is sent any more."""

"""A way out that the test answers by hand."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from agent.boundaries import StoredRequest
from agent.delivery import Answer


class FakeSender:
    """Implements `agent.upstream.Sender`. `sent` lists (seq, attempt); `answer` and `fail` end what is in hand."""

    kind = "http"
    target = "http://receiver.example/"

    def __init__(self, *, concurrency: int = 4, keeps_order: bool = False) -> None:
        self.concurrency = concurrency
        self.keeps_order = keeps_order
        self.sent: list[tuple[int, int]] = []
        self.is_closed = False
        self._in_hand: dict[int, Deferred[Answer]] = {}

    async def send(self, request: StoredRequest, attempt: int) -> Answer:
        self.sent.append((request.seq, attempt))
        answer: Deferred[Answer] = Deferred()
        self._in_hand[request.seq] = answer
        return await answer

    async def close(self) -> None:
        self.is_closed = True

    @property
    def in_hand(self) -> list[int]:
        """Seqs whose answer is still to come."""
        return [seq for seq, answer in self._in_hand.items() if not answer.called]

    def answer(self, seq: int, status: int = 202, body: bytes = b"") -> None:
        self._in_hand.pop(seq).callback(Answer(status=status, where=self.target, body=body))

    def fail(self, seq: int, error: Exception) -> None:
        self._in_hand.pop(seq).errback(error)

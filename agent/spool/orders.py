"""What the operator orders for dead letters while the agent runs; `offline` takes the same orders when it does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from twisted.internet.defer import Deferred

from agent.spool.mending import Edit, Mend, Mended, Purge, Replay


class Orders:
    """Replays, deletes and edits dead letters, an id being an event's or a request's (`<event id>/<number>`).

    `write` has the writer make a change, and gives what came of it; it fails with `MachineError` when the disk refuses.
    Long lists take several transactions: after a failure the first ones may have been changed.
    """

    def __init__(self, *, write: Callable[[Mend], Deferred[Mended | None]]) -> None:
        self._write = write

    def replay(self, ids: Iterable[str]) -> Awaitable[int]:
        """Offer dead letters again, at the end of their lines and from their first attempt on; return how many.

        One that is not dead is passed over.
        """
        return Deferred.fromCoroutine(self._all(ids, lambda some: Replay(ids=some)))

    def purge(self, ids: Iterable[str]) -> Awaitable[int]:
        """Delete dead letters, an event with its requests; return how many. An event with open requests stays."""
        return Deferred.fromCoroutine(self._all(ids, lambda some: Purge(ids=some)))

    def edit(self, letter_id: str, *, body: bytes) -> Awaitable[int]:
        """Give a dead letter another body; return 1, or 0 where it is not dead. It stays dead until it is replayed.

        Fails with `ValueError` when an event's new body cannot be read as what the event is (XML or JSON, in its
        charset).
        """
        return self._one(Edit(id=letter_id, body=body)).addCallback(lambda mended: mended.count)

    async def _all(self, ids: Iterable[str], order: Callable[[tuple[str, ...]], Mend]) -> int:
        count, left = 0, tuple(dict.fromkeys(ids))
        while left:
            mended = await self._one(order(left))
            count, left = count + mended.count, mended.left
        return count

    def _one(self, what: Mend) -> Deferred[Mended]:
        def result_of(mended: Mended | None) -> Mended:
            assert mended is not None
            return mended

        return self._write(what).addCallback(result_of)

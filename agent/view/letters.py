"""What the operator does to dead letters, told to those who watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from agent.delivery import State
from agent.errors import AgentError, SenderError
from agent.recent import PURGED, Happening
from agent.view.parts import EventJournal, InThread, NewestRead, Orders

REPLAYED: Final = "replayed by the operator"
DELETED: Final = "deleted by the operator"


class LetterOrders:
    """Replays, deletes and edits. Which letters there are is read before: afterwards nobody knows whose they were."""

    def __init__(
        self,
        *,
        orders: Orders,
        journal: EventJournal,
        feed: NewestRead,
        in_thread: InThread,
        now_us: Callable[[], int],
    ) -> None:
        self._orders = orders
        self._journal = journal
        self._feed = feed
        self._in_thread = in_thread
        self._now_us = now_us

    async def replay(self, ids: Sequence[str]) -> int:
        """Offer them again; return how many."""
        found = await self._dead(ids)
        count = await self._orders.replay(ids)
        # Of an event its host tells that it is received again.
        self._tell((one for one in found if one["destination"]), State.RECEIVED.label, REPLAYED)
        return count

    async def purge(self, ids: Sequence[str]) -> int:
        """Delete them; return how many."""
        found = await self._dead(ids)
        count = await self._orders.purge(ids)
        if found:
            kept = {one["id"] for one in await self._dead(ids)}
            self._tell((one for one in found if one["id"] not in kept), PURGED, DELETED)
        return count

    async def edit(self, letter_id: str, body: bytes) -> bool:
        """Give one another body; raises `SenderError` 422 for one that it cannot have."""
        try:
            return await self._orders.edit(letter_id, body=body) == 1
        except ValueError as error:
            raise SenderError("bad-letter", str(error), status=422, title="Bad body of an event") from error

    async def _dead(self, ids: Sequence[str]) -> Sequence[dict[str, Any]]:
        try:
            return await self._in_thread(lambda: self._journal.dead_named(ids))
        except AgentError:
            return ()  # the order may still be carried out; then nobody hears of it here

    def _tell(self, letters: Iterable[dict[str, Any]], state: str, text: str) -> None:
        now_us = self._now_us()
        self._feed.tell(
            [Happening(now_us, one["id"], one["service"], one["destination"], state, text) for one in letters]
        )

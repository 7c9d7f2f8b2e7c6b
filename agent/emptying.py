"""`iadmin purge`: what waits for a service is thrown away, by the operator's order.

The service must be suspended, so that nothing of it is in hand. Each of its open events is settled as given up, with
the operator as the reason, and then deleted like a dead letter; what arrives meanwhile is not touched. Its worker is
started anew at the end, because the old one's backlog is full of what is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from shlex import quote
from typing import Any, Final, Protocol

from twisted.internet.defer import gatherResults
from twisted.logger import Logger

from agent.awaited import as_deferred
from agent.boundaries import EventSettlement, Feed, StoredEvent
from agent.delivery import Outcome
from agent.errors import OperatorError
from agent.recent import PURGED, Happening

log = Logger(namespace="agent")

PAGE: Final = 500
"""Events of one step: a few group commits, some tens of milliseconds of the writer."""
REASON: Final = "purged by the operator"


class Spool(Protocol):
    """The spool, as far as it is emptied."""

    def open_events(self, service: str, *, after_seq: int, limit: int) -> Awaitable[Sequence[StoredEvent]]: ...

    def began_event(self, seq: int) -> None: ...

    def settle_event(self, settlement: EventSettlement) -> Awaitable[None]: ...


class Orders(Protocol):
    """What the spool does to dead letters."""

    def purge(self, ids: Sequence[str]) -> Awaitable[int]: ...


class Services(Protocol):
    """The host."""

    def describe(self) -> Sequence[Mapping[str, Any]]: ...

    def restart(self, service: str) -> Awaitable[str]: ...


class Emptying:
    """Call it with an agent client id; gives how many events were deleted. Raises `OperatorError`."""

    def __init__(
        self, *, spool: Spool, orders: Orders, services: Services, feed: Feed, now_us: Callable[[], int]
    ) -> None:
        self._spool = spool
        self._orders = orders
        self._services = services
        self._feed = feed
        self._now_us = now_us

    async def __call__(self, service: str) -> int:
        has_worker = self._require_rest(service) == "suspended"
        before_us = self._now_us()
        after_seq, count = -1, 0
        while page := await self._spool.open_events(service, after_seq=after_seq, limit=PAGE):
            after_seq = page[-1].seq
            old = [one for one in page if one.event.received_us <= before_us]
            for one in old:
                self._spool.began_event(one.seq)
            await gatherResults([as_deferred(self._spool.settle_event(self._given_up(one))) for one in old])
            count += await self._orders.purge([one.event.id for one in old]) if old else 0
            now_us = self._now_us()
            self._feed.tell([Happening(now_us, one.event.id, service, "", PURGED, REASON) for one in old])
        if has_worker:
            await self._services.restart(service)
        log.info("{count} events that waited for {service} were purged by the operator", count=count, service=service)
        return count

    def _require_rest(self, service: str) -> str:
        """Its state."""
        found = next((one for one in self._services.describe() if one.get("service") == service), None)
        if found is None:
            raise OperatorError("service-unknown", f"there is no service {service!r}")
        if found.get("state") not in ("suspended", "inactive"):
            raise OperatorError(
                "not-suspended",
                f"{service} is {found.get('state')}; suspend it first, so that nothing of it is in hand: "
                f'"iadmin suspend {quote(service)}"',
            )
        return str(found["state"])

    def _given_up(self, stored: StoredEvent) -> EventSettlement:
        now_us = self._now_us()
        return EventSettlement(seq=stored.seq, outcome=Outcome.GIVE_UP, begun_us=now_us, ended_us=now_us, reason=REASON)

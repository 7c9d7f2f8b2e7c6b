"""Stores what came of the requests of one destination, and says whether sending may run ahead of that.

A settlement that the spool cannot store is repeated until it can, because the request has left: the far end is not told
twice for the sake of a full disk. The rule and its reasons: `docs/decisions/0026-sending-ahead-of-the-settlement.rst`.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from agent.boundaries import RequestSettlement, Spool, StoredRequest
from agent.errors import AgentError
from agent.upstream.health import event_id_of

log = Logger(namespace="upstream")

MAX_AHEAD: Final = 64
"""Requests of a destination that were taken by the far end, while their settlements are still being written, and that
hold back nothing: what a kill can repeat, beside those that are being sent."""

MAX_SETTLE_PAUSE_S: Final = 30.0
"""Longest pause before a settlement is tried again: a disk that has room again is noticed in half a minute."""


class Settling:
    """The settlements of one destination that are on their way to disk. `ahead` is what sending has left behind."""

    def __init__(self, *, spool: Spool, reactor: IReactorTime) -> None:
        self._spool = spool
        self._reactor = reactor
        self._repeated = 0
        self.ahead = 0

    @property
    def may_be_left_behind(self) -> bool:
        """Whether the next of a group may be sent before the settlement of this one is on disk."""
        return not self._repeated and self.ahead < MAX_AHEAD

    async def settle(self, request: StoredRequest, settlement: RequestSettlement) -> None:
        """Returns when it is on disk. It is given to the spool before this call returns, so that the order is kept."""
        try:
            await self._spool.settle_request(settlement)
        except AgentError as error:
            self._repeated += 1
            try:
                await self._repeat(request, settlement, error)
            finally:
                self._repeated -= 1

    async def _repeat(self, request: StoredRequest, settlement: RequestSettlement, error: AgentError) -> None:
        pause_s = 1.0
        while True:
            log.error(
                "what came of {id} cannot be stored, trying again in {pause_s:.0f} s: {reason}",
                id=request.id,
                pause_s=pause_s,
                reason=error.sentence,
                event_id=event_id_of(request),
            )
            await deferLater(self._reactor, pause_s)
            try:
                await self._spool.settle_request(settlement)
                return
            except AgentError as again:
                error = again
            pause_s = min(2 * pause_s, MAX_SETTLE_PAUSE_S)

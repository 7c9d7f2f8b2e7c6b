"""Stores what came of the requests of one destination, and says whether sending may run ahead of that.

A settlement that the spool cannot store is repeated until it can, because the request has left: the far end is not told
twice for the sake of a full disk. The rule and its reasons: `docs/decisions/0026-sending-ahead-of-the-settlement.rst`.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from agent.boundaries import RequestSettlement, Spool
from agent.errors import AgentError

log = Logger(namespace="upstream")

MAX_AHEAD: Final = 64
"""Requests of a destination that were taken by the far end, while their settlements are still being written, and that
hold back nothing: what a kill can repeat, beside those that are being sent."""

MAX_SETTLE_PAUSE_S: Final = 30.0
"""Longest pause before a settlement is tried again: a disk that has room again is noticed in half a minute."""


class Settling:
    """The settlements of one destination that are on their way to disk. `ahead` is what sending has left behind."""

    def __init__(self, *, name: str, spool: Spool, reactor: IReactorTime) -> None:
        self._name = name
        self._spool = spool
        self._reactor = reactor
        self._repeated = 0
        self.ahead = 0

    @property
    def may_be_left_behind(self) -> bool:
        """Whether the next of a group may be sent before the settlement of this one is on disk."""
        return not self._repeated and self.ahead < MAX_AHEAD

    def settle(self, settlement: RequestSettlement) -> Deferred[None]:
        """Fires when it is on disk. It is given to the spool before this call returns, so that the order is kept."""
        stored = self._spool.settle_request(settlement)
        assert isinstance(stored, Deferred)
        return stored.addErrback(self._refused, settlement)

    def _refused(self, failure: Failure, settlement: RequestSettlement) -> Deferred[None]:
        failure.trap(AgentError)  # type: ignore[no-untyped-call]
        assert isinstance(failure.value, AgentError)
        if not self._repeated:
            log.error(
                "{name}: what came of its requests cannot be stored, each is tried again until it can: {reason}",
                name=self._name,
                reason=failure.value.sentence,
            )
        return Deferred.fromCoroutine(self._repeat(settlement))

    async def _repeat(self, settlement: RequestSettlement) -> None:
        self._repeated += 1
        try:
            await self._until_stored(settlement)
        finally:
            self._repeated -= 1
        if not self._repeated:
            log.info("{name}: what came of its requests is stored again", name=self._name)

    async def _until_stored(self, settlement: RequestSettlement) -> None:
        pause_s = 1.0
        while True:
            await deferLater(self._reactor, pause_s)
            try:
                await self._spool.settle_request(settlement)
            except AgentError:
                pause_s = min(2 * pause_s, MAX_SETTLE_PAUSE_S)
            else:
                return

"""The connections of a destination that are not in use, for whoever asks next."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from agent.upstream.connection import Connection
from agent.upstream.expiry import Expiry

IDLE_S: Final = 4.0
"""How long an unused connection is kept. Shorter than the shortest common keep-alive (Apache and Node close after
5 s): who closes first meets no request that is already on its way."""

FAREWELL_S: Final = 2.0
"""How long a far end may take to answer a goodbye, which in TLS it has to; then the connection is cut."""


class Pool:
    """Keeps at most `max_idle` connections of each key."""

    def __init__(self, *, reactor: IReactorTime, max_idle: int) -> None:
        self._max_idle: Final = max_idle
        self._idle: dict[Hashable, list[Connection]] = {}
        self._resting: Expiry[Connection] = Expiry(reactor=reactor, after_s=IDLE_S, expired=self._rested)
        self._parting: Expiry[Connection] = Expiry(reactor=reactor, after_s=FAREWELL_S, expired=Connection.abort)
        self._is_closed = False
        self._waiting: list[Deferred[None]] = []

    def take(self, key: Hashable) -> Connection | None:
        """The connection that was used last, which is the one that most likely still lives; None where there is none.

        It is not the pool's any more.
        """
        idle = self._idle.get(key)
        if idle is None:
            return None
        connection = idle.pop()
        if not idle:
            del self._idle[key]
        self._resting.drop(connection)
        return connection

    def keep(self, connection: Connection) -> None:
        """See `Keeper`."""
        if self._is_closed or len(self._idle.get(connection.key, ())) >= self._max_idle:
            self.part(connection)
            return
        self._idle.setdefault(connection.key, []).append(connection)
        self._resting.add(connection)

    def part(self, connection: Connection) -> None:
        """See `Keeper`."""
        self._parting.add(connection)
        connection.close()

    def lost(self, connection: Connection) -> None:
        """See `Keeper`."""
        self._forget(connection)
        self._parting.drop(connection)
        if not len(self._parting):
            self._parting.close()
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.callback(None)

    async def close(self) -> None:
        """Close what is not in use, and what is put back from now on. Returns when they are closed."""
        self._is_closed = True
        for connection in [connection for idle in self._idle.values() for connection in idle]:
            self._forget(connection)
            self.part(connection)
        self._resting.close()
        if len(self._parting):
            closed: Deferred[None] = Deferred()
            self._waiting.append(closed)
            await closed

    def _rested(self, connection: Connection) -> None:
        self._forget(connection)
        self.part(connection)

    def _forget(self, connection: Connection) -> None:
        self._resting.drop(connection)
        idle = self._idle.get(connection.key, [])
        if connection in idle:
            idle.remove(connection)
            if not idle:
                del self._idle[connection.key]

"""The first start of each service: until then the agent is not up, though it takes events already.

An event need not wait for its worker, so the gateways listen meanwhile. What waits are the senders whom a service
answers itself, and the word that the agent is up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger(namespace="host")

START_PATIENCE_S: Final = 2.0
"""How long the start of the agent waits for its services. Nearly all are ready by then; a service that hangs must not
keep the agent from being up: its events are stored meanwhile."""


class Tried(Protocol):
    """A service, as it is waited for here."""

    @property
    def name(self) -> str: ...

    @property
    def first_verdict(self) -> Deferred[None]: ...


class FirstTries:
    """A part of the agent, behind its gateways: it has started when each service is ready or has failed once."""

    name: Final = "services"

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._missing: set[str] = set()
        self._timer: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []

    def begin(self, services: Iterable[Tried]) -> None:
        """They have been launched. Called once."""
        services = list(services)
        self._missing = {service.name for service in services}
        if self._missing:
            self._timer = self._reactor.callLater(START_PATIENCE_S, self._late)
        for service in services:
            service.first_verdict.addCallback(self._has_verdict, service.name)

    async def start(self) -> None:
        """Return when each is ready or has failed once, or after `START_PATIENCE_S`. Never raises for a service."""
        if self._missing:
            over: Deferred[None] = Deferred(lambda cancelled: self._waiting.remove(cancelled))
            self._waiting.append(over)
            await over

    async def stop(self, patience_s: float) -> None:
        """Nothing is left to stop."""

    def end(self) -> None:
        """Nobody waits any longer."""
        self._missing = set()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        waiting, self._waiting = self._waiting, []
        for over in waiting:
            over.callback(None)

    def _has_verdict(self, _: None, name: str) -> None:
        self._missing.discard(name)
        if not self._missing:
            self.end()

    def _late(self) -> None:
        log.warn(
            "still starting after {patience_s:g} s: {services}; their events are stored meanwhile",
            patience_s=START_PATIENCE_S,
            services=", ".join(sorted(self._missing)),
        )
        self.end()

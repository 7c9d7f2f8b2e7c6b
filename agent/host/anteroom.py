"""Stands in for the host until the host is there: the gateways listen before what is behind them has been loaded.

An event needs no host, it is on disk and waits. Who asks a service that answers by itself waits here, as long as the
gateway lets him; which services those are, their scripts say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred

from agent.boundaries import AnsweringServices, HttpRequest, HttpResponse
from agent.config.model import ServiceConfig
from agent.event import Event
from agent.host.script import PLATFORM_HOOKS, hooks_named


class Anteroom:
    """Between gateways and host. `services` are those of the configuration that the agent was started with."""

    def __init__(self, services: Sequence[ServiceConfig]) -> None:
        self._scripts = {one.name.client_id: Path(one.script) for one in services if one.is_active}
        self._hooks: dict[str, frozenset[str]] = {}
        self._host: AnsweringServices | None = None
        self._waiting: list[Deferred[None]] = []

    def open(self, host: AnsweringServices) -> None:
        """The host has been started: from now on it answers, also those who wait."""
        self._host = host
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def answers_http(self, service: str) -> bool:
        """See `AnsweringServices.answers_http`."""
        if self._host is not None:
            return self._host.answers_http(service)
        return "on_http" in self._seen(service)

    def hears_platform(self, service: str) -> bool:
        """See `AnsweringServices.hears_platform`."""
        if self._host is not None:
            return self._host.hears_platform(service)
        return not PLATFORM_HOOKS.isdisjoint(self._seen(service))

    def ask(self, event: Event, request: HttpRequest) -> Awaitable[HttpResponse | None]:
        """See `AnsweringServices.ask`."""
        if self._host is not None:
            return self._host.ask(event, request)
        return Deferred.fromCoroutine(self._ask(event, request))

    async def _ask(self, event: Event, request: HttpRequest) -> HttpResponse | None:
        opened: Deferred[None] = Deferred(lambda cancelled: self._waiting.remove(cancelled))
        self._waiting.append(opened)
        await opened
        assert self._host is not None
        return await self._host.ask(event, request)

    def _seen(self, service: str) -> frozenset[str]:
        """The hooks that a script seems to define; read once, for this is asked with each request."""
        if service not in self._hooks:
            script = self._scripts.get(service)
            self._hooks[service] = frozenset() if script is None else hooks_named(script)
        return self._hooks[service]

"""The running agent, as `iadmin` sees it: collects what the parts say of themselves. Shapes: docs/control-api.rst."""

from __future__ import annotations

import datetime
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol, TypeVar

from agent.config import AgentConfig

Result = TypeVar("Result")


class Described(Protocol):
    """A part that can say how its members are."""

    def describe(self) -> Sequence[Mapping[str, object]]: ...


class Listening(Protocol):
    """A gateway: `address` is where it really listens, once it does."""

    @property
    def address(self) -> tuple[str, int]: ...


class Counted(Protocol):
    def snapshot(self) -> Mapping[str, Mapping[str, int]]: ...


class EventJournal(Protocol):
    """What has been stored, read with a connection of its own; blocking."""

    def events(
        self, *, service: str = "", state: str = "", limit: int = 50, after: str = "", before: str = ""
    ) -> list[dict[str, Any]]: ...

    def counts(self) -> dict[str, Any]: ...

    def event(self, event_id: str) -> dict[str, Any] | None: ...


class InThread(Protocol):
    """Runs a blocking function outside the reactor thread."""

    def __call__(self, function: Callable[[], Result]) -> Awaitable[Result]: ...


def iso_time(at_us: int) -> str:
    """Microseconds since 1970 as ISO 8601 in the local zone, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(at_us / 1_000_000, datetime.UTC).astimezone()
    return moment.isoformat(timespec="milliseconds")


class LiveView:
    """Implements `agent.boundaries.AgentView`."""

    def __init__(
        self,
        *,
        config: AgentConfig,
        host: Described,
        courier: Described,
        gateways: Sequence[Listening],
        journal: EventJournal,
        counters: Counted,
        now_us: Callable[[], int],
        in_thread: InThread,
        ask_to_stop: Callable[[bool], None],
    ) -> None:
        self._config = config
        self._host = host
        self._courier = courier
        self._gateways = gateways
        self._journal = journal
        self._counters = counters
        self._now_us = now_us
        self._in_thread = in_thread
        self._ask_to_stop = ask_to_stop
        self._state = "starting"
        self._started_us = now_us()

    def began(self) -> None:
        """Everything is up."""
        self._state = "running"

    def stopping(self) -> None:
        """The end has begun."""
        self._state = "stopping"

    def status(self) -> Mapping[str, object]:
        return {
            "state": self._state,
            "version": version("integration-agent"),
            "pid": os.getpid(),
            "home": str(self._config.home),
            "agent_id": self._config.agent_id,
            "started": iso_time(self._started_us),
            "uptime_s": max(0, self._now_us() - self._started_us) // 1_000_000,
            "gateways": [
                {"host": gateway.address[0], "port": gateway.address[1], "ssl": config.ssl}
                for gateway, config in zip(self._gateways, self._config.gateways, strict=True)
            ],
            "services": self._host.describe(),
            "destinations": self._courier.describe(),
            "counters": self._counters.snapshot(),
        }

    def services(self) -> Sequence[Mapping[str, object]]:
        return self._host.describe()

    def events(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]:
        limit = int(query.get("limit", "50"))
        filters = {name: value for name, value in query.items() if name != "limit"}
        return self._in_thread(lambda: self._journal.events(limit=limit, **filters))

    def event(self, event_id: str) -> Awaitable[Mapping[str, object] | None]:
        return self._in_thread(lambda: self._journal.event(event_id))

    def stop(self, *, now: bool) -> None:
        self._ask_to_stop(now)

"""The parts of the agent, as the view needs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from agent.administered import StoredEvents
from agent.boundaries import Feed, ServiceHost
from agent.config.model import LogLevel
from agent.delivery import Answer, OutboundRequest
from agent.recent import Wanted

Result = TypeVar("Result")


class Described(Protocol):
    """A part that can say how its members are."""

    def describe(self) -> Sequence[Mapping[str, Any]]: ...


class Services(Described, ServiceHost, Protocol):
    """The host, as the operator sees and orders it."""


class Refusing(Protocol):
    """What the gateways know of the services; `agent.offering.Offering`."""

    def refuse(self, service: str, *, is_refusing: bool) -> None: ...

    def is_refusing(self, service: str) -> bool: ...


class Levelled(Protocol):
    """The log while it is written."""

    @property
    def level(self) -> LogLevel: ...

    def set_level(self, level: LogLevel) -> None: ...


class Destinations(Described, Protocol):
    """The way out, as the operator changes and asks it; see `agent.administered.AgentView`."""

    def pause(self, name: str, *, is_paused: bool) -> bool: ...

    def ask(
        self, request: OutboundRequest, *, event_id: str, timeout_s: float, even_paused: bool
    ) -> Awaitable[Answer]: ...


class NewestPage(Protocol):
    """See `agent.observe.newest.Page`."""

    @property
    def next(self) -> str: ...

    @property
    def entries(self) -> Sequence[Mapping[str, object]]: ...

    @property
    def lost(self) -> int: ...

    @property
    def is_more(self) -> bool: ...


class NewestRead(Feed, Protocol):
    """The newest log lines and happenings, page by page."""

    def read(self, after: str, wanted: Wanted) -> NewestPage: ...


class Listening(Protocol):
    """A gateway: what it says of itself, once it listens."""

    def describe(self) -> Mapping[str, Any]: ...


class Counted(Protocol):
    def snapshot(self) -> Mapping[str, Mapping[str, int]]: ...


class EventJournal(StoredEvents, Protocol):
    """Beside the running agent; what it knows of lines and letters as well."""

    def dead_named(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of these dead letters that there are: `id`, `service` and `destination`."""

    def queues(self) -> dict[str, Any]: ...


class Insertion(Protocol):
    """Takes in events by the operator's order; see `AgentView.put_in` and `AgentView.repeat`."""

    def take(self, service: str, body: bytes, content_type: str) -> Awaitable[str]: ...

    def again(self, event_id: str) -> Awaitable[str]: ...


class SpoolHealth(Protocol):
    """`troubles` are why the spool refuses events, none where it does not; `findings` what was found damaged, and what
    was saved of it."""

    @property
    def troubles(self) -> Sequence[str]: ...

    @property
    def findings(self) -> Sequence[str]: ...


class Orders(Protocol):
    """What the spool does to dead letters, and how many it was done to."""

    def replay(self, ids: Sequence[str]) -> Awaitable[int]: ...

    def purge(self, ids: Sequence[str]) -> Awaitable[int]: ...

    def edit(self, letter_id: str, *, body: bytes) -> Awaitable[int]: ...


class InThread(Protocol):
    """Runs a blocking function outside the reactor thread."""

    def __call__(self, function: Callable[[], Result]) -> Awaitable[Result]: ...

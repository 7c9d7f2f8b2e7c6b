"""The seam between the control link and the running agent: what an operator may see of it, and order it to do."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from agent.delivery import Answer, OutboundRequest
from agent.recent import Wanted


class AgentView(Protocol):
    """The running agent, as the control link shows it: JSON-able mappings, documented in `docs/control-api.rst`.

    Those that return an `Awaitable` read or write the spool, and fail with its `AgentError`. `edit` fails with
    `SenderError` for a body that is not what the event is; it and `letter_body` say None and False for no such letter.
    """

    def status(self) -> Awaitable[Mapping[str, object]]: ...

    def services(self) -> Sequence[Mapping[str, object]]: ...

    def events(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]: ...

    def event(self, event_id: str) -> Awaitable[Mapping[str, object] | None]: ...

    def put_in(self, service: str, body: bytes, content_type: str) -> Awaitable[str]:
        """Take in an event for a service (agent client id) as from a sender; gives its id. `SenderError` where not."""

    def repeat(self, event_id: str) -> Awaitable[str]:
        """Take in once more, as a new event, what was done; gives the new id. `SenderError` where not."""

    def dead_letters(self, query: Mapping[str, str]) -> Awaitable[Sequence[Mapping[str, object]]]: ...

    def letter_body(self, letter_id: str) -> Awaitable[bytes | None]: ...

    def replay(self, ids: Sequence[str]) -> Awaitable[int]: ...

    def purge(self, ids: Sequence[str]) -> Awaitable[int]: ...

    def edit(self, letter_id: str, body: bytes) -> Awaitable[bool]: ...

    def tail(self, after: str, wanted: Wanted, *, wait_s: float) -> Awaitable[Mapping[str, object]]:
        """What a reader wants of the newest log lines and happenings, behind what he has read; waits for the first."""

    def strangers(self) -> Mapping[str, object]: ...

    def certificates(self) -> Sequence[Mapping[str, object]]: ...

    def destinations(self) -> Sequence[Mapping[str, object]]: ...

    def pause(self, destination: str, *, is_paused: bool) -> bool:
        """Hold back what is stored for a destination, or let it go; False when there is none of that name."""

    def ask(self, request: OutboundRequest, *, timeout_s: float) -> Awaitable[Answer]:
        """As `Asking.ask`, for the operator: also while the destination is paused."""

    def suspend(self, service: str, *, now: bool, refuse: bool) -> Awaitable[str]:
        """As `ServiceHost.suspend`; with `refuse` senders are sent away meanwhile, and nothing more is stored."""

    def resume(self, service: str) -> Awaitable[str]:
        """As `ServiceHost.resume`; senders may come again."""

    def restart(self, service: str) -> Awaitable[str]:
        """As `ServiceHost.restart`."""

    def purge_service(self, service: str) -> Awaitable[int]:
        """Delete the events that wait for a suspended service; gives how many. `OperatorError` for others."""

    def queues(self) -> Awaitable[Mapping[str, object]]:
        """How much waits by service, priority and direction."""

    def settings(self) -> Mapping[str, object]:
        """What is in force, secrets masked."""

    def log_level(self) -> str: ...

    def set_log_level(self, level: str) -> None:
        """Until the end, or until a reload finds another one in the configuration."""

    def reload(self, service: str) -> Awaitable[Mapping[str, object]]:
        """Take over what has changed, or one service (agent client id) alone where that is not empty.

        Fails with `AgentError`, and then nothing has changed. Goes on also where nobody waits for it any more.
        """

    def stop(self, *, now: bool) -> None: ...


class StoredEvents(Protocol):
    """What the spool's files hold, read with a connection of its own beside the running agent or without one; blocking.

    `agent.spool.journal.Journal` is the real one, and says what the arguments mean. Raises `AgentError` with code
    `spool-missing` where the agent has never run.
    """

    def events(
        self,
        *,
        service: str = "",
        state: str = "",
        limit: int = 50,
        after: str = "",
        before: str = "",
        until: str = "",
        bodies: bool = False,
    ) -> list[dict[str, Any]]: ...

    def event(self, event_id: str) -> dict[str, Any] | None: ...

    def dead_letters(
        self,
        *,
        service: str = "",
        destination: str = "",
        since: str = "",
        before: str = "",
        match: str = "",
        after: str = "",
        bodies: bool = False,
        roads: bool = False,
        limit: int = 50,
    ) -> list[dict[str, Any]]: ...

    def body(self, letter_id: str) -> bytes | None: ...

    def counts(self) -> dict[str, Any]: ...

    def oldest(self) -> dict[str, Any]: ...

"""Orders of the control API to single services, to the log and to the agent as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from agent.config.model import LogLevel
from agent.control.asking import choice_in, content_type_in, flags_in, no_body, no_query, service_in
from agent.errors import AgentError, OperatorError, SenderError

if TYPE_CHECKING:
    from agent.administered import AgentView
    from agent.control.api import ApiAnswer, ApiRequest

LONG_PATIENCE_S: Final = 120.0
"""Workers are started and hooks in hand come to their end meanwhile: their own time-outs are 10 to 30 s."""


class Orders:
    """`answer` makes the answer of a document; `segments` are those of a request's path."""

    def __init__(
        self,
        view: AgentView,
        *,
        answer: Callable[[Mapping[str, object]], ApiAnswer],
        segments: Callable[[ApiRequest], tuple[str, ...]],
    ) -> None:
        self._view = view
        self._answer = answer
        self._segments = segments

    @property
    def resources(self) -> Mapping[tuple[str, ...], Mapping[str, Callable[[ApiRequest], Awaitable[ApiAnswer]]]]:
        """Path -> method -> who answers."""
        return {
            ("v1", "services", "*", "suspend"): {"POST": self._suspend},
            ("v1", "services", "*", "resume"): {"POST": self._resume},
            ("v1", "services", "*", "restart"): {"POST": self._restart},
            ("v1", "services", "*", "purge"): {"POST": self._purge},
            ("v1", "services", "*", "event"): {"PUT": self._put_in},
            ("v1", "events", "*", "repeat"): {"POST": self._repeat},
            ("v1", "queues"): {"GET": self._queues},
            ("v1", "settings"): {"GET": self._settings},
            ("v1", "log-level"): {"GET": self._log_level, "POST": self._set_log_level},
            ("v1", "reload"): {"POST": self._reload},
        }

    async def _suspend(self, request: ApiRequest) -> ApiAnswer:
        flags = flags_in(request.body, ("now", "refuse"))
        service = self._service(request)
        return await self._said(service, self._view.suspend(service, now=flags["now"], refuse=flags["refuse"]))

    async def _resume(self, request: ApiRequest) -> ApiAnswer:
        no_body(request.body)
        service = self._service(request)
        return await self._said(service, self._view.resume(service))

    async def _restart(self, request: ApiRequest) -> ApiAnswer:
        no_body(request.body)
        service = self._service(request)
        return await self._said(service, self._view.restart(service))

    async def _purge(self, request: ApiRequest) -> ApiAnswer:
        no_body(request.body)
        service = self._service(request)
        try:
            purged = await self._view.purge_service(service)
        except OperatorError as error:
            raise _not_done(error) from error
        return self._answer({"service": service, "purged": purged})

    async def _put_in(self, request: ApiRequest) -> ApiAnswer:
        service, content_type = self._service(request), content_type_in(request.query)
        return self._answer({"service": service, "id": await self._view.put_in(service, request.body, content_type)})

    async def _repeat(self, request: ApiRequest) -> ApiAnswer:
        no_body(request.body)
        event_id = self._segments(request)[2]
        return self._answer({"of": event_id, "id": await self._view.repeat(event_id)})

    async def _queues(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return self._answer({"queues": dict(await self._view.queues())})

    async def _settings(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return self._answer(dict(self._view.settings()))

    async def _log_level(self, request: ApiRequest) -> ApiAnswer:
        no_query(request.path, request.query)
        return self._answer({"level": self._view.log_level()})

    async def _set_log_level(self, request: ApiRequest) -> ApiAnswer:
        level = choice_in(request.body, "level", [one.value for one in LogLevel])
        self._view.set_log_level(level)
        return self._answer({"level": level})

    async def _reload(self, request: ApiRequest) -> ApiAnswer:
        service = service_in(request.body)
        try:
            return self._answer(dict(await self._view.reload(service)))
        except OperatorError as error:
            # Several faults are one text here; `iadmin config check` shows them one by one.
            detail = "; ".join(error.lines)
            raise SenderError(error.code, detail, status=422, title="Not reloaded, nothing has changed") from error

    def _service(self, request: ApiRequest) -> str:
        return self._segments(request)[2]

    async def _said(self, service: str, work: Awaitable[str]) -> ApiAnswer:
        """The state of the service after an order, and what went wrong in its hook."""
        try:
            trouble = await work
        except OperatorError as error:
            raise _not_done(error) from error
        found = next((one for one in self._view.services() if one.get("service") == service), {})
        return self._answer({"service": service, "state": found.get("state", ""), "trouble": trouble})


def _not_done(error: AgentError) -> SenderError:
    status = 404 if error.code in ("service-unknown", "no-such-service") else 409
    return SenderError(error.code, error.sentence, status=status, title="Not done, nothing has changed")

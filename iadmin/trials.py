"""A service tried without an agent: which one, what it is given, and what came of it. Who tries it, fills `Trials`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

import attrs

from agent.config.model import AgentConfig, ServiceConfig
from agent.event import Event


@attrs.frozen(kw_only=True)
class TrialService:
    """A service and the configuration that it would run under, None where there is none. `home`: where it would run."""

    config: ServiceConfig
    home: PurePath
    within: AgentConfig | None = None
    warnings: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Loaded:
    """What loading a script came to: its hooks, or the sentence about what is wrong, with its traceback."""

    hooks: tuple[str, ...] = ()
    trouble: str = ""
    detail: str = ""


@attrs.frozen(kw_only=True)
class StubAnswer:
    """What a destination is to answer to `context.request`."""

    status: int = 200
    content_type: str = ""
    body: bytes = b""


@attrs.frozen(kw_only=True)
class Leaving:
    """A request as it would go out. `target` is a URL or a file; `headers` are the service's own.

    `trouble` says why it could not be sent at all.
    """

    destination: str
    target: str
    method: str
    path: str
    content_type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    trouble: str = ""
    is_file: bool = False
    """The destination is an outbox."""


@attrs.frozen(kw_only=True)
class Tried:
    """What became of the event. `verdict`: done, suppressed, rejected, retried, failed, not-loaded.

    `said` are level and text of the lines; `response` is what the sender is answered, status, headers, body.
    """

    verdict: str
    hooks: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""
    after_s: float | None = None
    sent: Sequence[Leaving] = ()
    asked: Sequence[Leaving] = ()
    response: tuple[int, tuple[tuple[str, str], ...], bytes] | None = None
    said: Sequence[tuple[str, str]] = ()


class Trials(Protocol):
    """Tries services in processes of their own; `iadmin.rehearsing` is the real one.

    `find_trial_service` raises `AgentError` where there is no such descriptor, or it has faults.
    """

    def find_trial_service(self, path: PurePath, home: PurePath | None) -> TrialService: ...

    def load_apart(self, service: TrialService) -> Loaded: ...

    def try_event(self, service: TrialService, event: Event, answers: Sequence[StubAnswer]) -> Tried: ...

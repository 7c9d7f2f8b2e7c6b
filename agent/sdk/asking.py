"""What `context.request` gives: a question under way, its answer, and what is raised where none comes."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from functools import cached_property
from typing import Any, Final, Protocol

import attrs

from agent.delivery import OutboundRequest
from agent.sdk.failures import RejectEvent, RetryableError

PASSING: Final = frozenset({401, 403, 407, 408, 429})
"""Refusals that another attempt may not meet: the account is being mended, or the far end has too much to do."""


class RequestFailed(RetryableError):
    """There is no answer: nobody could be reached, or not in time. Not caught, the event is tried again later."""


@attrs.frozen(kw_only=True)
class Answer:
    """What a destination said to `context.request`, whatever the status. `is_cut`: more than `max-answer-bytes`.

    `after_s` are the seconds of patience that a 429 or a 5xx asks for (`Retry-After`), None where it does not.
    """

    status: int
    body: bytes = attrs.field(default=b"", repr=False)
    content_type: str = ""
    where: str = ""
    is_cut: bool = False
    after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status < 300

    @cached_property
    def text(self) -> str:
        """The body as text, in the `charset` of its content type or UTF-8; bytes that do not fit are replaced."""
        _, _, rest = self.content_type.lower().partition("charset=")
        charset = rest.partition(";")[0].strip(' "')
        try:
            return self.body.decode(charset or "utf-8", errors="replace")
        except LookupError:
            return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body's value; raises `ValueError` for what is no JSON, or was cut."""
        if self.is_cut:
            raise ValueError(f"the answer of {self.where} was cut off: raise max-answer-bytes of the destination")
        return json.loads(self.body)

    def raise_for_status(self) -> None:
        """Raise where the status is not 200 to 299: `RequestFailed` for one that may pass, else `RejectEvent`.

        The next attempt then comes after the patience that was asked for, at the earliest.
        """
        if self.ok:
            return
        reason = f"{self.where} answered {self.status}"
        if self.status in PASSING or self.status >= 500:
            raise RequestFailed(reason, after_s=self.after_s)
        raise RejectEvent(reason)


@attrs.frozen
class Asked:
    """A question under way: `await` it in an `async` hook, call `wait()` in a plain one. Both give the `Answer`.

    Both raise `RequestFailed` where there is no answer, and `ValueError` for what could never be sent.
    """

    _future: Future[Answer]
    _awaitable: Callable[[Future[Answer]], Awaitable[Answer]] | None = None
    """Makes a future something that an event loop can wait for; not needed for one that is done."""

    def __await__(self) -> Generator[Any, None, Answer]:
        if self._awaitable is not None and not self._future.done():
            yield from self._awaitable(self._future).__await__()
        return self._future.result()

    def wait(self) -> Answer:
        """Wait in this thread. Raises `RuntimeError` in an `async` hook, where it would hold up all the others."""
        if _in_event_loop():
            raise RuntimeError("wait() in an async hook holds up all others: write `await context.request(...)`")
        return self._future.result()


class Ask(Protocol):
    """Who carries questions: the worker process has one. `call` is the number of the hook's call."""

    def __call__(self, request: OutboundRequest, *, call: int, timeout_s: float | None) -> Asked: ...


def _in_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None

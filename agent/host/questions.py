"""Questions that a service's hooks put to destinations: both ends, worker and agent."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Awaitable
from concurrent.futures import Future

from agent.delivery import OutboundRequest
from agent.host.messages import Ask, Told
from agent.host.pipes import Link
from agent.sdk.asking import Answer, Asked, RequestFailed
from agent.wire.frames import FrameError


def _in_loop(future: Future[Answer]) -> Awaitable[Answer]:
    # Here and not above: services with plain hooks need not import it.
    import asyncio

    return asyncio.wrap_future(future)


class Questions:
    """In the worker: asks through the link, and gives each answer to the one who waits for it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Answer]] = {}
        self._changing = threading.Lock()

    def ask(self, request: OutboundRequest, *, call: int, timeout_s: float | None) -> Asked:
        """See `agent.sdk.asking.Ask`. Raises `ValueError` for a request that is too much for one frame."""
        future: Future[Answer] = Future()
        with self._changing:
            number = next(self._numbers)
            self._open[number] = future
        try:
            self._link.say(Ask(number=number, call=call, timeout_s=timeout_s, request=request))
        except FrameError as error:
            self._open.pop(number)
            raise ValueError(f"this request is too much to be sent in one piece: {error.sentence}") from error
        return Asked(future, _in_loop)

    def told(self, told: Told) -> None:
        """An answer, or why there is none."""
        with self._changing:
            future = self._open.pop(told.number, None)
        # Not waited for any more: the hook has been cancelled, or has gone on.
        if future is None or not future.set_running_or_notify_cancel():
            return
        if told.trouble:
            future.set_exception(_failure(told))
            return
        future.set_result(
            Answer(
                status=told.status,
                body=told.body,
                content_type=told.content_type,
                where=told.where,
                is_cut=told.is_cut,
                after_s=told.after_s,
            )
        )


def _failure(told: Told) -> Exception:
    return RequestFailed(told.trouble, after_s=told.after_s) if told.may_pass else ValueError(told.trouble)

"""The event loop of a service's `async` hooks, in its worker process."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any


class Loop:
    """The event loop of all `async` hooks, in a thread of its own; it starts with the first of them."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._submit: Callable[[Coroutine[Any, Any, Any]], Future[Any]] | None = None

    def finished(self, returned: Any) -> Any:
        """Return what the hook returned, or, where that is awaitable, wait for its result."""
        if not inspect.isawaitable(returned):
            return returned
        with self._starting:
            submit = self._submit = self._submit or self._start()
        # The coroutine runs in a copy of this thread's context, so `agent.sdk.context` means the same call there.
        return submit(_awaiting(returned)).result()

    def _start(self) -> Callable[[Coroutine[Any, Any, Any]], Future[Any]]:
        # Here and not above: it takes longer to import than all the rest, and most services have plain hooks.
        import asyncio

        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="async", daemon=True).start()
        return lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop)


async def _awaiting(awaitable: Awaitable[Any]) -> Any:
    return await awaitable

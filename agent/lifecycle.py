"""Starting the parts of the agent in order, and stopping them in reverse.

1. Parts are started one after the other; the next begins when the last one is up. Those that are said to come last
   do so, and are stopped in their place all the same.
2. When one fails, those that are up are stopped in reverse, and the first failure is what is raised. A part whose
   start failed has cleaned up after itself.
3. Stopping goes in reverse and waits for each part: its share of the patience is what is left of the whole, divided by
   the parts still to stop, so that what one does not need the next ones have.
4. A part that fails to stop, or is not done in its share, is named in the log, and the others are stopped all the same.
5. A second call to stop shortens the patience, never lengthens it; both calls end together.
6. Stopping while still starting cancels the start.

This does what Twisted's `MultiService` does not: it waits, and it rolls back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

log = Logger(namespace="life")

UNDO_PATIENCE_S: Final = 10.0
"""For taking down a start that failed: nothing is in hand yet."""


class Part(Protocol):
    """Something that is started and stopped."""

    @property
    def name(self) -> str:
        """A short noun for the log."""

    async def start(self) -> None:
        """Be up when this returns; raise `AgentError`, with nothing left behind, when it cannot be."""

    async def stop(self, patience_s: float) -> None:
        """Finish what is in hand, for at most `patience_s`, and let go of everything."""


class Lifecycle:
    """The parts of one agent, in the reverse of the order in which they stop; `last` are started after the others."""

    def __init__(self, *, parts: Sequence[Part], last: Collection[Part] = (), clock: IReactorTime) -> None:
        self._parts: Final = tuple(parts)
        self._last: Final = tuple(last)
        self._clock = clock
        self._up: list[Part] = []
        self._deadline_s = float("inf")
        self._starting: Deferred[None] | None = None
        self._start_over: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._parts_left = 0
        self._is_stopping = False
        self._is_stopped = False
        self._waiting: list[Deferred[None]] = []

    async def start_all(self, *, undo_patience_s: float = UNDO_PATIENCE_S) -> None:
        """Start every part. Raises what the first failing part raised, or `CancelledError` when stopped meanwhile."""
        for part in (*(part for part in self._parts if part not in self._last), *self._last):
            try:
                await self._start(part)
            except BaseException:
                await self.stop_all(undo_patience_s)
                raise

    async def _start(self, part: Part) -> None:
        if self._is_stopping:
            raise CancelledError
        log.debug("starting {part}", part=part.name)
        self._starting = Deferred.fromCoroutine(part.start())
        try:
            await self._starting
            self._up.append(part)
            self._up.sort(key=self._parts.index)
        finally:
            self._starting = None
            if self._start_over is not None:
                self._start_over.callback(None)

    async def stop_all(self, patience_s: float) -> None:
        """Stop what is up, in at most `patience_s` together; never raises. May be called at any time, and again."""
        self._deadline_s = min(self._deadline_s, self._clock.seconds() + patience_s)
        if not self._is_stopping:
            self._is_stopping = True
            await self._stop_parts()
        elif not self._is_stopped:
            if self._timer is not None:
                self._timer.reset(self._share_s())
            done: Deferred[None] = Deferred()
            self._waiting.append(done)
            await done

    async def _stop_parts(self) -> None:
        if self._starting is not None:
            self._start_over = Deferred()
            self._starting.cancel()
            self._parts_left = len(self._up) + 1
            if not await self._in_time(self._start_over):
                log.warn("the part that was just starting does not end; going on without it")
        while self._up:
            self._parts_left = len(self._up)
            await self._stop(self._up.pop())
        self._is_stopped = True
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)

    async def _stop(self, part: Part) -> None:
        share_s, begun_s = self._share_s(), self._clock.seconds()
        log.debug("stopping {part}", part=part.name)
        stopped = Deferred.fromCoroutine(part.stop(share_s))
        stopped.addErrback(lambda failure: log.failure("{part} did not stop well", failure, part=part.name))
        if not await self._in_time(stopped):
            # Not cancelled: it may be closing a file. It goes on beside the others until the process ends.
            # Less than its share where a second signal hurried it.
            waited_s = self._clock.seconds() - begun_s
            log.warn("{part} has not stopped within {waited_s:.1f} s; going on", part=part.name, waited_s=waited_s)

    def _share_s(self) -> float:
        return max(0.0, self._deadline_s - self._clock.seconds()) / max(1, self._parts_left)

    async def _in_time(self, work: Deferred[None]) -> bool:
        """Wait for `work`, which does not fail, at most for the share; True when it ended."""
        verdict: Deferred[bool] = Deferred()

        def ended(_: None) -> None:
            if not verdict.called:
                verdict.callback(True)

        work.addCallback(ended)
        if verdict.called:
            return True
        self._timer = self._clock.callLater(self._share_s(), verdict.callback, False)
        try:
            return await verdict
        finally:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None

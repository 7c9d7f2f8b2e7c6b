"""Suspending and resuming one service, and the hooks of its life that go with it.

    suspend   nothing more is begun; when what is in hand has ended, `on_suspend`
    .. now    nothing more is begun; `on_interrupt`, and what has not ended a moment later ends with its worker
    resume    `on_resume`, then what waits is begun; where the worker is gone, another one is started instead

What a hook raises stops none of it: the operator has decided, and is told. Whoever speaks later wins: a `resume` while
hooks still run ends the suspension that waits for them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from agent.host.messages import LifeCall, Result, Verdict
from agent.host.output import printable
from agent.host.state import ServiceState

log = Logger(namespace="host")

INTERRUPT_HOOK_S: Final = 5.0
"""For `on_interrupt` itself: whoever says "now" does not wait for the time-out of a hook, which may be minutes."""

INTERRUPT_PATIENCE_S: Final = 1.0
"""From the end of `on_interrupt` to the end of the worker: for hooks that were told to stop and do."""


class Suspended(Protocol):
    """A service, as its suspension sees it."""

    @property
    def name(self) -> str: ...

    state: ServiceState

    @property
    def has_worker(self) -> bool:
        """Whether there is a worker process, ready or not."""

    @property
    def in_hand(self) -> int:
        """Calls without a result."""

    def halt(self) -> None:
        """Begin nothing more, and send away who waits for an answer."""

    def call_life(self, hook: str, *, patience_s: float | None = None) -> Awaitable[str]:
        """Have a hook of its life called; give what went wrong, empty where nothing did or there is no such hook.

        Not waited for longer than `patience_s`; in any case it has the time of all hooks.
        """

    async def until_idle(self, patience_s: float | None) -> None:
        """Wait until nothing is in hand, or until patience ends; None: as long as it takes."""

    def release(self) -> None:
        """End all waits for it to be idle."""

    def kill_worker(self) -> None: ...

    def go_on(self) -> None:
        """Begin what waits; start a worker where there is none."""


class Suspension:
    """Whether the operator has suspended a service."""

    def __init__(self, service: Suspended) -> None:
        self.is_on = False
        self.is_killing = False
        """The worker's end is the operator's wish: nobody is to blame for it."""
        self._service = service
        self._wish = 0

    async def suspend(self, *, now: bool) -> str:
        """Suspend the service; return when nothing runs any more, with what its hook raised or empty."""
        service = self._service
        if self.is_on and service.state is ServiceState.SUSPENDED:
            return ""
        wish = self._wish_anew()
        self.is_on = True
        service.state = ServiceState.SUSPENDING
        service.halt()
        log.info("{service} is being suspended by the operator", service=service.name)
        trouble = await self._interrupt() if now else await self._let_end(wish)
        if wish == self._wish:
            service.state = ServiceState.SUSPENDED
            log.info("{service} is suspended: its events are stored and wait", service=service.name)
        return trouble

    async def resume(self) -> str:
        """End the suspension; return what `on_resume` raised or empty."""
        service = self._service
        if not self.is_on:
            return ""
        wish = self._wish_anew()
        trouble = ""
        if service.has_worker:
            trouble = await service.call_life("on_resume")
        if wish == self._wish:
            self.is_on = False
            log.info("{service} is resumed by the operator", service=service.name)
            service.go_on()
        return trouble

    def end(self) -> None:
        """The service is being stopped: nothing that is under way here has a say any more."""
        self._wish_anew()

    def _wish_anew(self) -> int:
        self._wish += 1
        self._service.release()
        return self._wish

    async def _let_end(self, wish: int) -> str:
        await self._service.until_idle(None)
        return await self._service.call_life("on_suspend") if wish == self._wish else ""

    async def _interrupt(self) -> str:
        service = self._service
        trouble = await service.call_life("on_interrupt", patience_s=INTERRUPT_HOOK_S)
        await service.until_idle(INTERRUPT_PATIENCE_S)
        if service.in_hand and service.has_worker:
            self.is_killing = True
            service.kill_worker()
            await service.until_idle(None)
            self.is_killing = False
        return trouble


class LifeCalls:
    """The hooks of a service's life that its worker has in hand."""

    def __init__(self) -> None:
        self._in_hand: dict[int, Deferred[str]] = {}

    def begin(self, call: LifeCall) -> Deferred[str]:
        """The call is handed over; the Deferred gives what went wrong, or empty."""
        done = self._in_hand[call.call] = Deferred()
        return done

    def ended(self, service: str, call: LifeCall, result: Result) -> None:
        """The hook has returned or raised."""
        trouble = "" if result.verdict is Verdict.DONE else printable(result.reason)
        if trouble:
            log.error("{service}: {trouble}", service=service, trouble=trouble)
            for line in result.detail.splitlines():
                log.debug("{service}: {line}", service=service, line=printable(line))
        self._in_hand.pop(call.call).callback(trouble)

    def failed(self, call: LifeCall, sentence: str) -> None:
        """The worker has ended in the middle of it."""
        self._in_hand.pop(call.call).callback(f"{call.hook}: {sentence}")

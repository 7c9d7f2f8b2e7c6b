"""Senders who wait for a service to answer them (`on_http`): a short line, and an end to every wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from agent.boundaries import HttpRequest
from agent.errors import ServiceError
from agent.event import Event
from agent.host.messages import HttpCall, Result

MAX_WAITING: Final = 100
"""Senders in line for one service. At three threads and a tenth of a second a call, the last waits three seconds."""


@attrs.define(eq=False, kw_only=True)
class _Ask:
    event: Event
    request: HttpRequest
    done: Deferred[Result]
    timer: IDelayedCall | None = None


class Asks:
    """The senders who wait for one service, in line or in its worker's hand."""

    def __init__(self, *, threads: int, patience_s: float, reactor: IReactorTime) -> None:
        """`threads` calls at a time; `patience_s` is the longest wait in line."""
        self._threads = threads
        self._patience_s = patience_s
        self._reactor = reactor
        self._line: deque[_Ask] = deque()
        self._in_hand: dict[int, _Ask] = {}

    def add(self, event: Event, request: HttpRequest) -> Deferred[Result]:
        """Get in line. The Deferred fails with `ServiceError`; cancelling it leaves the line."""
        if len(self._line) >= MAX_WAITING:
            raise ServiceError(
                "service-busy", f"{event.service} is busy: {MAX_WAITING} senders are waiting for it already", after_s=1
            )
        ask = _Ask(event=event, request=request, done=Deferred(lambda _: self._leave(ask)))
        ask.timer = self._reactor.callLater(self._patience_s, self._out_of_patience, ask)
        self._line.append(ask)
        return ask.done

    def next(self, number: Callable[[], int]) -> HttpCall | None:
        """Begin the next call and give it a number; None when all threads are busy or nobody waits."""
        if not self._line or len(self._in_hand) >= self._threads:
            return None
        ask = self._line.popleft()
        self._stop_timer(ask)
        call = number()
        self._in_hand[call] = ask
        return HttpCall(
            call=call,
            id=ask.event.id,
            method=ask.request.method,
            path=ask.request.path,
            query=ask.request.query,
            headers=ask.request.headers,
            body=ask.request.body,
            charset=ask.event.charset,
            peer=ask.request.peer,
        )

    def ended(self, call: int, result: Result) -> None:
        """The call has its result."""
        ask = self._in_hand.pop(call)
        # Called already: the sender has left, and its connection has cancelled the wait.
        if not ask.done.called:
            ask.done.callback(result)

    def failed(self, call: int, error: ServiceError) -> None:
        """The call will have no result."""
        ask = self._in_hand.pop(call)
        if not ask.done.called:
            ask.done.errback(error)

    def send_away(self, error: ServiceError) -> None:
        """Nobody in line will be served."""
        line, self._line = self._line, deque()
        for ask in line:
            self._stop_timer(ask)
            ask.done.errback(error)

    def _leave(self, ask: _Ask) -> None:
        if ask in self._line:
            self._line.remove(ask)
            self._stop_timer(ask)

    def _out_of_patience(self, ask: _Ask) -> None:
        self._line.remove(ask)
        ask.done.errback(
            ServiceError(
                "service-timeout", f"{ask.event.service} did not come to this request within {self._patience_s:g} s"
            )
        )

    def _stop_timer(self, ask: _Ask) -> None:
        if ask.timer is not None and ask.timer.active():
            ask.timer.cancel()

"""Questions of one service's workers, in the agent: asked on their behalf, bounded in number and in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from agent.boundaries import Asking
from agent.delivery import Answer
from agent.errors import DestinationError
from agent.host.messages import Ask, Told

log = Logger(namespace="host")

MARGIN_S: Final = 0.5
"""How long before the hook's own end its questions end, so that it can still say what shall follow."""

MAX_OPEN: Final = 100
"""Of one worker at a time. An `async` hook could ask a thousand at once, each with an answer of megabytes."""

Reply = Callable[[Told], None]


@attrs.define(eq=False)
class _Errand:
    call: int
    asking: Deferred[Answer] | None = None


class Errands:
    """The questions that one worker has open. `reply` is called once for each, unless its call ends before."""

    def __init__(self, *, asking: Asking | None) -> None:
        self._asking = asking
        self._open: dict[int, _Errand] = {}

    def ask(self, ask: Ask, *, event_id: str, left_s: float, reply: Reply) -> None:
        """Ask; `left_s` is what the hook has left of its time."""
        number = ask.number
        if self._asking is None or len(self._open) >= MAX_OPEN:
            reply(Told(number=number, trouble=f"{MAX_OPEN} questions of this service are open already"))
            return
        left_s = max(0.0, left_s - MARGIN_S)
        timeout_s = left_s if ask.timeout_s is None else min(ask.timeout_s, left_s)
        errand = self._open[number] = _Errand(ask.call)

        def answered(answer: Answer) -> None:
            if self._open.pop(number, None) is None:
                return
            reply(
                Told(
                    number=number,
                    status=answer.status,
                    where=answer.where,
                    content_type=answer.content_type,
                    is_cut=answer.is_cut,
                    body=answer.body,
                    after_s=answer.after_s,
                )
            )

        def failed(error: BaseException) -> None:
            if self._open.pop(number, None) is None or isinstance(error, CancelledError):
                return
            if isinstance(error, DestinationError):
                reply(Told(number=number, trouble=error.sentence, may_pass=error.retryable, after_s=error.after_s))
                return
            log.error("a fault of the agent while asking: {error!r}", error=error, event_id=event_id)
            reply(Told(number=number, trouble=f"a fault of the agent: {type(error).__name__}, see its log"))

        asking = self._asking
        asked = Deferred.fromCoroutine(_asked(asking, ask, event_id, timeout_s))
        errand.asking = asked
        asked.addCallbacks(answered, lambda failure: failed(failure.value))

    def ended(self, call: int) -> None:
        """The call has its result: nobody waits for what it asked."""
        for number, errand in list(self._open.items()):
            if errand.call == call:
                self._drop(number)

    def drop_all(self) -> None:
        """The worker is gone."""
        for number in list(self._open):
            self._drop(number)

    def _drop(self, number: int) -> None:
        errand = self._open.pop(number)
        if errand.asking is not None:
            errand.asking.cancel()


async def _asked(asking: Asking, ask: Ask, event_id: str, timeout_s: float) -> Answer:
    return await asking.ask(ask.request, event_id=event_id, timeout_s=timeout_s)

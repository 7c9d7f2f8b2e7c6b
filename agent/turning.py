"""The reactor that the agent runs on: Twisted's epoll reactor, without a log context for each connection that is ready.

Twisted wraps every read and write into `log.callWithLogger`, so that lines of its old log can name the connection. Ours
name it themselves, and the wrapping costs 2 to 3 microseconds for each event, a tenth of all that reading it costs.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from agent.delivery.share import Meter


@contextmanager
def _instead_of(module: str, other: ModuleType | None) -> Iterator[None]:
    """Let `other` be imported in the place of a module, unless that is loaded already; None: it is not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = other  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


def _without_event_loops() -> ModuleType:
    """What `twisted.internet.defer` wants of asyncio: two names for its signatures, and one question.

    Nobody here makes a Deferred of a Future, and each coroutine that is handed to Twisted is one of Python's own.
    """
    stand_in = ModuleType("asyncio")
    vars(stand_in).update(AbstractEventLoop=object, Future=object, iscoroutine=inspect.iscoroutine)
    return stand_in


# Twisted's reactor has methods for TLS where it finds OpenSSL. We use none of them: the gateway has a transport of its
# own (docs/decisions/0016), and who else speaks TLS wraps protocols. Loading OpenSSL, cryptography and service_identity
# for them would be a fifth of a start; who presents or checks a certificate loads them then. `http.cookiejar` is there
# for a name from the days of Python 2 (`twisted.python.compat.cookielib`), and brings urllib, http.client and email.
# asyncio brings ssl, subprocess and concurrent.futures, 12 milliseconds; ctypes is for errors of Windows.
with (
    _instead_of("OpenSSL", None),
    _instead_of("http.cookiejar", ModuleType("http.cookiejar")),
    _instead_of("asyncio", _without_event_loops()),
    _instead_of("ctypes", None),
):
    from twisted.internet.epollreactor import EPollReactor
    from twisted.internet.process import ProcessReader, ProcessWriter
    from twisted.internet.tcp import Client
    from twisted.logger import Logger

log = Logger(namespace="agent")

USED: Final = ("_poller", "_selectables", "_doReadOrWrite")
"""What Twisted does not promise to keep; `tests/test_turning.py` notices when it changes."""

WORK: Final = frozenset({Client, ProcessReader, ProcessWriter})
"""What services and deliveries are talked to by: connections that the agent opens, and the pipes of its workers."""


class LeanReactor(EPollReactor):
    """As `EPollReactor`; only `doPoll` differs. `meter` is told how long it has waited, and worked."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._meter = meter

    def doPoll(self, timeout: float | None) -> None:
        """Wait for connections to become ready, at most `timeout` seconds, and let each read or write."""
        meter = self._meter
        try:
            if timeout == 0:
                ready = self._poller.poll(0, len(self._selectables))
            else:
                begun_s = meter.seconds()
                ready = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
                meter.idle_s += meter.seconds() - begun_s
        except InterruptedError:
            return
        selectables = self._selectables
        # One that is closed in this turn leaves its number to the next that is accepted, which may have nothing yet.
        asked: list[Any] = [selectables.get(number) for number, _ in ready]
        for selectable, (number, event) in zip(asked, ready, strict=True):
            if selectable is None or selectables.get(number) is not selectable:
                continue
            try:
                if type(selectable) in WORK:
                    with meter:
                        self._doReadOrWrite(selectable, number, event)  # type: ignore[no-untyped-call]
                else:
                    self._doReadOrWrite(selectable, number, event)  # type: ignore[no-untyped-call]
            except Exception:
                log.failure("a connection could not be read or written")

    doIteration = doPoll

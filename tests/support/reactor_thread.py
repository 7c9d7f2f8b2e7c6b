"""A reactor of its own in a thread of its own, for blocking clients of ours against servers of ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.threads import blockingCallFromThread

PATIENCE_S: Final = 20.0
_Result = TypeVar("_Result")


class ReactorThread:
    """A reactor of its own in a thread of its own; nothing of it is global."""

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()
        self._thread = threading.Thread(target=self.reactor.run, kwargs={"installSignalHandlers": False})
        started = threading.Event()
        self.reactor.callWhenRunning(started.set)
        self._thread.start()
        assert started.wait(PATIENCE_S)

    def run(self, work: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        result: _Result = blockingCallFromThread(self.reactor, lambda: Deferred.fromCoroutine(work()))
        return result

    def end(self) -> None:
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        for selectable in self.reactor.removeAll():
            selectable.connectionLost(None)
        self.reactor._poller.close()

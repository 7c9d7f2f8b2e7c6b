"""The hook threads of one lane (`normal`, `high`, `http`) in a worker: some are kept, the others come and go."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agent.host.messages import Call

IDLE_S: Final = 60.0
"""A thread that is not kept ends after this long without work: bursts of events come in quick succession."""


class Lane:
    """Calls in, one thread for each at a time, up to `most` threads; `kept` of them never end.

    The agent makes no more calls at a time than there may be threads, so a call waits at most for a thread to start.
    """

    def __init__(
        self, *, name: str, most: int, kept: int, work: Callable[[Call], None], idle_s: float = IDLE_S
    ) -> None:
        self._name = name
        self._most = most
        self._kept = kept
        self._work = work
        self._idle_s = idle_s
        self._calls: deque[Call] = deque()
        self._changed = threading.Condition()
        self._idle = 0
        self._numbers = 0
        self.threads = 0
        """How many there are."""

    def start(self) -> None:
        """Start the kept threads. Raises `RuntimeError` where the system starts none."""
        with self._changed:
            while self.threads < self._kept:
                self._add_thread()

    def put(self, call: Call) -> None:
        """Have a call made."""
        with self._changed:
            self._calls.append(call)
            if len(self._calls) > self._idle and self.threads < self._most:
                try:
                    self._add_thread()
                except RuntimeError:
                    # The limit of threads or of memory: those that there are come to it later.
                    if not self.threads:
                        raise
            self._changed.notify()

    def _add_thread(self) -> None:
        self._numbers += 1
        # Daemons: a hook that never returns must not keep the process from ending.
        thread = threading.Thread(target=self._run, name=f"{self._name}-{self._numbers}", daemon=True)
        self.threads += 1
        try:
            thread.start()
        except RuntimeError:
            self.threads -= 1
            raise

    def _run(self) -> None:
        while (call := self._next()) is not None:
            self._work(call)

    def _next(self) -> Call | None:
        """Wait for a call; None: this thread is not needed any more."""
        with self._changed:
            self._idle += 1
            # Which threads stay is decided when one has waited in vain: they are all alike.
            while not self._changed.wait_for(lambda: self._calls, timeout=self._idle_s):
                if self.threads > self._kept:
                    break
            self._idle -= 1
            if self._calls:
                return self._calls.popleft()
            self.threads -= 1
            return None


def share(kept: int, threads: Mapping[str, int], lanes: Sequence[str]) -> dict[str, int]:
    """Spread `kept` threads over `lanes`, in turn, none above its own in `threads`."""
    shares = dict.fromkeys(lanes, 0)
    while kept and any(shares[lane] < threads[lane] for lane in lanes):
        for lane in lanes:
            if kept and shares[lane] < threads[lane]:
                shares[lane] += 1
                kept -= 1
    return shares

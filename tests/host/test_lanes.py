"""agent.host.lanes: threads that are kept, threads that come and go."""

from __future__ import annotations

import threading

import pytest

from agent.host.lanes import Lane, share
from agent.host.messages import HttpCall

PATIENCE_S = 10.0


def call(number: int) -> HttpCall:
    return HttpCall(call=number, id="e", method="", path="", query="", headers=(), body=b"", charset=None, peer="")


class Hooks:
    """Hooks that block until the test lets them go."""

    def __init__(self, *, most: int, kept: int, idle_s: float = 60.0) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.threads: set[str] = set()
        self.ended = threading.Event()
        self.lane = Lane(name="normal", most=most, kept=kept, work=self.work, idle_s=idle_s)

    def work(self, call: object) -> None:
        self.threads.add(threading.current_thread().name)
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE_S)

    def wait_begun(self, count: int) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=PATIENCE_S)


def test_kept_threads_are_there_at_once_and_others_when_they_are_needed() -> None:
    """As many calls at a time as there may be threads, none waits behind another."""
    hooks = Hooks(most=3, kept=1)
    hooks.lane.start()
    before = hooks.lane.threads
    for number in range(3):
        hooks.lane.put(call(number))
    hooks.wait_begun(3)
    assert (1, 3) == (before, hooks.lane.threads)
    assert {"normal-1", "normal-2", "normal-3"} == hooks.threads
    hooks.go.release(3)


def test_one_call_after_the_other_needs_one_thread() -> None:
    """A thread that is waiting takes the next call; none is started for it."""
    hooks = Hooks(most=3, kept=1)
    hooks.lane.start()
    for number in range(5):
        hooks.go.release()
        hooks.lane.put(call(number))
        hooks.wait_begun(1)
    assert 2 >= hooks.lane.threads  # one may still be on its way back from its work


def test_threads_beyond_the_kept_ones_end() -> None:
    """After a while without work only the kept ones are left, and the lane goes on to work."""
    hooks = Hooks(most=4, kept=1, idle_s=0.01)
    hooks.lane.start()
    for number in range(4):
        hooks.lane.put(call(number))
    hooks.wait_begun(4)
    workers = [thread for thread in threading.enumerate() if thread.name in hooks.threads]
    hooks.go.release(4)
    extra = 0
    for thread in workers:
        thread.join(0.5)
        extra += not thread.is_alive()
    assert (3, 1) == (extra, hooks.lane.threads)
    hooks.go.release()
    hooks.lane.put(call(5))
    hooks.wait_begun(1)


@pytest.mark.parametrize(
    ("kept", "threads", "shares"),
    [
        (4, {"normal": 3, "high": 3, "http": 3}, [2, 1, 1]),
        (0, {"normal": 3, "high": 3}, [0, 0]),
        (9, {"normal": 1, "high": 5}, [1, 5]),
        (3, {"normal": 1, "high": 1, "http": 1}, [1, 1, 1]),
    ],
)
def test_kept_threads_are_spread(kept: int, threads: dict[str, int], shares: list[int]) -> None:
    """In turn, none above its own number."""
    assert shares == list(share(kept, threads, list(threads)).values())

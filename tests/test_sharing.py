"""Those who wait for their turn while senders keep the agent busy."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agent.delivery.share import WINDOW_S, Meter
from agent.observe.counters import CounterStore
from agent.sharing import PAUSE_S, Sharing
from tests.support.twisted_results import result_of


class Scene:
    """Several who each work for a while when they are woken, and want to go on."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counters = CounterStore()
        self.sharing = Sharing(meter=Meter(self.clock.seconds), reactor=self.clock, counters=self.counters)
        self.woken: list[str] = []
        self.fault: Exception | None = None

    def busy(self) -> None:
        """Senders have kept the agent busy, and work has had all that it gets."""
        for _ in range(2):
            self.clock.rightNow += WINDOW_S
            self.sharing.came()
            self.sharing.may_begin()
        self.work(WINDOW_S)

    def work(self, seconds: float) -> None:
        with self.sharing.meter:
            self.clock.rightNow += seconds

    def waiter(self, name: str, *, goes_on: bool = False) -> None:
        def wake() -> None:
            self.woken.append(name)
            self.work(WINDOW_S)
            if goes_on and len(self.woken) < 6:
                self.sharing.wait(wake)
            if self.fault is not None:
                raise self.fault

        self.sharing.wait(wake)

    def let_pass(self, seconds: float) -> None:
        """Senders keep on."""
        end_s = self.clock.seconds() + seconds
        while self.clock.seconds() < end_s:
            self.sharing.came()
            self.clock.advance(PAUSE_S)


def test_who_waits_longest_goes_on_first() -> None:
    """And whoever has had a turn comes after those who had none: a busy service does not keep another from working."""
    scene = Scene()
    scene.busy()
    assert not scene.sharing.may_begin()
    for name in ("a", "b", "c"):
        scene.waiter(name, goes_on=True)
    scene.let_pass(40 * WINDOW_S)
    assert ["a", "b", "c", "a", "b", "c"] == scene.woken[:6]
    assert scene.counters.snapshot()["work.stood_back"][""] > 0


def test_who_waits_already_keeps_his_place() -> None:
    """Asking twice is asking once."""
    scene = Scene()
    scene.busy()

    def wake() -> None:
        scene.woken.append("a")

    scene.sharing.wait(wake)
    scene.waiter("b")
    scene.sharing.wait(wake)
    scene.let_pass(40 * WINDOW_S)
    assert ["a", "b"] == scene.woken


def test_all_go_on_once_nobody_sends() -> None:
    """At the latest a pause and a window later, and one that fails does not take the others' turn."""
    scene = Scene()
    scene.busy()
    scene.fault = ValueError("x")
    for name in ("a", "b", "c"):
        scene.waiter(name)
    for _ in range(10):
        scene.clock.advance(PAUSE_S)
    assert ["a", "b", "c"] == scene.woken


def test_nothing_runs_while_nobody_waits() -> None:
    """An agent at rest is not woken for this; nor is one that has stopped."""
    scene = Scene()
    scene.busy()
    assert [] == scene.clock.getDelayedCalls()
    scene.waiter("a")
    assert 1 == len(scene.clock.getDelayedCalls())
    result_of(Deferred.fromCoroutine(scene.sharing.stop(0.0)))
    assert [] == scene.clock.getDelayedCalls()
    scene.let_pass(40 * WINDOW_S)
    assert [] == scene.woken

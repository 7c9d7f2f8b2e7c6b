"""Settlements that come close together go to the writer together."""

from __future__ import annotations

from twisted.internet.task import Clock

from agent.spool.batch import Change
from agent.spool.gathering import PAUSE_S, Gathering
from tests.spool.support import settlement


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.passed: list[int] = []
        self.gathering = Gathering(reactor=self.clock, pass_on=lambda change: self.passed.append(change.what.seq))

    def add(self, *seqs: int) -> None:
        for seq in seqs:
            self.gathering.add(Change(what=settlement(seq)))


def test_one_alone_does_not_wait() -> None:
    """Nor one that comes a pause after another."""
    scene = Scene()
    scene.add(1)
    scene.clock.advance(PAUSE_S)
    scene.add(2)
    assert [1, 2] == scene.passed
    assert [] == scene.clock.getDelayedCalls()


def test_those_that_follow_at_once_go_together_in_their_order() -> None:
    """At the end of the pause, and the next ones after another pause."""
    scene = Scene()
    scene.add(1, 2)
    scene.clock.advance(PAUSE_S / 2)
    scene.add(3)
    assert [1] == scene.passed
    scene.clock.advance(PAUSE_S / 2)
    assert [1, 2, 3] == scene.passed
    scene.add(4)
    scene.clock.advance(PAUSE_S / 2)
    assert [1, 2, 3] == scene.passed
    scene.clock.advance(PAUSE_S / 2)
    assert [1, 2, 3, 4] == scene.passed


def test_what_must_not_be_overtaken_goes_at_once() -> None:
    """And its pause ends with it."""
    scene = Scene()
    scene.add(1, 2)
    scene.gathering.flush()
    assert [1, 2] == scene.passed
    assert [] == scene.clock.getDelayedCalls()
    scene.gathering.flush()
    assert [1, 2] == scene.passed

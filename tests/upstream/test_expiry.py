"""What lasts too long is ended, by one timer for all."""

from __future__ import annotations

from twisted.internet.task import Clock

from agent.upstream.expiry import Expiry


def test_each_thing_ends_when_its_time_is_over() -> None:
    """Counted from its own beginning, in order."""
    clock, ended = Clock(), []
    expiry: Expiry[str] = Expiry(reactor=clock, after_s=3.0, expired=ended.append)
    for thing in "abc":
        expiry.add(thing)
        clock.advance(1)
    expiry.drop("b")
    assert ["a"] == ended
    clock.advance(1.9)
    assert ["a"] == ended
    clock.advance(0.1)
    assert (["a", "c"], []) == (ended, clock.getDelayedCalls())


def test_the_clock_may_round() -> None:
    """A timer that is called a breath too early is no reason to wait again and again."""
    clock, ended = Clock(), []
    clock.advance(0.1 + 0.2)
    expiry: Expiry[int] = Expiry(reactor=clock, after_s=0.7, expired=ended.append)
    expiry.add(1)
    clock.advance(1e-17)
    expiry.add(2)
    clock.pump([0.35, 0.35, 0.35])
    assert [1, 2] == ended


def test_one_that_ends_may_take_others_with_it() -> None:
    """Whoever is dropped meanwhile is not ended."""
    clock, ended = Clock(), []

    def end(thing: str) -> None:
        ended.append(thing)
        expiry.drop("b")

    expiry: Expiry[str] = Expiry(reactor=clock, after_s=1.0, expired=end)
    expiry.add("a")
    expiry.add("b")
    clock.advance(1)
    assert (["a"], 0) == (ended, len(expiry))


def test_closing_leaves_no_timer_but_for_those_who_are_there() -> None:
    """Their end still comes."""
    clock, ended = Clock(), []
    expiry: Expiry[str] = Expiry(reactor=clock, after_s=1.0, expired=ended.append)
    expiry.add("a")
    expiry.close()
    clock.advance(1)
    expiry.add("b")
    expiry.drop("b")
    expiry.close()
    assert (["a"], []) == (ended, clock.getDelayedCalls())

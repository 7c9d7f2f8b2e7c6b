"""Fail-over and fail-back."""

from __future__ import annotations

from agent.upstream.targets import Targets


def test_the_url_in_use_stays_in_use():
    """Until another one has answered."""
    targets = Targets(["a", "b", "c"], failback_s=300)
    assert [0, 1, 2] == targets.order(0)
    assert targets.answered(1, 0)
    assert not targets.answered(1, 1)
    assert ("b", [1, 0, 2]) == (targets.current, targets.order(1))


def test_one_request_per_period_asks_the_first_one_again():
    """The others do not wait for its time-out meanwhile."""
    targets = Targets(["a", "b", "c"], failback_s=300)
    targets.answered(2, 0)
    assert [2, 0, 1] == targets.order(299)
    assert [[0, 2, 1], [2, 0, 1]] == [targets.order(300), targets.order(301)]
    targets.answered(0, 600)
    assert [0, 1, 2] == targets.order(601)

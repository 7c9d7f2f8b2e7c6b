"""limits: numbers are refused before they cost anything."""

from __future__ import annotations

import pytest

from keystoretools import Budget, LimitError, Limits


@pytest.mark.parametrize(
    "iterations", [-1, 0, 5_000_001, 10**9, 10**6000], ids=["negative", "zero", "above", "billion", "digits"]
)
def test_counts_out_of_range_are_refused(iterations: int) -> None:
    """Zero, negative and absurd counts, also of thousands of digits, give one sentence."""
    with pytest.raises(LimitError) as caught:
        Budget().spend(iterations, "an iteration count for the MAC")
    assert (caught.value.found, len(caught.value.sentence) < 250) == (iterations, True)


def test_the_sum_is_bounded() -> None:
    """Many keys at the ceiling are refused when their sum is beyond it."""
    budget = Budget(limits=Limits(steps_in_all=10_000_000))
    budget.spend(5_000_000, "a count")
    budget.spend(5_000_000, "a count")
    with pytest.raises(LimitError):
        budget.spend(1, "a count")


def test_iterations_cost_what_they_take() -> None:
    """Schemes that calculate several digests in an iteration use up the budget so much faster."""
    budget = Budget(limits=Limits(steps_in_all=10_000_000))
    budget.spend(3_000_000, "a count", steps=3)
    assert 9_000_000 == budget.steps_spent
    with pytest.raises(LimitError, match="it comes to 12000000 steps"):
        budget.spend(1_000_000, "a count", steps=3)
    assert 9_000_000 == budget.steps_spent


def test_other_work_counts_too() -> None:
    """Slow ciphers, scrypt and key streams share the sum with the iterations."""
    budget = Budget(limits=Limits(steps_in_all=100))
    budget.work(60, "octets under a slow cipher")
    with pytest.raises(LimitError, match="octets under a slow cipher"):
        budget.work(41, "octets under a slow cipher")


def test_what_java_reads_at_its_ceiling_passes() -> None:
    """Check, certificates and key of a PBES2 file, or two of these in 3DES: not all of a hostile file's wishes."""
    modern, old = Budget(), Budget()
    for what in ("the MAC", "the certificates", "a key"):
        modern.spend(5_000_000, what)
    old.spend(5_000_000, "the MAC")
    old.spend(5_000_000, "the certificates", steps=3)
    for spent in (modern, old):
        with pytest.raises(LimitError):
            spent.spend(5_000_000, "a key", steps=3)

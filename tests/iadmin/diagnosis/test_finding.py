"""Findings in their order."""

from __future__ import annotations

import pytest

from iadmin.diagnosis.finding import Finding, exit_of, fault, note, warning, worst_first

FAULT, WARNING, NOTE = fault("f", "x", known="y"), warning("w", "x", known="y"), note("n", "x", known="y")


def test_the_worst_comes_first_and_each_once() -> None:
    """What two checks have found is told once."""
    assert (FAULT, WARNING, NOTE) == worst_first([NOTE, WARNING, FAULT, WARNING])


@pytest.mark.parametrize(
    ("found", "expected"), [([], 0), ([NOTE], 0), ([NOTE, WARNING], 1), ([FAULT, WARNING, NOTE], 2)]
)
def test_the_exit_status_is_that_of_the_worst(found: list[Finding], expected: int) -> None:
    """As monitoring systems understand it: good, warning, critical."""
    assert expected == exit_of(found)

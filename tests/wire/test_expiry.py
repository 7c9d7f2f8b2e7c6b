"""Stages of expiry."""

from __future__ import annotations

import pytest

from agent.wire.expiry import expiry_sentence, stage_of


@pytest.mark.parametrize(
    ("days_left", "stage"),
    [(31, None), (30, 30), (15, 30), (14, 14), (8, 14), (7, 7), (2, 7), (1, 1), (0, 1), (-1, 0), (-400, 0)],
)
def test_stages(days_left: int, stage: int | None) -> None:
    """Thirty, fourteen, seven, one, over."""
    assert stage == stage_of(days_left)


def test_sentences() -> None:
    """When, and what to do."""
    assert "x expires in 5 days (2026-12-01)" in expiry_sentence("x", 5, "2026-12-01T00:00:00+00:00")
    assert "expires tomorrow" in expiry_sentence("x", 1, "2026-12-01")
    assert "expires today" in expiry_sentence("x", 0, "2026-12-01")
    assert "has expired on 2026-12-01" in expiry_sentence("x", -1, "2026-12-01")

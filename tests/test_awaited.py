"""Awaitables of the seams as Deferreds."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from agent.awaited import as_deferred
from tests.support.twisted_results import failure_of, result_of


async def coroutine(fault: Exception | None = None) -> int:
    if fault is not None:
        raise fault
    return 1


def test_a_deferred_is_what_it_is() -> None:
    """Cancelling it reaches those who work for it."""
    work: Deferred[int] = Deferred()
    assert as_deferred(work) is work


@pytest.mark.parametrize("fault", [None, ValueError("x")])
def test_a_coroutine_is_begun(fault: Exception | None) -> None:
    """With its result, or its fault."""
    done = as_deferred(coroutine(fault))
    assert (1 if fault is None else fault) == (result_of(done) if fault is None else failure_of(done))

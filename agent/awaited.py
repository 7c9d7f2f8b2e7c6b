"""What a seam gives as an `Awaitable`, as the Deferred that it mostly is: to be gathered, or broken off."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from twisted.internet.defer import Deferred

Result = TypeVar("Result")


def as_deferred(work: Awaitable[Result]) -> Deferred[Result]:
    """Fires with what `work` gives, or fails with what it raises."""
    return work if isinstance(work, Deferred) else Deferred.fromCoroutine(_result_of(work))


async def _result_of(work: Awaitable[Result]) -> Result:
    return await work

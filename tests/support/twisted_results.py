"""Looking into Deferreds without a reactor: the result there is, or the failure, or that there is none yet."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Result = TypeVar("Result")


def is_waiting(deferred: Deferred[Result]) -> bool:
    """Whether it has not fired."""
    return not deferred.called or deferred.paused > 0


def result_of(deferred: Deferred[Result]) -> Result:
    """The result of a Deferred that has fired; raises its failure."""
    outcome: list[Result | Failure] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


def failure_of(deferred: Deferred[Result]) -> BaseException:
    """The exception of a Deferred that has failed."""
    outcome: list[Result | Failure] = []
    deferred.addBoth(outcome.append)
    assert outcome, "the Deferred has not fired"
    assert isinstance(outcome[0], Failure), f"it did not fail: {outcome[0]!r}"
    assert outcome[0].value is not None
    return outcome[0].value

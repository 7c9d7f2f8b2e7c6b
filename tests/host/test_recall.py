"""agent.host.recall: what is said of a duplicate."""

from __future__ import annotations

import pytest

from agent.host.recall import suppressed

MESSAGE = "An event with tokens {pump=P-1} has been injected into the applications event domain "
OTHER = "An event with properties {pump=P-1} has been injected into the applications|alarms service "
END = "more frequently than allowed by the deduplication filter pumps. It has been suppressed."


@pytest.mark.parametrize(("is_message", "begin"), [(True, MESSAGE), (False, OTHER)])
def test_the_texts_are_those_of_the_original(is_message: bool, begin: str) -> None:
    """One for messages, and one for everything else; people search their logs for both."""
    told = suppressed("{pump=P-1}", service="applications|alarms", name="pumps", is_message=is_message)
    assert begin + END == told

"""agent.sdk.dedup: which values count, and what a service may ask and say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.sdk import Apxml, Event, Token, context
from agent.sdk.context import Surroundings, calling, settle_in
from agent.sdk.dedup import describe, key_of

PREDICATES = ("pump", "Severity")


class Recall:
    """A filter that knows what the test tells it."""

    predicates = PREDICATES

    def __init__(self) -> None:
        self.known: set[str] = set()

    def knows(self, key: str) -> bool:
        return key in self.known


@pytest.fixture
def recall() -> Iterator[Recall]:
    recall = Recall()
    settle_in(Surroundings(filters={"pumps": recall}))
    yield recall
    settle_in(Surroundings())


def event(body: str) -> Event:
    return Event(
        id="e",
        service="applications|pumps",
        received=datetime(2026, 1, 1, tzinfo=UTC),
        body=body.encode(),
        kind="json" if body[0] in "[{" else "xml",
    )


SAME = key_of(PREDICATES, {"pump": "P-1", "severity": "high"})


@pytest.mark.parametrize(
    "body",
    [
        "<event><pump>P-1</pump><severity>high</severity><time>1</time></event>",
        "<event><Pump>P-1</Pump><SEVERITY> high </SEVERITY></event>",
        "<event><properties><pump>P-1</pump></properties><severity>high</severity></event>",
        "<transaction><header/><data><pump>P-1</pump><severity>high</severity></data></transaction>",
        '{"pump": "P-1", "properties": {"severity": "high"}}',
    ],
)
def test_values_are_found_where_events_have_them(body: str) -> None:
    """Under the root, in properties or in data, in XML and JSON, in any case; other values do not count."""
    assert SAME == key_of(PREDICATES, event(body))


@pytest.mark.parametrize(
    "body",
    [
        "<event><pump>P-1</pump></event>",
        "<event><pump>P-1</pump><a><severity>high</severity></a></event>",
        '{"pump": "P-1", "severity": null}',
        "[1]",
    ],
)
def test_without_all_values_nothing_counts(body: str) -> None:
    """Such an event has no key: it is never a duplicate."""
    assert key_of(PREDICATES, event(body)) is None


def test_different_values_are_different() -> None:
    """Also an empty one, which is a value, and one of another type."""
    keys = {
        SAME,
        key_of(PREDICATES, {"pump": "", "severity": "high"}),
        key_of(PREDICATES, {"pump": 1, "severity": "high"}),
        key_of(PREDICATES, {"pump": "1", "severity": "high"}),
        key_of(PREDICATES, {"pump": "high", "severity": "P-1"}),
    }
    assert 5 == len(keys)


def test_the_sentence_names_the_values() -> None:
    """Short enough for a log."""
    assert "{pump=P-1, Severity=" + "x" * 80 + "}" == describe(PREDICATES, {"pump": "P-1", "severity": "x" * 500})


def test_a_service_asks_and_counts(recall: Recall) -> None:
    """Asking counts nothing; what is counted goes with the call."""
    pumps = context.dedup("pumps")
    alarm = {"pump": "P-1", "severity": "high"}
    with calling() as call:
        assert not pumps.is_duplicate(alarm)
        pumps.increment_count(alarm)
        pumps.increment_count({"pump": "P-1"})
    assert [("pumps", SAME)] == call.remembered
    assert SAME is not None
    recall.known.add(SAME)
    assert pumps.is_duplicate(alarm)


def test_counting_belongs_to_a_hook(recall: Recall) -> None:
    """Outside a hook there is no event whose end it could be stored with."""
    with pytest.raises(RuntimeError, match="increment_count works within hooks that are called with an event"):
        context.dedup("pumps").increment_count({"pump": "P-1", "severity": "high"})


def test_a_filter_that_does_not_exist_raises(recall: Recall) -> None:
    """With the names there are."""
    with pytest.raises(ValueError, match="no filter 'pumsp'; it has pumps"):
        context.dedup("pumsp")


def test_services_that_use_a_filter_can_be_tested() -> None:
    """Outside a worker process every filter exists and knows nothing, but those that the test names."""
    pumps = context.dedup("pumps")
    with calling() as call:
        first = pumps.is_duplicate({"pump": "P-1"})
        pumps.increment_count({"pump": "P-1"})
    with calling(duplicates=["pumps"]):
        second = pumps.is_duplicate({"pump": "P-1"})
    assert (False, True) == (first, second)
    assert ["pumps"] == [name for name, _ in call.remembered]


def test_messages_are_compared_by_their_tokens() -> None:
    """In any case of their names, and like a mapping with the same values."""
    message = Apxml(method="add", tokens=(Token("Pump", "P-101"), Token("severity", "high")))

    assert key_of(("PUMP", "severity"), message) == key_of(("pump", "severity"), {"pump": "P-101", "severity": "high"})
    assert key_of(("pump", "city"), message) is None


def test_events_that_are_messages_are_compared_by_their_tokens() -> None:
    """Whatever type a token has; encrypted constants are not told."""
    body = b"<transaction><header><method>add</method></header><data>%s</data></transaction>"
    secret = ((Token("severity", "open sesame"), True),)
    plain, typed = (
        Event(id="e", service="a|b", received=datetime.now(UTC), kind="apxml", body=body % data, constants=secret)
        for data in (
            b"<pump>P-101</pump><severity>high</severity>",
            b'<pump type="string">P-101</pump><severity>high</severity>',
        )
    )

    assert key_of(PREDICATES, plain) == key_of(PREDICATES, typed)
    assert "{pump=P-101, Severity=high}" == describe(PREDICATES, typed)
